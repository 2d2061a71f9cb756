/**
 * `deno task bench`: what signing costs and what it comes to. For each algorithm the rate of bare C_Sign calls on SoftHSM2
 * (one session, and a pool), the rate of finished certificates (built, linted, signed, verified, durable) from this one
 * process, and their ratio; the same for software keys; post-quantum keys likewise, in software and in the tokens that
 * are there (`deno task lab deno task bench` has them); then start-up times. Prints and judges nothing by itself.
 * `QPKI_BENCH_SECONDS` is the length of each measurement, 3 unless told. Words after the command choose the parts.
 */
import { defaultScheme } from "../src/alg/find.ts";
import { initCa } from "../src/ca/init.ts";
import { type IssueRequest, recordCertificates, signRequest, signRequests } from "../src/ca/issue.ts";
import { caSigner, type OpenCa } from "../src/ca/signer.ts";
import type { Deps } from "../src/ca/deps.ts";
import { softwareProvider } from "../src/keys/software.ts";
import type { ProviderRequest } from "../src/keys/types.ts";
import { verifySignature } from "../src/keys/verify.ts";
import { CaStore } from "../src/store/ca.ts";
import { lintTbs } from "../src/x509/lint.ts";
import { subjectKeyId } from "../src/x509/certificate.ts";
import { generateSerial } from "../src/x509/serial.ts";
import { buildTbsCertificate } from "../src/x509/tbs.ts";
import { labToken, type LabTokenName, TOKEN_NEEDS } from "../tests/support/lab.ts";
import { needs } from "../tests/support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../tests/support/softhsm.ts";
import { tempFolder } from "../tests/support/tmp.ts";
import { benchCose } from "./support/bench_cose.ts";
import { benchSoftwareRow, benchTokenRow, postQuantumRows } from "./support/bench_pqc.ts";
import {
  caProfile,
  certificateRate,
  deps,
  inParallel,
  leafRequest,
  openToken,
  POOL,
  printFigure,
  SECONDS,
} from "./support/bench_world.ts";
import { count, rate, startupTable } from "./support/measure.ts";

const ALGORITHMS = ["ecdsa-p256", "ecdsa-p384", "rsa-4096"];
const AIM = 0.7;

/** What a certificate costs this process besides its signature, in milliseconds by kind of work. */
async function costs(ca: OpenCa, request: IssueRequest, world: Deps): Promise<Record<string, number>> {
  const certificate = await signRequest(ca, request, world);
  const { scheme } = ca.signer;
  const notBefore = new Date(Math.floor(Date.now() / 1000) * 1000);
  const builds = await rate(0.5, async () => {
    const tbs = await buildTbsCertificate({
      serial: generateSerial(),
      issuer: ca.certificate.subject,
      subject: request.profile.subject,
      notBefore,
      notAfter: new Date(notBefore.getTime() + 86_400_000),
      spki: request.spki,
      scheme,
      extensions: request.profile.extensions,
      authorityKeyId: subjectKeyId(ca.certificate)!,
    });
    return lintTbs(tbs);
  });
  const { tbs, signature } = certificate;
  const verifications = await rate(
    0.5,
    () => verifySignature({ spki: ca.key.spki, scheme, message: tbs, signature }),
  );
  const group = await signRequests(ca, Array.from({ length: 128 }, () => request), { deps: world });
  const begin = performance.now();
  await recordCertificates(ca, group, world);
  return {
    "building and linting": 1000 / builds,
    "verifying": 1000 / verifications,
    "writing": (performance.now() - begin) / group.length,
  };
}

/**
 * Names what a certificate waits for, as the token's share alone does not tell it, and the best ratio that so much work
 * allows when a bare signature keeps one processor busy.
 */
function explain(parts: Record<string, number>, raw: number): string {
  const signing = 1000 / raw;
  const all = { ...parts, signing };
  const total = Object.values(all).reduce((sum, each) => sum + each, 0);
  const shares = Object.entries(all).sort(([, a], [, b]) => b - a)
    .map(([name, each]) => `${name} ${each.toFixed(2)} ms (${Math.round(100 * each / total)} %)`).join(", ");
  const processors = navigator.hardwareConcurrency;
  const most = Math.min(1, processors * signing / total);
  return `${shares}; ${processors} processors allow a ratio of ${most.toFixed(2)}`;
}

function line(name: string, raw: number, certificates: number): void {
  printFigure({ name, raw, rate: certificates, unit: "certificates", aim: AIM });
}

/** Measures one algorithm in the token: CA, raw rate, certificates, with one session and with a pool. */
async function benchToken(token: SoftHsmToken, algorithm: string, request: IssueRequest): Promise<void> {
  const config = token.hsmYaml(`${token.folder}/hsm.yaml`);
  let sessions = 1;
  const world = deps(
    token.folder,
    (wanted: ProviderRequest) =>
      wanted.type === "pkcs11" ? openToken(token, config, sessions) : Promise.reject(new Error("no file is used")),
  );
  const folder = `${token.folder}/${algorithm}`;
  const ref = { type: "pkcs11", config, label: algorithm } as const;
  await initCa({ folder, profiles: [await caProfile(algorithm)], key: { type: "pkcs11", ref } }, world);
  for (sessions of [1, POOL]) {
    let raw: number;
    {
      await using provider = await openToken(token, config, sessions);
      raw = sessions === 1
        ? await provider.withRawSigner(ref, (signer) => rate(SECONDS, () => signer.sync()))
        : await count(SECONDS, async (stop) =>
          await inParallel(POOL, () =>
            provider.withRawSigner(ref, async (signer) => {
              let signed = 0;
              for (; !stop(); signed++) {
                await signer.async();
              }
              return signed;
            })));
    }
    await using ca = await caSigner(await CaStore.open(folder), world);
    const certificates = await certificateRate(ca, request, { parallel: 4 * POOL, world });
    line(`${algorithm}, ${sessions === 1 ? "one session" : `pool of ${POOL}`}`, raw, certificates);
    if (sessions === 1) console.log(`    one certificate: ${explain(await costs(ca, request, world), raw)}`);
  }
}

async function benchSoftware(folder: string, algorithm: string, request: IssueRequest): Promise<void> {
  const world = deps(folder, () => Promise.resolve(softwareProvider({ cwd: folder })));
  await initCa({ folder: algorithm, profiles: [await caProfile(algorithm)], key: { type: "software" } }, world);
  await using ca = await caSigner(await CaStore.open(`${folder}/${algorithm}`), world);
  const message = new Uint8Array(512);
  const signer = ca.key.signer(defaultScheme(ca.key.algorithm));
  const raw = await rate(SECONDS, () => signer.sign(message));
  const pooled = await count(SECONDS, (stop) =>
    inParallel(POOL, async () => {
      let signed = 0;
      for (; !stop(); signed++) await signer.sign(message);
      return signed;
    }));
  line(`${algorithm}, one at a time`, raw, await certificateRate(ca, request, { parallel: 1, world }));
  line(
    `${algorithm}, ${4 * POOL} at a time`,
    pooled,
    await certificateRate(ca, request, { parallel: 4 * POOL, world }),
  );
}

async function classical(request: IssueRequest): Promise<void> {
  console.log("Classical keys in SoftHSM2");
  const reason = needs("softhsm");
  if (reason === undefined) {
    using token = softhsmToken({ label: "Bench" });
    token.useInProcess();
    for (const algorithm of ALGORITHMS) await benchToken(token, algorithm, request);
  } else console.log(`  left out: ${reason}`);
  console.log("\nClassical keys in software");
  using folder = tempFolder("qpki-bench-");
  for (const algorithm of ALGORITHMS) await benchSoftware(folder.path, algorithm, request);
}

async function postQuantum(request: IssueRequest): Promise<void> {
  console.log("\nPost-quantum keys in software");
  {
    using folder = tempFolder("qpki-bench-");
    for (const row of postQuantumRows()) await benchSoftwareRow(folder.path, row, request);
  }
  for (const name of ["nss", "kryoptic"] satisfies LabTokenName[]) {
    console.log(`\nPost-quantum keys in ${name}`);
    const reason = needs(...TOKEN_NEEDS[name]);
    if (reason !== undefined) {
      console.log(`  left out: ${reason} (deno task lab deno task bench)`);
      continue;
    }
    using token = await labToken(name);
    for (const [variable, value] of Object.entries(token.env)) Deno.env.set(variable, value);
    for (const row of postQuantumRows()) await benchTokenRow(token, row, request);
  }
}

async function startUp(): Promise<void> {
  console.log("\nStart-up (median; ratio to deno run on an empty file)");
  await startupTable();
}

async function cose(): Promise<void> {
  console.log("\nTokens (CWT) with keys in SoftHSM2");
  const reason = needs("softhsm");
  if (reason !== undefined) return console.log(`  left out: ${reason}`);
  using token = softhsmToken({ label: "Bench" });
  token.useInProcess();
  await benchCose(token);
}

const PARTS: Readonly<Record<string, (request: IssueRequest) => Promise<void>>> = {
  classical,
  pqc: postQuantum,
  cose,
  start: startUp,
};

if (import.meta.main) {
  const unknown = Deno.args.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) {
    console.error(`bench: there is no part "${unknown}"; there are ${Object.keys(PARTS).join(", ")}`);
    Deno.exit(2);
  }
  const request = await leafRequest();
  console.log(`${navigator.hardwareConcurrency} processors, ${SECONDS} s a figure`);
  for (const [name, part] of Object.entries(PARTS)) {
    if (Deno.args.length === 0 || Deno.args.includes(name)) await part(request);
  }
}
