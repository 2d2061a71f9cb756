import { CLAIM, encodeClaims } from "../../src/cose/cwt.ts";
import { bytesPayload } from "../../src/cose/payload.ts";
import { type CoseSigner, signMessage } from "../../src/cose/sign.ts";
import { runBatch } from "../../src/credential/cose_batch.ts";
import { openSigners } from "../../src/credential/cose_sign.ts";
import { findKeyRow } from "../../src/alg/find.ts";
import type { SoftHsmToken } from "../../tests/support/softhsm.ts";
import { type BenchToken, deps, inParallel, openToken, POOL, printFigure, SECONDS } from "./bench_world.ts";
import { count, rate } from "./measure.ts";

/** Signed tokens (CWT) a second beside bare C_Sign calls: claims, encoding, signature, verification, message. */

const ALGORITHMS = ["ecdsa-p256", "rsa-2048", "ed25519"];
/** Part of the raw rate that is aimed at. */
const AIM = 0.8;
/** Tokens that are made in one go. */
const BATCH = 256;

/** Prints a line for each algorithm, with one session and with a pool. */
export async function benchCose(token: SoftHsmToken & BenchToken): Promise<void> {
  const config = token.hsmYaml(`${token.folder}/cose.yaml`);
  for (const algorithm of ALGORITHMS) {
    const ref = { type: "pkcs11", config, label: `cose-${algorithm}` } as const;
    {
      await using provider = await openToken(token, config, 1);
      await provider.generate(findKeyRow(algorithm), ref);
    }
    for (const sessions of [1, POOL]) {
      const raw = await rawRate(token, { config, sessions, ref });
      const world = deps(token.folder, () => openToken(token, config, sessions));
      const wishes = { kind: "sign1", algorithms: [], privateUse: false, includeCertificates: false } as const;
      const source = { provider: { type: "pkcs11", config }, ref, written: algorithm } as const;
      await using opened = await openSigners({ credentials: [], certificates: [], keys: [source] }, wishes, world);
      const tokens = await tokenRate(opened.signers, world);
      const name = `${algorithm}, ${sessions === 1 ? "one session" : `pool of ${sessions}`}`;
      printFigure({ name, raw, rate: tokens, unit: "tokens", aim: AIM });
    }
  }
}

type RawKey = Readonly<{ config: string; sessions: number; ref: { type: "pkcs11"; config: string; label: string } }>;

async function rawRate(token: BenchToken, { config, sessions, ref }: RawKey): Promise<number> {
  await using provider = await openToken(token, config, sessions);
  if (sessions === 1) return await provider.withRawSigner(ref, (signer) => rate(SECONDS, () => signer.sync()));
  return await count(
    SECONDS,
    async (stop) =>
      await inParallel(sessions, () =>
        provider.withRawSigner(ref, async (signer) => {
          let signed = 0;
          for (; !stop(); signed++) await signer.async();
          return signed;
        })),
  );
}

async function tokenRate(signers: readonly CoseSigner[], world: ReturnType<typeof deps>): Promise<number> {
  let serial = 0;
  const sign = () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = new Map<number, number | string>([
      ...[[CLAIM.ISS, "issuer.test"], [CLAIM.SUB, `device-${serial++}`]] as [number, string][],
      ...[[CLAIM.EXP, now + 3600], [CLAIM.IAT, now]] as [number, number][],
    ]);
    return signMessage({ kind: "sign1", cwt: true, payload: bytesPayload(encodeClaims(claims)), signers });
  };
  const items = Array.from({ length: BATCH }, (_, i) => i);
  const batch = async () => {
    for (const result of await runBatch(items, sign, { deps: world })) if ("error" in result) throw result.error;
  };
  await batch();
  return await count(SECONDS, async (stop) => {
    let signed = 0;
    for (; !stop(); signed += BATCH) await batch();
    return signed;
  });
}
