import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow, keyRows } from "../alg/find.ts";
import { plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { generateSoftwareKey } from "../keys/software.ts";
import { coseSchemeOf, matchAlgorithm } from "./algorithm.ts";
import { CborTag, type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { LABEL } from "./headers.ts";
import { parseMessage } from "./message.ts";
import { bytesPayload, type Payload } from "./payload.ts";
import { type CoseSigner, signMessage, type SignRequest } from "./sign.ts";
import { checkSignature, payloadOf } from "./verify.ts";

const CONTENT = new TextEncoder().encode("This is the content.");
/** Their siblings stand for them. */
const SLOW = /^(slh-dsa-.*(s|192f|256f)|rsa-4096)$/;

async function signerOf(name: string): Promise<CoseSigner> {
  const key = await generateSoftwareKey(findKeyRow(name));
  const { scheme, algorithm } = coseSchemeOf(key.algorithm, { privateUse: true });
  return { signer: key.signer(scheme), algorithm, kid: CONTENT };
}

/** A payload that is not in memory. */
function streamed(bytes: Uint8Array<ArrayBuffer>): Payload {
  return {
    length: bytes.length,
    async *pieces() {
      for (const octet of bytes) yield await Promise.resolve(Uint8Array.of(octet));
    },
  };
}

const one = (signer: CoseSigner, more: Partial<SignRequest> = {}): SignRequest => ({
  kind: "sign1",
  payload: bytesPayload(CONTENT),
  signers: [signer],
  ...more,
});

for (const row of keyRows().filter(({ name }) => !SLOW.test(name))) {
  if (row.kind !== "signature" || row.parts) {
    Deno.test(`${row.name} has no COSE algorithm, and says so`, () => {
      assert.throws(() => coseSchemeOf(row, { privateUse: true }), InputError);
    });
    continue;
  }
  Deno.test(`${row.name}: COSE_Sign1 and COSE_Sign, embedded and detached`, async () => {
    const signer = await signerOf(row.name);
    const { spki } = signer.signer;
    for (const kind of ["sign1", "sign"] as const) {
      for (const detached of [false, true]) {
        const aad = detached ? CONTENT : undefined;
        const bytes = await signMessage(one(signer, { kind, detached, ...(aad ? { aad } : {}) }));
        decodeCbor(bytes, { deterministic: true });
        const message = parseMessage(bytes, { deterministic: true });
        assert.equal(message.payload === undefined, detached);
        const [part] = message.signers;
        const payload = payloadOf(message, detached ? bytesPayload(CONTENT) : undefined);
        const answer = await checkSignature(message, part!, { spki, payload, aad });
        assert.deepEqual([answer.valid, answer.paired], [true, true]);
        assert.equal(part!.headers.protected.get(LABEL.ALG), signer.algorithm.id);
        const wrong = await checkSignature(message, part!, { spki, payload: bytesPayload(spki), aad });
        assert.equal(wrong.code, "cose.signature_invalid");
        const damaged = { ...part!, signature: plainBytes(part!.signature.with(5, part!.signature[5]! ^ 1)) };
        assert.equal((await checkSignature(message, damaged, { spki, payload, aad })).valid, false);
        const short = { ...part!, signature: part!.signature.subarray(1) };
        assert.equal((await checkSignature(message, short, { spki, payload, aad })).valid, false);
      }
    }
  });
}

Deno.test("each number of the registry means one scheme for a key", () => {
  const expected: Readonly<Record<string, readonly (readonly [number, string])[]>> = {
    "ecdsa-p256": [[-7, "ecdsa-sha256"], [-9, "ecdsa-sha256"], [-35, "ecdsa-sha384"], [-36, "ecdsa-sha512"]],
    "ecdsa-p384": [[-35, "ecdsa-sha384"], [-51, "ecdsa-sha384"], [-7, "ecdsa-sha256"]],
    "ecdsa-p521": [[-36, "ecdsa-sha512"], [-52, "ecdsa-sha512"]],
    "brainpool-p256r1": [[-265, "ecdsa-sha256"]],
    "brainpool-p384r1": [[-267, "ecdsa-sha384"]],
    ed25519: [[-8, "ed25519"], [-19, "ed25519"]],
    ed448: [[-8, "ed448"], [-53, "ed448"]],
    "rsa-3072": [[-37, "rsa-pss-sha256"], [-38, "rsa-pss-sha384"], [-39, "rsa-pss-sha512"], [-257, "rsa-pkcs1-sha256"]],
    "ml-dsa-44": [[-48, "ml-dsa-44"]],
    "ml-dsa-65": [[-49, "ml-dsa-65"]],
    "ml-dsa-87": [[-50, "ml-dsa-87"]],
    "slh-dsa-sha2-128s": [[-70020, "slh-dsa-sha2-128s"], [-51, "slh-dsa-sha2-128s"]],
    "slh-dsa-shake-128s": [[-70026, "slh-dsa-shake-128s"], [-52, "slh-dsa-shake-128s"]],
    "slh-dsa-shake-256f": [[-70031, "slh-dsa-shake-256f"]],
  };
  for (const [name, numbers] of Object.entries(expected)) {
    const row = findKeyRow(name);
    for (const [id, scheme] of numbers) {
      const match = matchAlgorithm(id, row);
      assert.ok("scheme" in match, `${name} ${id}`);
      assert.equal(match.scheme, findSchemeRow(scheme));
    }
  }
  const refused: [string, number][] = [["ecdsa-p384", -9], ["ecdsa-p256", -51], ["ecdsa-p256", -265], ["ed25519", -53]];
  for (
    const [name, id] of [...refused, ["ml-dsa-44", -49], ["rsa-2048", -7], ["ecdsa-p256", -8]] as [string, number][]
  ) {
    assert.ok("code" in matchAlgorithm(id, findKeyRow(name)), `${name} ${id}`);
  }
});

Deno.test("SLH-DSA signs with a number for private use only when that is asked for", () => {
  assert.throws(() => coseSchemeOf(findKeyRow("slh-dsa-sha2-128f")), { code: "cose.unregistered" });
  assert.equal(coseSchemeOf(findKeyRow("slh-dsa-sha2-128f"), { privateUse: true }).algorithm.id, -70021);
});

Deno.test("a payload that is not in memory gives the same message, where the algorithm allows it", async () => {
  for (const name of ["ecdsa-p384", "rsa-2048", "ml-dsa-65"]) {
    const signer = await signerOf(name);
    const bytes = await signMessage(one(signer, { payload: streamed(CONTENT), detached: true }));
    const message = parseMessage(bytes);
    for (const payload of [bytesPayload(CONTENT), streamed(CONTENT)]) {
      const { valid } = await checkSignature(message, message.signers[0]!, { spki: signer.signer.spki, payload });
      assert.equal(valid, true, name);
    }
  }
  for (const name of ["ed25519", "slh-dsa-shake-128f"]) {
    const request = one(await signerOf(name), { payload: streamed(CONTENT), detached: true });
    await assert.rejects(signMessage(request), { code: "cose.whole_message" });
  }
});

Deno.test("a file that changes between signature and verification leaves no message", async () => {
  let turn = 0;
  const payload: Payload = {
    length: 1,
    async *pieces() {
      yield await Promise.resolve(Uint8Array.of(turn++));
    },
  };
  const request = one(await signerOf("ecdsa-p256"), { payload, detached: true });
  await assert.rejects(signMessage(request), { code: "cose.unverified" });
});

const EMPTY: CborValue = new Uint8Array(0);

function protectedOf(...entries: readonly (readonly [CborValue, CborValue])[]): CborValue {
  return encodeCbor(new Map(entries));
}

const map = (...entries: readonly (readonly [CborValue, CborValue])[]) => new Map(entries);

const STRUCTURES: readonly (readonly [what: string, value: CborValue, code: string])[] = [
  ["no list", new CborTag(18, 0), "cose.structure"],
  ["three fields", new CborTag(18, [EMPTY, map(), null]), "cose.structure"],
  ["five fields", new CborTag(18, [EMPTY, map(), null, EMPTY, EMPTY]), "cose.structure"],
  ["payload is text", new CborTag(18, [EMPTY, map(), "x", EMPTY]), "cose.structure"],
  ["signature is a list", new CborTag(18, [EMPTY, map(), null, []]), "cose.structure"],
  ["no signers", new CborTag(98, [EMPTY, map(), null, []]), "cose.structure"],
  ["signers are bytes", new CborTag(98, [EMPTY, map(), null, EMPTY]), "cose.structure"],
  ["a signer of two", new CborTag(98, [EMPTY, map(), null, [[EMPTY, map()]]]), "cose.structure"],
  ["33 signers", new CborTag(98, [EMPTY, map(), null, Array(33).fill([EMPTY, map(), EMPTY])]), "cose.structure"],
  ["protected is a map", new CborTag(18, [map(), map(), null, EMPTY]), "cose.header"],
  ["protected is no map", new CborTag(18, [encodeCbor([]), map(), null, EMPTY]), "cose.header"],
  ["unprotected is bytes", new CborTag(18, [EMPTY, EMPTY, null, EMPTY]), "cose.header"],
  ["alg is bytes", new CborTag(18, [protectedOf([1, EMPTY]), map(), null, EMPTY]), "cose.header"],
  ["kid is text", new CborTag(18, [EMPTY, map([4, "x"]), null, EMPTY]), "cose.header"],
  ["a label is bytes", new CborTag(18, [EMPTY, map([EMPTY, 1]), null, EMPTY]), "cose.header"],
  ["in both buckets", new CborTag(18, [protectedOf([4, EMPTY]), map([4, EMPTY]), null, EMPTY]), "cose.header"],
  ["x5chain of one", new CborTag(18, [EMPTY, map([33, [EMPTY]]), null, EMPTY]), "cose.header"],
  ["x5t of one", new CborTag(18, [EMPTY, map([34, [EMPTY]]), null, EMPTY]), "cose.header"],
  ["crit unprotected", new CborTag(18, [EMPTY, map([2, [1]], [1, -7]), null, EMPTY]), "cose.header"],
  ["crit empty", new CborTag(18, [protectedOf([2, []]), map(), null, EMPTY]), "cose.header"],
  ["crit names what is not there", new CborTag(18, [protectedOf([2, [3]]), map(), null, EMPTY]), "cose.header"],
  ["crit unknown", new CborTag(18, [protectedOf([2, [99]], [99, 1]), map(), null, EMPTY]), "cose.crit"],
  ["crit unknown text", new CborTag(18, [protectedOf([2, ["x"]], ["x", 1]), map(), null, EMPTY]), "cose.crit"],
  ["a Mac0", new CborTag(17, [EMPTY, map(), null, EMPTY]), "cose.tag"],
  ["61 on what has no tag", new CborTag(61, [EMPTY, map(), null, EMPTY]), "cose.tag"],
  ["61 twice", new CborTag(61, new CborTag(61, new CborTag(18, [EMPTY, map(), null, EMPTY]))), "cose.tag"],
  ["18 twice", new CborTag(18, new CborTag(18, [EMPTY, map(), null, EMPTY])), "cose.structure"],
  ["no tag", [EMPTY, map(), null, EMPTY], "cose.untagged"],
  ["a number", 1, "cose.structure"],
];

Deno.test("what is no signed message is an InputError with a code of its own", () => {
  for (const [what, value, code] of STRUCTURES) {
    assert.throws(() => parseMessage(encodeCbor(value)), (error: InputError) => {
      assert.ok(error instanceof InputError, what);
      assert.equal(error.code, code, what);
      return true;
    });
  }
  // critical headers that are understood
  parseMessage(encodeCbor(new CborTag(18, [protectedOf([1, -7], [2, [1, 3]], [3, 0]), map(), null, EMPTY])));
  const inside = encodeCbor(new CborTag(18, [EMPTY, map(), null, EMPTY]));
  parseMessage(encodeCbor(new CborTag(55799, decodeCbor(inside))));
});
