import { findSchemeRow, type KeyRow, partsOf } from "../../src/alg/find.ts";
import { run, runJson, type RunResult } from "./cli.ts";
import { kryopticLibrary, type Need, nssLibrary, opencryptokiLibrary } from "./require.ts";
import { softhsmToken } from "./softhsm.ts";
import { type TempFolder, tempFolder } from "./tmp.ts";

/** The laboratory's tokens: each a new one in a folder of its own, all with one interface. */

/** Names of the tokens, which are also the needs of their tests. */
export type LabTokenName = "nss" | "kryoptic" | "opencryptoki" | "softhsm";

/** A new token, removed on disposal. */
export interface LabToken extends Disposable {
  readonly name: LabTokenName;
  /** Folder of the token's own; tests may put more into it. */
  readonly folder: string;
  /** Path of the PKCS#11 library. */
  readonly lib: string;
  readonly label: string;
  readonly pin: string;
  /** What the library must find in the environment, and the PIN as `HSM_PIN`. */
  readonly env: Readonly<Record<string, string>>;
  /** Writes an hsm.yaml for this token (PIN from `HSM_PIN`) to `path` or into the folder; returns its path. */
  hsmYaml(path?: string, extraLines?: readonly string[]): string;
}

/** How a new token is called, and its PIN. */
export interface LabTokenOptions {
  label?: string;
  pin?: string;
}

const SO_PIN = "87654321";

/** What tests of each token need. */
export const TOKEN_NEEDS: Readonly<Record<LabTokenName, Need[]>> = {
  nss: ["nss"],
  kryoptic: ["kryoptic", "pkcs11-tool"],
  opencryptoki: ["opencryptoki", "root"],
  softhsm: ["softhsm"],
};

const MAKERS: Readonly<Record<LabTokenName, (options: Required<LabTokenOptions>) => Promise<LabToken>>> = {
  nss: nssToken,
  kryoptic: kryopticToken,
  opencryptoki: opencryptokiToken,
  softhsm: (options) => Promise.resolve({ ...softhsmToken({ ...options, soPin: SO_PIN }), name: "softhsm" }),
};

/** Makes a token. @throws {Error} with what its tools say. Guard the test with {@link TOKEN_NEEDS}. */
export function labToken(name: LabTokenName, options: LabTokenOptions = {}): Promise<LabToken> {
  return MAKERS[name]({ label: "qpki-lab", pin: "12345688", ...options });
}

/** NSS softokn with a database token. */
async function nssToken({ label, pin }: Required<LabTokenOptions>): Promise<LabToken> {
  const folder = tempFolder("qpki-nss-");
  const db = `sql:${folder.join("db")}`;
  Deno.mkdirSync(folder.join("db"));
  await must("certutil", ["-N", "-d", db, "-f", folder.write("pin", `${pin}\n`)]);
  const params = `configDir='${db}' dbTokenDescription='${label}'`;
  return token(folder, { name: "nss", lib: nssLibrary()!, label, pin, variables: { NSS_LIB_PARAMS: params } });
}

/** Kryoptic with an SQLite token. */
async function kryopticToken({ label, pin }: Required<LabTokenOptions>): Promise<LabToken> {
  const folder = tempFolder("qpki-kryoptic-");
  const database = folder.join("token.sql");
  const conf = folder.write("kryoptic.conf", `[[slots]]\nslot = 1\ndbtype = "sqlite"\ndbargs = "${database}"\n`);
  const variables = { KRYOPTIC_CONF: conf };
  const lib = kryopticLibrary()!;
  const tool = (...args: string[]) => must("pkcs11-tool", ["--module", lib, ...args, "--so-pin", SO_PIN], variables);
  await tool("--init-token", "--slot", "1", "--label", label);
  await tool("--slot", "1", "--login", "--login-type", "so", "--init-pin", "--pin", pin);
  return token(folder, { name: "kryoptic", lib, label, pin, variables });
}

const OPENCRYPTOKI = "/var/lib/opencryptoki";

/** openCryptoki's soft token in one of the slots that `scripts/lab/opencryptoki.sh` made. */
async function opencryptokiToken({ label, pin }: Required<LabTokenOptions>): Promise<LabToken> {
  const folder = tempFolder("qpki-opencryptoki-");
  const slot = await claimSlot();
  const conf = (args: string[], stdin?: string) => must("pkcsconf", [...args, "-c", String(slot)], {}, stdin);
  await conf(["-I", "-S", "87654321"], `${label}\n`);
  // a token accepts no user PIN before the SO's first one was changed, and none for use before its owner changed it
  await conf(["-P", "-S", "87654321", "-n", "12345670"]);
  await conf(["-u", "-S", "12345670", "-n", "12345671"]);
  await conf(["-p", "-U", "12345671", "-n", pin]);
  const made = token(folder, { name: "opencryptoki", lib: opencryptokiLibrary()!, label, pin, variables: {} });
  return {
    ...made,
    [Symbol.dispose]() {
      made[Symbol.dispose]();
      freeSlot(slot);
    },
  };
}

/** The number of a slot that no other test of this run has; waits for one that is given back. */
async function claimSlot(): Promise<number> {
  for (let waited = 0; waited < 240; waited++) {
    for (const slot of [0, 1, 2]) {
      try {
        Deno.mkdirSync(`${OPENCRYPTOKI}/qpki${slot}.claimed`);
        return slot;
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
    await new Promise((done) => setTimeout(done, 1000));
  }
  throw new Error("Every openCryptoki slot is in use: dispose of tokens, or add slots in scripts/lab/opencryptoki.sh");
}

/** Makes a slot as it was: not initialized, without objects. */
function freeSlot(slot: number): void {
  const store = `${OPENCRYPTOKI}/qpki${slot}`;
  for (const file of Deno.readDirSync(store)) if (file.isFile) Deno.removeSync(`${store}/${file.name}`);
  for (const file of Deno.readDirSync(`${store}/TOK_OBJ`)) Deno.removeSync(`${store}/TOK_OBJ/${file.name}`);
  try {
    Deno.removeSync(`/dev/shm${OPENCRYPTOKI.replaceAll("/", ".").replace(/^\./, "/")}.qpki${slot}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  Deno.removeSync(`${store}.claimed`);
}

interface TokenFacts extends Pick<LabToken, "name" | "lib" | "label" | "pin"> {
  variables: Record<string, string>;
}

function token(folder: TempFolder, { variables, ...facts }: TokenFacts): LabToken {
  return {
    ...facts,
    folder: folder.path,
    env: { ...variables, HSM_PIN: facts.pin },
    hsmYaml(path = folder.join("hsm.yaml"), extraLines = []) {
      const lines = [`lib: ${facts.lib}`, `token: "${facts.label}"`, "pin_env: HSM_PIN", ...extraLines];
      Deno.writeTextFileSync(path, `type: pkcs11\npkcs11:\n${lines.map((line) => `  ${line}\n`).join("")}`);
      return path;
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

async function must(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
  stdin?: string,
): Promise<RunResult> {
  const result = await run(program, args, { env, ...(stdin === undefined ? {} : { stdin }) });
  if (result.code !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return result;
}

/** Which keys a token can make and use, by its own mechanism list. */
export interface Capabilities {
  /** Why it cannot serve keys of a row (of a composite: of both parts), or undefined. */
  missingFor(row: KeyRow): string | undefined;
}

/** Asks a token, through `qpki hsm mechanisms`, what it can do. */
export async function capabilitiesOf(token: LabToken): Promise<Capabilities> {
  const data = await runJson(["hsm", "mechanisms", "--hsm-config", token.hsmYaml()], { env: { ...token.env } }) as {
    tokens: { mechanisms: { name: string }[] }[];
  };
  const names = new Set(data.tokens.flatMap(({ mechanisms }) => mechanisms.map(({ name }) => name)));
  return {
    missingFor(row) {
      const missing = mechanismsOf(row).find((name) => !names.has(name));
      return missing === undefined ? undefined : `${token.name} has no ${missing}`;
    },
  };
}

/** Mechanisms that making a key of a row, or the keys of both its parts, and using them by its default scheme takes. */
function mechanismsOf(row: KeyRow): string[] {
  const parts = partsOf(row);
  const rows = parts ? [parts.pqc, parts.classical] : [row];
  const [scheme] = row.schemes.map(findSchemeRow);
  const schemes = scheme?.composite ? [scheme.composite.pqc, scheme.composite.classical].map(findSchemeRow) : [scheme];
  return [
    ...rows.flatMap(({ pkcs11, name }) => pkcs11 ? [pkcs11.generate, pkcs11.encapsulate] : [`key type for ${name}`]),
    ...schemes.map((one) => one?.mechanism),
  ].filter((name) => typeof name === "string");
}
