import { defaultScheme, type KeyRow, keyRows } from "../../src/alg/find.ts";
import { randomBytes } from "../../src/bytes.ts";
import { initCa } from "../../src/ca/init.ts";
import type { IssueRequest } from "../../src/ca/issue.ts";
import { caSigner } from "../../src/ca/signer.ts";
import { mlDsaOf, mlKemOf, slhDsaOf } from "../../src/keys/pqc_noble.ts";
import { generateSoftwareKey, softwareProvider } from "../../src/keys/software.ts";
import { modernSubtle } from "../../src/keys/subtle.ts";
import { encodeMechanism } from "../../src/pkcs11/codec.ts";
import { requireMechanisms } from "../../src/pkcs11/mechanisms.ts";
import type { Pkcs11Provider } from "../../src/pkcs11/provider.ts";
import { keyTemplates } from "../../src/pkcs11/templates.ts";
import { CaStore } from "../../src/store/ca.ts";
import { TokenError } from "../../src/errors.ts";
import type { LabToken } from "../../tests/support/lab.ts";
import {
  type BenchToken,
  caProfile,
  certificateRate,
  deps,
  openToken,
  POOL,
  printFigure,
  SECONDS,
} from "./bench_world.ts";
import { rate } from "./measure.ts";

/** Post-quantum keys: generation, signatures and finished certificates, each beside the bare primitive. */

/** One process shall come so near to the bare rate with ML-DSA. */
const AIM = 0.8;
/** There are many of them. */
const EACH = Math.min(SECONDS, 1);
const MESSAGE = new Uint8Array(512);

/** The rows of one algorithm each. */
export function postQuantumRows(): KeyRow[] {
  return keyRows().filter(({ family }) => family === "ml-dsa" || family === "slh-dsa" || family === "ml-kem");
}

interface Primitive {
  generate(): unknown;
  /** A bare signature with a key of its own; absent for a KEM. */
  readonly sign?: () => unknown;
}

/** The library behind a row, without anything of ours. */
async function bareSoftware(row: KeyRow): Promise<Primitive> {
  if (row.software === "webcrypto") {
    const subtle = modernSubtle();
    const how = { name: row.webcrypto!.name };
    const isKem = row.kind === "kem";
    const usages = isKem ? ["encapsulateBits", "decapsulateBits"] as const : ["sign", "verify"] as const;
    const generate = () => subtle.generateKey(how, true, usages);
    if (isKem) return { generate };
    const { privateKey } = await generate();
    return { generate, sign: () => crypto.subtle.sign(how, privateKey, MESSAGE) };
  }
  if (row.family === "ml-kem") return { generate: ((library) => () => library.keygen())(await mlKemOf(row)) };
  const library = row.family === "ml-dsa" ? await mlDsaOf(row) : await slhDsaOf(row);
  const { secretKey } = library.keygen();
  return { generate: () => library.keygen(), sign: () => library.sign(MESSAGE, secretKey) };
}

/** Prints the figures of one algorithm with keys in files. */
export async function benchSoftwareRow(folder: string, row: KeyRow, request: IssueRequest): Promise<void> {
  const bare = await bareSoftware(row);
  const name = `${row.name}, in software`;
  const made = await rate(EACH, () => generateSoftwareKey(row));
  printFigure({ name, raw: await rate(EACH, bare.generate), rate: made, unit: "keys" });
  if (!bare.sign) return;
  const raw = await rate(EACH, bare.sign);
  const world = deps(folder, () => Promise.resolve(softwareProvider({ cwd: folder })));
  await initCa({ folder: row.name, profiles: [await caProfile(row.name)], key: { type: "software" } }, world);
  await using ca = await caSigner(await CaStore.open(`${folder}/${row.name}`), world);
  const signer = ca.key.signer(defaultScheme(row));
  printFigure({ name, raw, rate: await rate(EACH, () => signer.sign(MESSAGE)), unit: "signatures" });
  const certificates = await certificateRate(ca, request, { parallel: 4 * POOL, world, seconds: EACH });
  printFigure({ name, raw, rate: certificates, unit: "certificates", ...aimOf(row) });
}

function aimOf(row: KeyRow): { aim?: number } {
  return row.family === "ml-dsa" ? { aim: AIM } : {};
}

/** C_GenerateKeyPair of session keys and nothing else. */
async function bareGeneration({ context: ctx }: Pkcs11Provider, row: KeyRow): Promise<number> {
  const dialect = requireMechanisms(ctx, row);
  const names = { label: "bench", id: randomBytes(16) };
  const templates = keyTemplates(ctx.driver, row, { names, token: false, dialect });
  const mechanism = encodeMechanism(ctx.slot.module.ffi, dialect.generate, dialect.parameter);
  return await ctx.pool.withSession((session) =>
    rate(EACH, () => session.generateKeyPair(mechanism, templates, "generate a key for the bench"))
  );
}

/** Prints the figures of one algorithm in a token; says so when the token does not do it. */
export async function benchTokenRow(token: BenchToken & LabToken, row: KeyRow, request: IssueRequest): Promise<void> {
  const config = token.hsmYaml(`${token.folder}/hsm.yaml`);
  const name = `${row.name}, in ${token.name}`;
  const label = `bench-${row.name}`;
  const ref = { type: "pkcs11", config, label } as const;
  let bare: number;
  {
    await using provider = await openToken(token, config, 1);
    try {
      requireMechanisms(provider.context, row);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      console.log(`  ${name.padEnd(38)}not in this token`);
      return;
    }
    let serial = 0;
    const made = await rate(
      EACH,
      () => provider.generate(row, { type: "pkcs11", config, label: `${label}-${serial++}` }),
    );
    printFigure({ name, raw: await bareGeneration(provider, row), rate: made, unit: "keys" });
    for (let i = 0; i < serial; i++) await provider.delete!({ type: "pkcs11", config, label: `${label}-${i}` });
  }
  if (row.kind === "kem") return;
  const world = deps(token.folder, () => openToken(token, config, 1));
  const folder = `${token.folder}/${row.name}`;
  await initCa({ folder, profiles: [await caProfile(row.name)], key: { type: "pkcs11", ref } }, world);
  {
    await using provider = await openToken(token, config, 1);
    bare = await provider.withRawSigner(ref, (signer) => rate(EACH, () => signer.sync()));
  }
  await using ca = await caSigner(await CaStore.open(folder), world);
  printFigure({ name, raw: bare, rate: await rate(EACH, () => ca.signer.sign(MESSAGE)), unit: "signatures" });
  const certificates = await certificateRate(ca, request, { parallel: 4 * POOL, world, seconds: EACH });
  printFigure({ name, raw: bare, rate: certificates, unit: "certificates", ...aimOf(row) });
}
