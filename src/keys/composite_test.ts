import assert from "node:assert/strict";
import { readVectors } from "../../tests/support/vectors.ts";
import {
  defaultScheme,
  findCompositeRow,
  findKeyRow,
  findSchemeRow,
  type KeyRow,
  keyRows,
  partsOf,
} from "../alg/find.ts";
import { bitString, integer, octetString, readBitOctets, readDer, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes, decodeBase64, encodeHex, Secret } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { backEndOf } from "./back_end.ts";
import { compositeSigner, compositeSpki, splitCompositeSpki } from "./composite.ts";
import { compositeMessage, labelOf, partSchemes } from "./joint.ts";
import { decodePrivateKey, encodePrivateKey } from "./pkcs8.ts";
import { decodeScheme } from "./scheme.ts";
import { generateSoftwareKey, openSoftwareKey, SoftwareKey } from "./software.ts";
import { describeSpki, encodeKeyAlgorithm, encodeSpki } from "./spki.ts";
import { proveSigner, verifySignature } from "./verify.ts";

/** Composite ML-DSA against the vectors of draft-ietf-lamps-pq-composite-sigs, and what must fail. */

interface CompositeVector {
  readonly tcId: string;
  readonly pk: string;
  readonly x5c: string;
  readonly sk: string;
  readonly sk_pkcs8: string;
  readonly s: string;
  readonly sWithContext: string;
}

const VECTORS = readVectors<{ m: string; ctx: string; tests: CompositeVector[] }>("composite-mldsa.json");
const M = decodeBase64(VECTORS.m);
const CTX = decodeBase64(VECTORS.ctx);
const COMPOSITE = keyRows().filter(({ parts }) => parts !== undefined);

function rowOf({ tcId }: CompositeVector): KeyRow {
  return findKeyRow(tcId.replace(/^id-/, ""));
}

/** The vector of a row, its values decoded. */
function vectorOf(row: KeyRow) {
  const vector = VECTORS.tests.find((test) => rowOf(test) === row)!;
  const scheme = defaultScheme(row);
  const spki = encodeSpki(row, decodeBase64(vector.pk));
  return { scheme, spki, s: decodeBase64(vector.s), withContext: decodeBase64(vector.sWithContext), vector };
}

Deno.test("every vector: both signatures, the certificate, the private key", async (t) => {
  let count = 0;
  for (const vector of VECTORS.tests) {
    await t.step(vector.tcId, async () => {
      const row = rowOf(vector);
      const { scheme, spki, s, withContext } = vectorOf(row);
      const check = { spki, scheme, message: M };
      assert.equal(await verifySignature({ ...check, signature: s }), true);
      assert.equal(await verifySignature({ ...check, signature: withContext, context: CTX }), true);
      assert.equal(await verifySignature({ ...check, signature: withContext }), false, "context forgotten");
      assert.equal(await verifySignature({ ...check, signature: s, context: CTX }), false, "context too many");
      assert.equal(await verifySignature({ ...check, signature: withContext, context: CTX.subarray(1) }), false);
      await checkCertificate(decodeBase64(vector.x5c), spki);
      await checkPrivateKey(vector, spki);
    });
    count++;
  }
  assert.equal(count, 21);
  assert.deepEqual(VECTORS.tests.map(rowOf).slice(3), COMPOSITE, "a row each, in the table's order");
});

/** A self-signed certificate: its key is the vector's, its signature good. */
async function checkCertificate(der: Bytes, spki: Bytes): Promise<void> {
  const [tbs, algorithm, signature] = readDer(der).children;
  const scheme = decodeScheme(algorithm!.raw);
  assert.ok(scheme);
  const key = tbs!.children.find((node) => encodeHex(node.raw) === encodeHex(spki));
  assert.ok(key, "the certificate has the vector's key");
  const check = { spki, scheme, message: tbs!.raw, signature: readBitOctets(signature) };
  assert.equal(await verifySignature(check), true);
  assert.equal(await verifySignature({ ...check, message: concatBytes(check.message, Uint8Array.of(0)) }), false);
}

/** `sk` and `sk_pkcs8` are the same key, are written as they were, and sign for the vector's public key. */
async function checkPrivateKey(vector: CompositeVector, spki: Bytes): Promise<void> {
  const row = rowOf(vector);
  const scheme = defaultScheme(row);
  const file = decodeBase64(vector.sk_pkcs8);
  const { key } = await decodePrivateKey(file);
  assert.deepEqual(key.material, decodeBase64(vector.sk));
  assert.deepEqual(await encodePrivateKey(key, { format: "der" }), file);
  using fromFile = await openSoftwareKey(file);
  using fromRaw = new SoftwareKey({ ...key, material: decodeBase64(vector.sk) });
  for (const own of [fromFile, fromRaw]) {
    assert.deepEqual(own.spki, spki);
    const signature = await own.signer(scheme).sign(M);
    assert.equal(await verifySignature({ spki, scheme, message: M, signature }), true);
    const inContext = await own.signer(scheme, { context: CTX }).sign(M);
    assert.equal(await verifySignature({ spki, scheme, message: M, signature: inContext, context: CTX }), true);
    assert.equal(await verifySignature({ spki, scheme, message: M, signature: inContext }), false);
  }
}

Deno.test("flipping a bit anywhere in either half, or moving the border, fails", async () => {
  let count = 0;
  for (const row of COMPOSITE) {
    const { scheme, spki, s } = vectorOf(row);
    const border = partSchemes(scheme).pqc.signatureBytes!;
    const positions = new Set([0, 1, border - 1, border, border + 1, border + 4, s.length - 1]);
    for (let at = 7; at < s.length; at += 401) positions.add(at);
    for (const at of positions) {
      const signature = s.slice();
      signature[at]! ^= 1 << (at % 8);
      assert.equal(await verifySignature({ spki, scheme, message: M, signature }), false, `${row.name} ${at}`);
      count++;
    }
    const [pqc, classical] = [s.subarray(0, border), s.subarray(border)];
    const others = [
      pqc,
      classical,
      new Uint8Array(),
      concatBytes(classical, pqc),
      concatBytes(pqc, classical, Uint8Array.of(0)),
      concatBytes(pqc, Uint8Array.of(0), classical),
      concatBytes(pqc, classical.subarray(0, classical.length - 1)),
      concatBytes(pqc, new Uint8Array(classical.length)),
      concatBytes(new Uint8Array(border), classical),
    ];
    for (const signature of others) {
      assert.equal(await verifySignature({ spki, scheme, message: M, signature }), false, row.name);
    }
  }
  assert.ok(count > 18 * 12);
});

Deno.test("every single byte of one signature counts", async () => {
  const { scheme, spki, s } = vectorOf(findKeyRow("mldsa44-ed25519-sha512"));
  for (let at = 0; at < s.length; at++) {
    const signature = s.slice();
    signature[at]! ^= 0x80;
    assert.equal(await verifySignature({ spki, scheme, message: M, signature }), false, `${at}`);
  }
});

Deno.test("a signature under one label is none under another, though the keys are the same", async () => {
  const pairs = [
    ["mldsa44-rsa2048-pss-sha256", "mldsa44-rsa2048-pkcs15-sha256"],
    ["mldsa65-rsa3072-pss-sha512", "mldsa65-rsa3072-pkcs15-sha512"],
    ["mldsa65-rsa4096-pkcs15-sha512", "mldsa65-rsa4096-pss-sha512"],
  ] as const;
  for (const [one, two] of pairs) {
    const [row, other] = [findKeyRow(one), findKeyRow(two)];
    const { scheme, spki, s } = vectorOf(row);
    const renamed = encodeSpki(other, describeSpki(spki).publicKey);
    const check = { message: M, signature: s };
    assert.equal(await verifySignature({ ...check, spki, scheme }), true);
    assert.equal(await verifySignature({ ...check, spki: renamed, scheme: defaultScheme(other) }), false);
    assert.equal(await verifySignature({ ...check, spki, scheme: defaultScheme(other) }), false);
  }
});

Deno.test("the parts are signatures of their own over M', under the component's names only with the label as context", async () => {
  for (const row of COMPOSITE) {
    const { scheme, spki, s } = vectorOf(row);
    const keys = splitCompositeSpki(spki);
    assert.equal(keys.row, row);
    assert.deepEqual(compositeSpki(row, keys.pqc, keys.classical), spki);
    const schemes = partSchemes(scheme);
    const border = schemes.pqc.signatureBytes!;
    const message = await compositeMessage(scheme, M);
    const pqc = { spki: keys.pqc, scheme: schemes.pqc, message, signature: s.subarray(0, border) };
    assert.equal(await verifySignature({ ...pqc, context: labelOf(scheme) }), true);
    assert.equal(await verifySignature(pqc), false);
    const classical = { spki: keys.classical, scheme: schemes.classical, signature: s.subarray(border) };
    assert.equal(await verifySignature({ ...classical, message }), true);
    assert.equal(await verifySignature({ ...classical, message: M }), false);
  }
});

Deno.test("M' is prefix, label, length and bytes of the context, hash", async () => {
  const scheme = findSchemeRow("mldsa65-ecdsa-p256-sha512");
  const bytes = await compositeMessage(scheme, M, Uint8Array.of(1, 2, 3));
  const label = new TextEncoder().encode("COMPSIG-MLDSA65-ECDSA-P256-SHA512");
  const prefix = "436f6d706f73697465416c676f726974686d5369676e61747572657332303235";
  const hash = encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-512", M)));
  assert.equal(encodeHex(bytes), `${prefix}${encodeHex(label)}03010203${hash}`);
  assert.equal((await compositeMessage(findSchemeRow("mldsa87-ed448-shake256"), M)).length, 32 + 30 + 1 + 64);
});

Deno.test("two keys in different places make one signer; every registered pair", async () => {
  for (const row of COMPOSITE) {
    const parts = partsOf(row)!;
    using pqc = new SoftwareKey(await backEndOf(parts.pqc).generate(parts.pqc));
    using classical = new SoftwareKey(await backEndOf(parts.classical).generate(parts.classical));
    const signer = compositeSigner(row, { pqc, classical });
    assert.equal(signer.algorithm, row);
    assert.equal(describeSpki(signer.spki).row, row);
    await proveSigner(signer);
    const inContext = await compositeSigner(row, { pqc, classical }, { context: CTX }).sign(M);
    const check = { spki: signer.spki, scheme: signer.scheme, message: M, signature: inContext };
    assert.equal(await verifySignature({ ...check, context: CTX }), true);
    assert.equal(await verifySignature(check), false);
  }
});

Deno.test("a signer of the wrong keys, or with too long a context, is refused", async () => {
  const row = findKeyRow("mldsa65-ecdsa-p256-sha512");
  const key = async (name: string) => new SoftwareKey(await backEndOf(findKeyRow(name)).generate(findKeyRow(name)));
  using pqc = await key("ml-dsa-65");
  using classical = await key("ecdsa-p256");
  using strong = await key("ml-dsa-87");
  const refused = (code: string) => (error: unknown) => error instanceof InputError && error.code === code;
  assert.throws(() => compositeSigner(row, { pqc: strong, classical }), refused("composite.parts"));
  assert.throws(() => compositeSigner(row, { pqc: classical, classical: pqc }), refused("composite.parts"));
  assert.throws(() => splitCompositeSpki(pqc.spki), refused("composite.parts"));
  const context = new Uint8Array(256);
  assert.throws(() => compositeSigner(row, { pqc, classical }, { context }), refused("context.invalid"));
  compositeSigner(row, { pqc, classical }, { context: new Uint8Array(255) });
});

Deno.test("one private key file: generated, encrypted, opened, signs", async () => {
  for (const name of ["mldsa44-ecdsa-p256-sha256", "mldsa87-ed448-shake256", "mldsa65-ecdsa-brainpoolp256r1-sha512"]) {
    const row = findKeyRow(name);
    using made = await generateSoftwareKey(row);
    const secret = new Secret("secret");
    const file = await made.encode({ passphrase: secret, iterations: 1000 });
    using opened = await openSoftwareKey(file, secret);
    assert.deepEqual(opened.spki, made.spki);
    const message = M;
    const signature = await opened.signer(defaultScheme(row)).sign(message);
    assert.ok(await verifySignature({ spki: made.spki, scheme: defaultScheme(row), message, signature }));
  }
});

Deno.test("private keys: lengths of the draft, and what is refused", async () => {
  const lengths: Readonly<Record<string, number>> = {
    "mldsa65-ecdsa-p256-sha512": 83,
    "mldsa65-ecdsa-brainpoolp256r1-sha512": 84,
    "mldsa65-ecdsa-p384-sha512": 96,
    "mldsa87-ecdsa-brainpoolp384r1-sha512": 100,
    "mldsa87-ecdsa-p521-sha512": 114,
    "mldsa44-ed25519-sha512": 64,
    "mldsa87-ed448-shake256": 89,
  };
  for (const [name, length] of Object.entries(lengths)) {
    const row = findKeyRow(name);
    assert.equal((await backEndOf(row).generate(row)).material.length, length, name);
  }
  const row = findKeyRow("mldsa44-ed25519-sha512");
  const { material } = await backEndOf(row).generate(row);
  const file = (content: Uint8Array) => sequence(integer(0), encodeKeyAlgorithm(row), octetString(content));
  await decodePrivateKey(file(material));
  const seed = material.subarray(0, 32);
  const bad = [
    new Uint8Array(),
    seed,
    material.subarray(1),
    concatBytes(material, Uint8Array.of(0)),
    concatBytes(seed, octetString(material.subarray(32))),
  ];
  for (const content of bad) await assert.rejects(decodePrivateKey(file(content)), InputError);
  const p256 = findKeyRow("mldsa44-ecdsa-p256-sha256");
  const zero = sequence(integer(1), octetString(new Uint8Array(32)));
  const wrong = sequence(integer(0), encodeKeyAlgorithm(p256), octetString(concatBytes(seed, zero)));
  await assert.rejects(decodePrivateKey(wrong), /zero/);
});

Deno.test("public keys: each part is checked as a key of its own", () => {
  const { spki } = vectorOf(findKeyRow("mldsa65-ecdsa-p256-sha512"));
  const { publicKey } = describeSpki(spki);
  const row = findKeyRow("mldsa65-ecdsa-p256-sha512");
  const off = publicKey.slice();
  off[off.length - 1]! ^= 1;
  const compressed = concatBytes(publicKey.subarray(0, 1952), Uint8Array.of(2), publicKey.subarray(1953, 1985));
  const cases: [Uint8Array, RegExp][] = [
    [off, /not on the curve/],
    [compressed, /compressed/],
    [publicKey.subarray(0, 1952), /too few/],
    [new Uint8Array(), /too few/],
    [concatBytes(publicKey, Uint8Array.of(0)), /uncompressed/],
  ];
  for (const [key, reason] of cases) {
    assert.throws(() => describeSpki(encodeSpki(row, key)), (error: unknown) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, reason);
      return error.code === "key.invalid";
    });
  }
  const rsa = findKeyRow("mldsa65-rsa3072-pss-sha512");
  const larger = describeSpki(vectorOf(findKeyRow("mldsa65-rsa4096-pss-sha512")).spki).publicKey;
  assert.throws(() => describeSpki(encodeSpki(rsa, larger)), /another size/);
  const garbage = concatBytes(larger.subarray(0, 1952), bitString(larger.subarray(1952)));
  assert.throws(() => describeSpki(encodeSpki(rsa, garbage)), /RSA 3072 part/);
});

Deno.test("pairs: found by their parts, by the classical scheme, and refused when nobody registered them", () => {
  assert.equal(findCompositeRow("p256", "mldsa65").name, "mldsa65-ecdsa-p256-sha512");
  assert.equal(findCompositeRow("rsa-3072", "ml-dsa-65").name, "mldsa65-rsa3072-pss-sha512");
  const wish = { scheme: "pkcs1v15" };
  assert.equal(findCompositeRow("rsa-3072", "ml-dsa-65", wish).name, "mldsa65-rsa3072-pkcs15-sha512");
  for (const [classical, pqc] of [["ed448", "ml-dsa-44"], ["ecdsa-p256", "slh-dsa-128f"], ["ed25519", "ed448"]]) {
    assert.throws(() => findCompositeRow(classical!, pqc!), (error: unknown) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.code, "composite.unregistered");
      return /^Registered: /.test(error.hint!);
    });
  }
  assert.throws(() => findCompositeRow("rsa-3072", "ml-dsa-87", wish), /no composite algorithm/);
  assert.throws(() => findCompositeRow("nonsense", "ml-dsa-87"), /Unknown algorithm/);
});
