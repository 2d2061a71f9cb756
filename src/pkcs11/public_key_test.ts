import assert from "node:assert/strict";
import { withStandard } from "../../drivers/mod.ts";
import opencryptoki from "../../drivers/opencryptoki.ts";
import { standard } from "../../drivers/standard.ts";
import { quantumProtect } from "../../drivers/utimaco.ts";
import { findKeyRow, keyRows } from "../alg/find.ts";
import { bitString, octetString, oid, printableString } from "../asn1/der.ts";
import { type Bytes, concatBytes, decodeHex } from "../bytes.ts";
import { encodeSpki } from "../keys/spki.ts";
import { Attributes } from "./attributes.ts";
import { CKK } from "./constants.ts";
import { dialectsOf } from "./dialect.ts";
import { LP64, ulongBytes } from "./layout.ts";
import { readPublicKey } from "./public_key.ts";

// generator points of the curves: P-256 (SP 800-186 section 3.2.1.3), secp256k1 (SEC 2), the base point of edwards25519
const P256 = decodeHex(
  "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
);
const K256 = decodeHex(
  "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
);
const ED25519 = decodeHex("5866666666666666666666666666666666666666666666666666666666666666");
const P256_OID = oid("1.2.840.10045.3.1.7");

function half(values: Record<string, Uint8Array>): Attributes {
  const map = new Map(Object.entries(values).map(([name, value]) => [name, new Uint8Array(value) as Bytes]));
  return new Attributes(LP64, map);
}

Deno.test("an EC point is read raw and in an OCTET STRING", async () => {
  const spki = encodeSpki(findKeyRow("ecdsa-p256"), P256);
  for (const point of [P256, octetString(P256)]) {
    const facts = await readPublicKey(standard, CKK.CKK_EC, [half({ CKA_EC_PARAMS: P256_OID, CKA_EC_POINT: point })]);
    assert.deepEqual(facts.spki, spki);
    assert.equal(facts.row?.name, "ecdsa-p256");
    assert.match(facts.spkiSha256!, /^[0-9a-f]{64}$/);
  }
});

Deno.test("a raw point that happens to look like an OCTET STRING stays what it is", async () => {
  // 04 3f … is a raw point with an x that begins with 3f, and also an OCTET STRING of 63 bytes
  const odd = P256.slice();
  odd[1] = 63;
  const facts = await readPublicKey(standard, CKK.CKK_EC, [half({ CKA_EC_PARAMS: P256_OID, CKA_EC_POINT: odd })]);
  assert.match(facts.description, /not on the curve/);
});

Deno.test("an Edwards point is read raw, in an OCTET STRING and in a BIT STRING", async () => {
  const parameters = [oid("1.3.101.112"), printableString("edwards25519")];
  for (const params of parameters) {
    for (const point of [ED25519, octetString(ED25519), bitString(ED25519)]) {
      const attributes = half({ CKA_EC_PARAMS: params, CKA_EC_POINT: point });
      const facts = await readPublicKey(standard, CKK.CKK_EC_EDWARDS, [attributes]);
      assert.equal(facts.row?.name, "ed25519");
    }
  }
});

Deno.test("CKA_PUBLIC_KEY_INFO comes first, an empty or broken one is passed over", async () => {
  const spki = encodeSpki(findKeyRow("ecdsa-p256"), P256);
  const point = { CKA_EC_PARAMS: P256_OID, CKA_EC_POINT: P256 };
  for (const info of [spki, new Uint8Array(0), Uint8Array.of(0x30, 0x80, 1)]) {
    const facts = await readPublicKey(standard, CKK.CKK_EC, [half({ CKA_PUBLIC_KEY_INFO: info, ...point })]);
    assert.deepEqual(facts.spki, spki);
  }
});

Deno.test("a key without a row is described", async () => {
  const curve = await readPublicKey(standard, CKK.CKK_EC, [
    half({ CKA_EC_PARAMS: oid("1.3.132.0.10"), CKA_EC_POINT: octetString(K256) }),
  ]);
  assert.equal(curve.description, "EC secp256k1");
  assert.equal(curve.row, undefined);
  assert.ok(curve.spki);
  const modulus = concatBytes(Uint8Array.of(0xc1), new Uint8Array(127).fill(0xab));
  const rsa = await readPublicKey(standard, CKK.CKK_RSA, [
    half({ CKA_MODULUS: modulus, CKA_PUBLIC_EXPONENT: Uint8Array.of(0, 1, 0, 1) }),
  ]);
  assert.equal(rsa.description, "RSA 1024");
  const foreign = await readPublicKey(standard, CKK.CKK_DSA, [half({})]);
  assert.equal(foreign.description, "CKK_DSA (0x1), public key not readable");
  assert.equal((await readPublicKey(standard, undefined, [])).spki, undefined);
});

Deno.test("nonsense from the token makes no key", async () => {
  for (const point of [new Uint8Array(0), Uint8Array.of(4), Uint8Array.of(4, 0x82, 0xff), P256.slice(0, 40)]) {
    const facts = await readPublicKey(standard, CKK.CKK_EC, [half({ CKA_EC_PARAMS: P256_OID, CKA_EC_POINT: point })]);
    assert.equal(facts.spki, undefined);
    assert.match(facts.description, /not readable/);
  }
});

const ROWS = keyRows().filter(({ family }) => ["ml-dsa", "slh-dsa", "ml-kem"].includes(family));

Deno.test("a post-quantum key is read from CKA_VALUE; the parameter set tells those of one length apart", async () => {
  for (const row of ROWS) {
    const [dialect] = dialectsOf(standard, row);
    const value = new Uint8Array(row.publicKeyBytes).fill(5);
    const set = ulongBytes(LP64, dialect!.parameterSet!);
    const facts = await readPublicKey(standard, dialect!.keyType, [half({ CKA_VALUE: value, CKA_PARAMETER_SET: set })]);
    assert.equal(facts.row?.name, row.name);
    assert.deepEqual(facts.spki, encodeSpki(row, value));
    const bare = await readPublicKey(standard, dialect!.keyType, [half({ CKA_VALUE: value })]);
    assert.equal(bare.row?.name, row.family === "slh-dsa" ? undefined : row.name);
    const wrongSet = ulongBytes(LP64, dialect!.parameterSet! + 1);
    const wrong = await readPublicKey(standard, dialect!.keyType, [
      half({ CKA_VALUE: value, CKA_PARAMETER_SET: wrongSet }),
    ]);
    assert.notEqual(wrong.row?.name, row.name);
    for (const bad of [value.slice(1), new Uint8Array(row.publicKeyBytes + 1), new Uint8Array(0)]) {
      const facts = await readPublicKey(standard, dialect!.keyType, [half({ CKA_VALUE: bad, CKA_PARAMETER_SET: set })]);
      assert.equal(facts.spki, undefined);
      assert.match(facts.description, /not readable/);
    }
  }
});

Deno.test("a whole SubjectPublicKeyInfo in CKA_VALUE is read as one", async () => {
  const spki = encodeSpki(findKeyRow("ecdsa-p256"), P256);
  const facts = await readPublicKey(standard, CKK.CKK_EC, [half({ CKA_EC_PARAMS: P256_OID, CKA_VALUE: spki })]);
  assert.deepEqual(facts.spki, spki);
});

Deno.test("a vendor's attributes give the key: in parts, under another type, on the private half", async () => {
  const row = findKeyRow("ml-dsa-44");
  const value = new Uint8Array(row.publicKeyBytes).map((_, i) => i);
  const parts = { "0x800d0002": value.slice(0, 32), "0x800d0008": value.slice(32) };
  const ibm = withStandard(opencryptoki);
  const set = { "0x80010010": ulongBytes(LP64, 1) };
  assert.deepEqual((await readPublicKey(ibm, 0x80010025, [half({ ...parts, ...set })])).spki, encodeSpki(row, value));
  assert.equal((await readPublicKey(ibm, 0x80010025, [half({ "0x800d0002": value.slice(0, 32) })])).spki, undefined);
  const utimaco = withStandard(quantumProtect);
  for (const type of [0xc0a50001, 0x80000000]) {
    const facts = await readPublicKey(utimaco, type, [half({ "0x80d00001": value })]);
    assert.deepEqual(facts.spki, encodeSpki(row, value));
  }
  // both kinds of key are shown under this number: the length tells
  const kem = await readPublicKey(utimaco, 0x80000000, [half({ "0x80d00001": new Uint8Array(1184).fill(1) })]);
  assert.equal(kem.row?.name, "ml-kem-768");
});
