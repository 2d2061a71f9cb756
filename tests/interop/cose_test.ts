/**
 * COSE against two other implementations, go-cose and, in Python, pycose and cwt: what we sign they verify and what they
 * sign we verify, for every algorithm that they know, with and without external data, embedded and detached; and what is
 * damaged both refuse. Keys go to and fro as SubjectPublicKeyInfo and as COSE_Key.
 */
import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow, type KeyRow } from "../../src/alg/find.ts";
import type { CoseAlgorithm } from "../../src/alg/registry.ts";
import { type Bytes, decodeHex, encodeHex } from "../../src/bytes.ts";
import { decodeCoseKey, encodeCoseKey } from "../../src/cose/cose_key.ts";
import { CLAIM, decodeClaims, encodeClaims } from "../../src/cose/cwt.ts";
import { type MessageKind, parseMessage } from "../../src/cose/message.ts";
import { bytesPayload } from "../../src/cose/payload.ts";
import { type CoseSigner, signMessage } from "../../src/cose/sign.ts";
import { checkSignature, payloadOf } from "../../src/cose/verify.ts";
import { generateSoftwareKey, type SoftwareKey } from "../../src/keys/software.ts";
import { ROOT, run } from "../support/cli.ts";
import { coseJudge, testWith } from "../support/require.ts";

const CONTENT = new TextEncoder().encode("This is the content.");
const AAD = decodeHex("11aa22bb33cc44dd55006699");

/** COSE algorithms by name, with a key row for each. */
const KEYS: Readonly<Record<string, string>> = {
  ES256: "ecdsa-p256",
  ES384: "ecdsa-p384",
  ES512: "ecdsa-p521",
  ESP256: "ecdsa-p256",
  ESP384: "ecdsa-p384",
  ESP512: "ecdsa-p521",
  EdDSA: "ed25519",
  "EdDSA, Ed448": "ed448",
  Ed25519: "ed25519",
  Ed448: "ed448",
  PS256: "rsa-2048",
  PS384: "rsa-2048",
  PS512: "rsa-2048",
};

type Task = Readonly<Record<string, unknown>>;

interface Answer {
  readonly result?: unknown;
  readonly error?: string;
}

interface Judge {
  readonly need: "python-cose" | "go-cose";
  readonly algorithms: readonly string[];
  /** What every task for it says. */
  readonly more: Task;
  readonly command: readonly string[];
}

const python = [coseJudge("python-cose"), `${ROOT}/tests/interop/judge/cose_judge.py`];
const CLASSICAL = ["ES256", "ES384", "ES512", "EdDSA", "EdDSA, Ed448", "PS256", "PS384", "PS512"];
const SPECIFIED = ["ESP256", "ESP384", "ESP512", "Ed25519", "Ed448"];

const GO: Judge = {
  need: "go-cose",
  algorithms: CLASSICAL.filter((name) => !name.includes("448")),
  more: {},
  command: [coseJudge("go-cose")],
};
const PYCOSE: Judge = { need: "python-cose", algorithms: CLASSICAL, more: { library: "pycose" }, command: python };
const CWT: Judge = {
  need: "python-cose",
  algorithms: [...CLASSICAL, ...SPECIFIED],
  more: { library: "cwt" },
  command: python,
};

/** Answers of a judge, one a task. */
async function ask({ command, more }: Judge, tasks: readonly Task[]): Promise<Answer[]> {
  const [program, ...args] = command as [string, ...string[]];
  const stdin = tasks.map((task) => `${JSON.stringify({ ...task, ...more })}\n`).join("");
  const { code, stdout, stderr } = await run(program, args, { stdin });
  assert.equal(code, 0, stderr);
  const answers = stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as Answer);
  assert.equal(answers.length, tasks.length, stderr);
  return answers;
}

interface OurKey extends CoseSigner {
  readonly key: SoftwareKey;
  readonly name: string;
}

async function ourKey(title: string): Promise<OurKey> {
  const row: KeyRow = findKeyRow(KEYS[title]!);
  const name = title.split(",")[0]!;
  const key = await generateSoftwareKey(row);
  for (const scheme of row.schemes.map(findSchemeRow)) {
    const algorithm: CoseAlgorithm | undefined = scheme.cose?.find((one) => one.name === name);
    if (algorithm) return { key, name, signer: key.signer(scheme), algorithm, kid: new TextEncoder().encode("kid") };
  }
  throw new Error(`${row.name} does not do ${name}`);
}

/** The facts that a judge gets of a key: as SubjectPublicKeyInfo for Go, as COSE_Key for Python. */
function keyOf({ need }: Judge, spki: Bytes): string {
  return encodeHex(need === "go-cose" ? spki : encodeCoseKey({ spki }));
}

async function privateCoseKey({ key }: OurKey): Promise<string> {
  return encodeHex(encodeCoseKey({ spki: key.spki, pkcs8: await key.encode({ format: "der" }) }));
}

function damaged(message: Bytes): Bytes {
  return message.with(message.length - 3, message.at(-3)! ^ 1) as Bytes;
}

for (const judge of [GO, PYCOSE]) {
  const title = judge === GO ? "go-cose" : "pycose";
  testWith(`${title} verifies what we sign: ${judge.algorithms.join(", ")}`, { needs: [judge.need] }, async () => {
    const tasks: (Task & { good: boolean; what: string })[] = [];
    for (const name of judge.algorithms) {
      const signer = await ourKey(name);
      for (const kind of ["sign1", "sign"] as const) {
        for (const detached of [false, true]) {
          const aad = detached ? AAD : undefined;
          const message = await signMessage({
            kind,
            payload: bytesPayload(CONTENT),
            detached,
            signers: [signer],
            ...(aad ? { aad } : {}),
          });
          for (const good of [true, false]) {
            tasks.push({
              do: "verify",
              kind,
              algorithm: signer.name,
              message: encodeHex(good ? message : damaged(message)),
              key: keyOf(judge, signer.key.spki),
              aad: encodeHex(aad ?? new Uint8Array()),
              ...(detached ? { content: encodeHex(CONTENT) } : {}),
              good,
              what: `${name} ${kind} ${detached ? "detached" : "embedded"} ${good ? "good" : "damaged"}`,
            });
          }
        }
      }
    }
    const answers = await ask(judge, tasks);
    for (const [i, { good, what }] of tasks.entries()) {
      assert.equal(
        answers[i]!.error === undefined && answers[i]!.result === true,
        good,
        `${what}: ${answers[i]!.error}`,
      );
    }
    assert.equal(tasks.length, judge.algorithms.length * 8);
  });

  testWith(`we verify what ${title} signs: ${judge.algorithms.join(", ")}`, { needs: [judge.need] }, async () => {
    const tasks: (Task & { kind: MessageKind; what: string; spki?: Bytes })[] = [];
    for (const name of judge.algorithms) {
      const ours = await ourKey(name);
      for (const kind of ["sign1", "sign"] as const) {
        tasks.push({
          do: "sign",
          kind,
          algorithm: judge === PYCOSE ? PYCOSE_NAMES[ours.name] ?? ours.name.toUpperCase() : ours.name,
          key: await privateCoseKey(ours),
          content: encodeHex(CONTENT),
          aad: encodeHex(AAD),
          kid: "11",
          what: `${name} ${kind}`,
          spki: ours.key.spki,
        });
      }
    }
    const answers = await ask(judge, tasks.map(({ spki: _, ...task }) => task));
    for (const [i, { kind, what, spki }] of tasks.entries()) {
      const { result, error } = answers[i]!;
      assert.equal(error, undefined, `${what}: ${error}`);
      const made = typeof result === "string"
        ? { message: result, key: encodeHex(spki!) }
        : result as Record<string, string>;
      const bytes = decodeHex(made["message"]!);
      const key = decodeHex(made["key"]!);
      for (const good of [true, false]) {
        const message = parseMessage(good ? bytes : damaged(bytes), { expected: kind });
        const check = { spki: key, payload: payloadOf(message), aad: AAD };
        const { valid } = await checkSignature(message, message.signers[0]!, check);
        assert.equal(valid, good, `${what} ${good ? "good" : "damaged"}`);
      }
    }
  });
}

/** What pycose calls them. */
const PYCOSE_NAMES: Readonly<Record<string, string>> = { EdDSA: "EDDSA" };

testWith(`cwt reads our tokens and we read its: ${CWT.algorithms.join(", ")}`, { needs: ["python-cose"] }, async () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = new Map<number, string | number | Bytes>([
    ...[[CLAIM.ISS, "issuer"], [CLAIM.SUB, "subject"], [CLAIM.AUD, "audience"]] as [number, string][],
    ...[[CLAIM.EXP, now + 3600], [CLAIM.NBF, now - 10], [CLAIM.IAT, now - 10]] as [number, number][],
    [CLAIM.CTI, decodeHex("0b71")],
    [-70000, 5],
  ]);
  const keys = await Promise.all(CWT.algorithms.map(ourKey));
  const payload = bytesPayload(encodeClaims(claims));
  const read = await Promise.all(keys.map(async (signer) => ({
    do: "verify",
    kind: "cwt",
    id: signer.algorithm.id,
    key: keyOf(CWT, signer.key.spki),
    kid: encodeHex(signer.kid!),
    message: encodeHex(await signMessage({ kind: "sign1", cwt: true, payload, signers: [signer] })),
  })));
  for (const [i, { result, error }] of (await ask(CWT, read)).entries()) {
    const expected = [...claims].map(([label, value]) => [String(label), value instanceof Uint8Array ? "0b71" : value]);
    assert.deepEqual(result, Object.fromEntries(expected), `${CWT.algorithms[i]}: ${error}`);
  }
  const stated = { "1": "issuer", "2": "subject", "4": now + 3600, "5": now - 10, "6": now - 10 };
  const write = await Promise.all(keys.map(async (signer) => ({
    do: "sign",
    kind: "cwt",
    id: signer.algorithm.id,
    key: await privateCoseKey(signer),
    claims: stated,
  })));
  for (const [i, { result, error }] of (await ask(CWT, write)).entries()) {
    assert.equal(error, undefined, `${CWT.algorithms[i]}: ${error}`);
    const message = parseMessage(decodeHex(result as string));
    assert.ok(message.cwt);
    const check = { spki: keys[i]!.key.spki, payload: payloadOf(message) };
    assert.equal((await checkSignature(message, message.signers[0]!, check)).valid, true, CWT.algorithms[i]);
    assert.equal(decodeClaims(message.payload!).get(CLAIM.ISS), "issuer");
  }
});

Deno.test("the keys that the judges get are COSE_Keys that we read", async () => {
  const { key } = await ourKey("ES512");
  assert.deepEqual(decodeCoseKey(encodeCoseKey({ spki: key.spki })).spki, key.spki);
});
