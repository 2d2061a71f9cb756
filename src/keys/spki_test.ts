import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import { ed448 } from "@noble/curves/ed448.js";
import { findKeyRow, type KeyRow, keyRows, partsOf } from "../alg/find.ts";
import { bitString, integer, nullDer, oid, sequence } from "../asn1/der.ts";
import { type Bytes, decodeHex, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { backEndOf } from "./back_end.ts";
import { isOnCurve, isSafeEdwardsKey } from "./curve.ts";
import { describeSpki, encodeKeyAlgorithm, encodeSpki, spkiFingerprint } from "./spki.ts";

const ALGORITHMS: Readonly<Record<string, string>> = {
  "ecdsa-p256": "301306072a8648ce3d020106082a8648ce3d030107",
  "ecdsa-p384": "301006072a8648ce3d020106052b81040022",
  "ecdsa-p521": "301006072a8648ce3d020106052b81040023",
  "ed25519": "300506032b6570",
  "ed448": "300506032b6571",
  "rsa-2048": "300d06092a864886f70d0101010500",
  "ml-dsa-44": "300b0609608648016503040311",
  "ml-dsa-65": "300b0609608648016503040312",
  "ml-dsa-87": "300b0609608648016503040313",
  "slh-dsa-sha2-128s": "300b0609608648016503040314",
  "slh-dsa-sha2-256f": "300b0609608648016503040319",
  "slh-dsa-shake-128s": "300b060960864801650304031a",
  "slh-dsa-shake-256f": "300b060960864801650304031f",
  "ml-kem-512": "300b0609608648016503040401",
  "ml-kem-1024": "300b0609608648016503040403",
  "mldsa44-rsa2048-pss-sha256": "300a06082b06010505070625",
  "mldsa87-ecdsa-p521-sha512": "300a06082b06010505070636",
};
const SIZES: Readonly<Record<string, number>> = {
  "ecdsa-p256": 91,
  "ecdsa-p384": 120,
  "ecdsa-p521": 158,
  "ed25519": 44,
  "ed448": 69,
  "rsa-2048": 294,
  "rsa-3072": 422,
  "rsa-4096": 550,
  "brainpool-p256r1": 92,
  "brainpool-p384r1": 124,
  "ml-dsa-44": 1334,
  "ml-dsa-65": 1974,
  "ml-dsa-87": 2614,
  "ml-kem-512": 822,
  "ml-kem-768": 1206,
  "ml-kem-1024": 1590,
};

/** Length of a SubjectPublicKeyInfo: of the table, or by the strength (SLH-DSA), or of both parts (composite). */
function spkiBytes(row: KeyRow): number {
  const known = SIZES[row.name] ?? (row.family === "slh-dsa" ? 18 + row.publicKeyBytes : undefined);
  if (known !== undefined) return known;
  const { pqc, classical } = partsOf(row)!;
  const rsa: Readonly<Record<number, number>> = { 2048: 270, 3072: 398, 4096: 526 };
  return pqc.publicKeyBytes + (rsa[classical.modulusBits] ?? classical.publicKeyBytes) + 21;
}

Deno.test("every row: SPKI has the standard's bytes and is recognised", async () => {
  for (const row of keyRows()) {
    const { publicKey } = await backEndOf(row).generate(row);
    const spki = encodeSpki(row, publicKey);
    assert.equal(spki.length, spkiBytes(row), row.name);
    if (ALGORITHMS[row.name]) assert.equal(encodeKeyAlgorithm(row).toHex(), ALGORITHMS[row.name]);
    const info = describeSpki(spki);
    assert.equal(info.row, row);
    assert.equal(info.description, row.label);
    assert.deepEqual(info.publicKey, publicKey);
    assert.equal(info.rsa?.modulusBits ?? 0, row.modulusBits);
    assert.match(await spkiFingerprint(spki), /^[0-9a-f]{64}$/);
    await truncationsAndFlips(spki);
  }
});

async function truncationsAndFlips(spki: Bytes): Promise<void> {
  for (let length = 0; length < spki.length; length += spki.length > 600 ? 13 : 1) {
    assert.throws(() => describeSpki(spki.subarray(0, length)), InputError);
  }
  for (let bit = 0; bit < spki.length * 8; bit += spki.length > 600 ? 131 : spki.length > 200 ? 7 : 1) {
    const flipped = spki.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      describeSpki(flipped);
    } catch (error) {
      assert.ok(error instanceof InputError, String(error));
    }
  }
  await Promise.resolve();
}

function point(hex: string, curve = "1.2.840.10045.3.1.7"): Bytes {
  return sequence(sequence(oid("1.2.840.10045.2.1"), oid(curve)), bitString(decodeHex(hex)));
}

Deno.test("public keys that cannot be one are refused", () => {
  const valid = findKeyRow("ecdsa-p256");
  const g =
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
  assert.equal(describeSpki(point(`04${g}`)).row, valid);
  const p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
  const cases: [string, RegExp][] = [
    [`04${g.slice(0, -1)}4`, /not on the curve/],
    [`04${"00".repeat(64)}`, /not on the curve/],
    [`04${p}${"00".repeat(32)}`, /not on the curve/],
    [`02${g.slice(0, 64)}`, /compressed/],
    ["00", /uncompressed/],
    [`06${g}`, /uncompressed/],
    [`04${g}00`, /uncompressed/],
    ["", /uncompressed/],
  ];
  for (const [hex, reason] of cases) {
    assert.throws(() => describeSpki(point(hex)), (error: unknown) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.code, "key.invalid");
      return reason.test(error.message);
    });
  }
});

Deno.test("the table of low-order Edwards points is the library's", () => {
  for (const curve of [ed25519, ed448]) {
    const length = curve.lengths.publicKey!;
    assert.ok(isSafeEdwardsKey(curve.keygen().publicKey));
    let small = 0;
    const { Point } = curve;
    const cofactor = length === 32 ? 8n : 4n;
    for (let y = 0n; y < 2n; y++) assert.ok(!isSafeEdwardsKey(encodeY(y, length)));
    assert.ok(!isSafeEdwardsKey(encodeY(Point.Fp.ORDER - 1n, length)));
    assert.ok(!isSafeEdwardsKey(encodeY(Point.Fp.ORDER, length)), "not canonical");
    assert.ok(!isSafeEdwardsKey(encodeY(Point.Fp.ORDER + 1n, length)), "not canonical");
    for (let y = 2n; small < 3 && y < 200n; y++) {
      const point = pointOf(curve, encodeY(y, length));
      if (!point) continue;
      const torsion = point.multiplyUnsafe(Point.Fn.ORDER - 1n).add(point);
      if (torsion.is0()) continue;
      small++;
      assert.ok(torsion.multiplyUnsafe(cofactor).is0());
      assert.ok(!isSafeEdwardsKey(torsion.toBytes()), torsion.toHex());
      assert.ok(!isSafeEdwardsKey(torsion.negate().toBytes()));
    }
    assert.equal(small, 3);
  }
  assert.ok(!isSafeEdwardsKey(new Uint8Array(31)));
});

function pointOf(curve: typeof ed25519, bytes: Uint8Array): ReturnType<typeof ed25519.Point.fromBytes> | undefined {
  try {
    return curve.Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

function encodeY(y: bigint, length: number): Uint8Array {
  return Uint8Array.fromHex(y.toString(16).padStart(length * 2, "0")).reverse();
}

Deno.test("curve parameters: the library's points lie on our curves, their neighbours do not", async () => {
  for (const row of keyRows().filter((row) => row.family === "ecdsa")) {
    const { publicKey } = await backEndOf(row).generate(row);
    const curve = (row.spki.parameters as { curve: string }).curve;
    assert.ok(isOnCurve(curve, publicKey));
    publicKey[publicKey.length - 1]! ^= 1;
    assert.ok(!isOnCurve(curve, publicKey));
    assert.ok(!isOnCurve("1.2.3", publicKey));
  }
});

Deno.test("keys without a row are described in words", () => {
  const rsa = (bits: number) => {
    const modulus = new Uint8Array(bits / 8).fill(0xff);
    return bitString(sequence(integer(modulus), integer(65537)));
  };
  const cases: [Bytes, string][] = [
    [sequence(sequence(oid("1.2.840.113549.1.1.1"), nullDer()), rsa(1024)), "RSA 1024"],
    [sequence(sequence(oid("1.2.840.113549.1.1.10")), rsa(2048)), "RSA-PSS 2048"],
    [point("04", "1.3.132.0.10"), "EC secp256k1"],
    [point("04", "1.2.3.4"), "EC 1.2.3.4"],
    [
      sequence(sequence(oid("1.2.840.10045.2.1"), sequence()), bitString(plainBytes(new Uint8Array(1)))),
      "EC with explicit parameters",
    ],
    [sequence(sequence(oid("1.2.840.10040.4.1")), bitString(new Uint8Array(1))), "DSA"],
    [sequence(sequence(oid("1.3.101.110")), bitString(new Uint8Array(32))), "X25519"],
    [sequence(sequence(oid("1.3.101.112"), nullDer()), bitString(new Uint8Array(32))), "Ed25519"],
    [sequence(sequence(oid("1.2.3")), bitString(new Uint8Array(32))), "1.2.3"],
  ];
  for (const [spki, description] of cases) {
    const info = describeSpki(spki);
    assert.equal(info.row, undefined);
    assert.equal(info.description, description);
  }
  const even = bitString(sequence(integer(2n ** 1024n), integer(65537)));
  assert.throws(() => describeSpki(sequence(sequence(oid("1.2.840.113549.1.1.1"), nullDer()), even)), /must be odd/);
});
