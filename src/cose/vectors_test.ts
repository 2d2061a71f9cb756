/** The examples of the COSE working group (tests/vectors/cose): what is to verify does, what is to fail fails as it should. */
import assert from "node:assert/strict";
import { findKeyRow } from "../alg/find.ts";
import { integer, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes, decodeHex, plainBytes } from "../bytes.ts";
import { encodeSpki } from "../keys/spki.ts";
import { readVectors } from "../../tests/support/vectors.ts";
import { CborTag, type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { claimProblems, decodeClaims } from "./cwt.ts";
import { parseMessage } from "./message.ts";
import { signedBy, sigPrefix } from "./sig_structure.ts";
import { checkSignature, payloadOf, type SignatureAnswer } from "./verify.ts";

type Key = Readonly<Record<string, string>>;

interface Signer {
  readonly key: Key;
  readonly external?: string;
}

interface Vector {
  readonly title: string;
  readonly input: { readonly sign0?: Signer; readonly sign?: { readonly signers: readonly Signer[] } };
  readonly intermediates: { readonly ToBeSign_hex?: string; readonly signers?: readonly { ToBeSign_hex: string }[] };
  readonly output: { readonly cbor: string };
}

interface ShortVector {
  readonly title: string;
  readonly fail?: true;
  readonly key: Key;
  readonly cbor: string;
}

const CURVES: Readonly<Record<string, string>> = { "P-256": "ecdsa-p256", Ed448: "ed448" };

function spkiOf(key: Key): Bytes {
  const field = (name: string) =>
    key[`${name}_hex`] === undefined
      ? plainBytes(Uint8Array.fromBase64(key[name]!, { alphabet: "base64url" }))
      : decodeHex(key[`${name}_hex`]!);
  if (key["kty"] === "RSA") {
    return encodeSpki(findKeyRow("rsa-2048"), sequence(integer(field("n")), integer(field("e"))));
  }
  const row = findKeyRow(CURVES[key["crv"]!]!);
  return encodeSpki(row, key["kty"] === "OKP" ? field("x") : concatBytes(Uint8Array.of(4), field("x"), field("y")));
}

async function check(
  cbor: Uint8Array,
  key: Key,
  options: { aad?: Bytes; allowUnprotectedAlgorithm?: boolean; expected?: "sign1" } = {},
): Promise<SignatureAnswer> {
  const message = parseMessage(cbor, options.expected ? { expected: options.expected } : {});
  const payload = payloadOf(message);
  return await checkSignature(message, message.signers[0]!, { spki: spkiOf(key), payload, ...options });
}

const saved = ["sign1-tests_sign-pass-01", "sign1-tests_sign-pass-02", "sign-tests_sign-pass-01"];

for (const name of saved) {
  Deno.test(`${name}: signed bytes and signature`, async () => {
    const { input, intermediates, output } = readVectors<Vector>(`cose/${name}.json`);
    const [signer] = input.sign0 ? [input.sign0] : input.sign!.signers;
    const message = parseMessage(decodeHex(output.cbor));
    const payload = payloadOf(message);
    const aad = signer!.external === undefined ? undefined : decodeHex(signer!.external);
    const signed = concatBytes(sigPrefix(signedBy(message, message.signers[0]!, aad), payload.length), payload.bytes!);
    const wanted = intermediates.ToBeSign_hex ?? intermediates.signers![0]!.ToBeSign_hex;
    assert.equal(signed.toHex(), wanted.toLowerCase());
    const isUnprotected = name === "sign1-tests_sign-pass-01";
    const strict = await check(decodeHex(output.cbor), signer!.key, aad ? { aad } : {});
    assert.equal(strict.valid, !isUnprotected);
    if (isUnprotected) assert.equal(strict.code, "cose.algorithm_unprotected");
    const lenient = { allowUnprotectedAlgorithm: true, ...(aad ? { aad } : {}) };
    assert.equal((await check(decodeHex(output.cbor), signer!.key, lenient)).valid, true);
    const other = await check(decodeHex(output.cbor), signer!.key, { ...lenient, aad: decodeHex("00") });
    assert.equal(other.code, "cose.signature_invalid");
  });
}

const more = readVectors<readonly ShortVector[]>("cose/more.json");

Deno.test("there are five more examples", () => assert.equal(more.length, 5));

for (const { title, key, cbor, fail } of more) {
  Deno.test(title, async () => {
    const answer = await check(decodeHex(cbor), key);
    // its salt has 64 bytes, and RFC 8230 section 2 demands as many as the hash has
    const isBad = fail || title.startsWith("RSA-PSS");
    assert.equal(answer.valid, !isBad);
    // SHA-512 on P-256 is right, and not the usual pair
    if (!isBad) assert.equal(answer.paired, !title.startsWith("ECDSA-sig-04"));
  });
}

Deno.test("the CWT example has times with a tag, which RFC 8392 forbids", () => {
  const { cbor } = more.find(({ title }) => title.startsWith("CWT"))!;
  assert.throws(() => decodeClaims(parseMessage(decodeHex(cbor)).payload!), { code: "cwt.claim" });
});

Deno.test("the signed token of RFC 8392 appendix A.3", async () => {
  const token = decodeHex(
    "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c652e636f6d" +
      "02656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f0" +
      "07420b7158405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01f859" +
      "51ecee743a52b9b63632c57209120e1c9e30",
  );
  const key = {
    kty: "EC",
    crv: "P-256",
    x_hex: "143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f",
    y_hex: "60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9",
  };
  assert.equal((await check(token, key)).valid, true);
  const claims = decodeClaims(parseMessage(token).payload!);
  assert.deepEqual([...claims.keys()], [1, 2, 3, 4, 5, 6, 7]);
  const wishes = { checkExp: true, iss: "coap://as.example.com", aud: "coap://light.example.com" };
  assert.deepEqual(claimProblems(claims, { ...wishes, now: new Date(1443944944_000) }), []);
  const [late] = claimProblems(claims, { ...wishes, now: new Date(1444064944_000) });
  assert.equal(late!.code, "cwt.expired");
});

/** The negative set of the working group: what it does to the passing example, and what must come of it. */
const MUTATIONS: readonly (readonly [name: string, mutate: (fields: CborValue[]) => CborValue, code: string])[] = [
  ["fail-01: another tag", (fields) => new CborTag(998, fields), "cose.tag"],
  [
    "fail-02: another payload",
    (f) => tagged([f[0], f[1], text("This is the content?"), f[3]]),
    "cose.signature_invalid",
  ],
  ["fail-03: algorithm -999", (f) => tagged([alg(-999), f[1], f[2], f[3]]), "cose.algorithm_unknown"],
  ["fail-04: algorithm by name", (f) => tagged([alg("unknown"), f[1], f[2], f[3]]), "cose.algorithm_unknown"],
  ["fail-06: a header more", (f) => tagged([alg(-7, [3, 0]), f[1], f[2], f[3]]), "cose.signature_invalid"],
  ["fail-07: a header less", (f) => tagged([new Uint8Array(0), f[1], f[2], f[3]]), "cose.algorithm_missing"],
];

function tagged(fields: readonly CborValue[]): CborValue {
  return new CborTag(18, fields);
}

function text(content: string): Bytes {
  return new TextEncoder().encode(content);
}

function alg(id: CborValue, ...others: readonly (readonly [number, number])[]): Bytes {
  return encodeCbor(new Map<CborValue, CborValue>([[1, id], ...others]));
}

for (const [name, mutate, code] of MUTATIONS) {
  Deno.test(`sign1-tests, ${name}`, async () => {
    const { input, output } = readVectors<Vector>("cose/sign1-tests_sign-pass-02.json");
    const { value } = decodeCbor(decodeHex(output.cbor)) as CborTag;
    const cbor = encodeCbor(mutate([...value as CborValue[]]));
    const aad = decodeHex(input.sign0!.external!);
    const answer = await check(cbor, input.sign0!.key, { aad }).catch((error) => error as { code: string });
    assert.equal(answer.code, code);
  });
}

Deno.test("sign1-tests, pass-03: without tag, where the context says what it is", async () => {
  const { input, output } = readVectors<Vector>("cose/sign1-tests_sign-pass-02.json");
  const bytes = decodeHex(output.cbor).subarray(1);
  const aad = decodeHex(input.sign0!.external!);
  assert.equal((await check(bytes, input.sign0!.key, { aad, expected: "sign1" })).valid, true);
  assert.throws(() => parseMessage(bytes), { code: "cose.untagged" });
  assert.throws(() => parseMessage(concatBytes(decodeHex("d83d"), bytes), { expected: "sign1" }), { code: "cose.tag" });
});
