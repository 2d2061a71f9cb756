import { findSchemeRow, type KeyRow, partsOf, type SchemeRow } from "../../src/alg/find.ts";
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
async function opencryptokiToken({ label: wanted, pin }: Required<LabTokenOptions>): Promise<LabToken> {
  const folder = tempFolder("qpki-opencryptoki-");
  const slot = await claimSlot();
  // every process sees the slots of all
  const label = `${wanted}-${slot}`;
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

interface ListedMechanism {
  name: string;
  min_key_size: number | null;
  max_key_size: number | null;
}

/** Asks a token, through `qpki hsm mechanisms`, what it can do. */
export async function capabilitiesOf(token: LabToken): Promise<Capabilities> {
  const data = await runJson(["hsm", "mechanisms", "--hsm-config", token.hsmYaml()], { env: { ...token.env } }) as {
    tokens: { mechanisms: ListedMechanism[] }[];
  };
  const listed = new Map(data.tokens.flatMap(({ mechanisms }) => mechanisms.map((one) => [one.name, one])));
  return {
    missingFor(row) {
      for (const { name, keyBytes } of mechanismsOf(row)) {
        const { min_key_size: min, max_key_size: max } = listed.get(name) ?? {};
        if (!listed.has(name)) return `${token.name} has no ${name}`;
        if (keyBytes && min && max && (keyBytes < min || keyBytes > max)) {
          return `${token.name} does ${name} with public keys of ${min} to ${max} bytes only`;
        }
      }
    },
  };
}

/**
 * Mechanisms that making a key of a row, or the keys of both its parts, and using them by its default scheme takes. Of
 * post-quantum keys, the size that their mechanisms count by (PKCS#11 3.2: bytes of the public key).
 */
function mechanismsOf(row: KeyRow): { name: string; keyBytes?: number }[] {
  const parts = partsOf(row);
  const [scheme] = row.schemes.map(findSchemeRow);
  if (parts) {
    const { pqc, classical } = scheme!.composite!;
    return [...use(parts.pqc, findSchemeRow(pqc)), ...use(parts.classical, findSchemeRow(classical))];
  }
  return use(row, scheme);
}

function use(
  { name, family, pkcs11, publicKeyBytes }: KeyRow,
  scheme?: SchemeRow,
): { name: string; keyBytes?: number }[] {
  const names = pkcs11 ? [pkcs11.generate, pkcs11.encapsulate, scheme?.mechanism] : [`key type for ${name}`];
  const size = /^(ml|slh)-/.test(family) ? { keyBytes: publicKeyBytes } : {};
  return names.filter((one) => typeof one === "string").map((one) => ({ name: one, ...size }));
}
