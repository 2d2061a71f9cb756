import assert from "node:assert/strict";
import { tempFolder } from "../../tests/support/tmp.ts";
import { findKeyRow, findSchemeRow, type KeyRow, keyRows } from "../alg/find.ts";
import { bitString, implicit, integer, octetString, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes, encodePem, Secret } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { backEndOf } from "./back_end.ts";
import { encapsulate } from "./kem.ts";
import { describeKeyFile } from "./key_files.ts";
import { decodePrivateKey, encodePrivateKey } from "./pkcs8.ts";
import { crossCheck, isSlow } from "../../tests/support/back_ends.ts";
import { openSoftwareKey, SoftwareKey } from "./software.ts";
import { encodeKeyAlgorithm } from "./spki.ts";
import { verifySignature } from "./verify.ts";

/** Files of post-quantum private keys: RFC 9881 section 6, RFC 9909 section 7, RFC 9935 section 6. */

const MESSAGE = new TextEncoder().encode("message");
const SEEDED = keyRows().filter((row) => row.seedBytes !== undefined);
const FAST = ["ml-dsa-44", "ml-kem-512", "slh-dsa-sha2-128f", "slh-dsa-shake-128f", "mldsa44-ed25519-sha512"];

function pkcs8(row: KeyRow, content: Uint8Array, ...more: Bytes[]): Bytes {
  return sequence(integer(more.length > 0 ? 1 : 0), encodeKeyAlgorithm(row), octetString(content), ...more);
}

async function code(file: Uint8Array): Promise<string> {
  try {
    await decodePrivateKey(file);
    return "ok";
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.code;
  }
}

function flipped(bytes: Uint8Array, at: number): Bytes {
  const copy = Uint8Array.from(bytes);
  copy[at < 0 ? copy.length + at : at]! ^= 1;
  return copy;
}

interface Forms {
  readonly row: KeyRow;
  readonly seed: Bytes;
  readonly expanded: Bytes;
  readonly publicKey: Bytes;
}

async function newForms(row: KeyRow): Promise<Forms> {
  const { material: seed, publicKey } = await backEndOf(row).generate(row);
  return { row, seed, expanded: await backEndOf(row).expand!(row, seed), publicKey };
}

function seedForm({ row, seed }: Forms): Bytes {
  return pkcs8(row, implicit(0, octetString(seed)));
}

function expandedForm({ row }: Forms, expanded: Uint8Array): Bytes {
  return pkcs8(row, octetString(expanded));
}

function bothForm({ row, seed }: Forms, expanded: Uint8Array): Bytes {
  return pkcs8(row, sequence(octetString(seed), octetString(expanded)));
}

Deno.test("files have the lengths that the RFCs imply, and begin as they demand", async () => {
  const lengths: Readonly<Record<string, [number, number, number]>> = {
    "ml-dsa-44": [54, 2588, 2626],
    "ml-dsa-65": [54, 4060, 4098],
    "ml-dsa-87": [54, 4924, 4962],
    "ml-kem-512": [86, 1660, 1730],
    "ml-kem-768": [86, 2428, 2498],
    "ml-kem-1024": [86, 3196, 3266],
  };
  for (const row of SEEDED) {
    const forms = await newForms(row);
    const files = [seedForm(forms), expandedForm(forms, forms.expanded), bothForm(forms, forms.expanded)];
    assert.deepEqual(files.map((file) => file.length), lengths[row.name], row.name);
    const { key } = await decodePrivateKey(files[0]!);
    assert.deepEqual(await encodePrivateKey(key, { format: "der" }), files[0]);
  }
  for (const row of keyRows().filter(({ family }) => family === "slh-dsa")) {
    const { material } = await backEndOf(row).generate(row);
    assert.equal(pkcs8(row, material).length, { 16: 84, 24: 116, 32: 150 }[row.expandedBytes! / 4], row.name);
  }
});

Deno.test("seed, expanded key and both are read as the same key; only the expanded one stays expanded", async () => {
  for (const row of SEEDED) {
    const forms = await newForms(row);
    const files = {
      seed: seedForm(forms),
      expanded: expandedForm(forms, forms.expanded),
      both: bothForm(forms, forms.expanded),
    };
    for (const [form, file] of Object.entries(files)) {
      const { key, form: found } = await decodePrivateKey(file);
      assert.equal(found, form, row.name);
      assert.deepEqual(key.publicKey, forms.publicKey, form);
      const written = await encodePrivateKey(key, { format: "der" });
      assert.deepEqual(written, form === "expanded" ? files.expanded : files.seed, "the seed is what is written");
      const info = await describeKeyFile("a.key", file);
      assert.equal(info.attributes.form, form);
      using opened = await openSoftwareKey(file);
      assert.equal(opened.form, form === "both" ? "seed" : form);
      await works(opened);
    }
  }
});

/** The private key does what its kind is for. */
async function works(key: SoftwareKey): Promise<void> {
  const { algorithm: row, spki } = key;
  for (const name of row.schemes) {
    const scheme = findSchemeRow(name);
    const signature = await key.signer(scheme).sign(MESSAGE);
    assert.ok(await verifySignature({ spki, scheme, message: MESSAGE, signature }), row.name);
  }
  if (row.kind !== "kem") return;
  const { ciphertext, sharedSecret } = await encapsulate(spki);
  assert.deepEqual(await key.decapsulate(ciphertext), sharedSecret, row.name);
  const rejected = await key.decapsulate(flipped(ciphertext, 0));
  assert.equal(rejected.length, 32);
  assert.notDeepEqual(rejected, sharedSecret, "implicit rejection");
  await assert.rejects(key.decapsulate(ciphertext.subarray(1)), /instead of/);
}

Deno.test("an expanded key that is encrypted stays one when its passphrase changes", async () => {
  for (const name of ["ml-dsa-65", "ml-kem-768"]) {
    const forms = await newForms(findKeyRow(name));
    const { key } = await decodePrivateKey(expandedForm(forms, forms.expanded));
    const secret = new Secret("secret");
    const closed = await encodePrivateKey(key, { passphrase: secret, iterations: 1000 });
    const read = await decodePrivateKey(closed, secret);
    assert.equal(read.form, "expanded");
    assert.deepEqual(read.key.material, forms.expanded);
  }
});

Deno.test("a seed beside the expanded key of another, in any part, is refused", async () => {
  for (const row of SEEDED) {
    const forms = await newForms(row);
    const other = await newForms(row);
    assert.equal(await code(bothForm(forms, other.expanded)), "key.invalid");
    // for ML-KEM the last byte is of z, which nothing but the seed can vouch for
    for (const at of [0, 40, 100, forms.expanded.length >> 1, -40, -1]) {
      assert.equal(await code(bothForm(forms, flipped(forms.expanded, at))), "key.invalid", `${row.name} ${at}`);
    }
  }
});

Deno.test("an expanded key whose parts do not belong together is refused", async () => {
  // offsets into the encodings of FIPS 204 algorithm 24 and FIPS 203 algorithm 16
  const parts: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    "ml-dsa-44": { rho: 0, tr: 64, s1: 128, s2: 128 + 4 * 96, t0: 128 + 8 * 96, "end of t0": -1 },
    "ml-dsa-65": { rho: 31, tr: 127, s1: 200, s2: 128 + 5 * 128, t0: 128 + 11 * 128, "end of t0": -1 },
    "ml-dsa-87": { rho: 1, tr: 100, s1: 150, s2: 128 + 7 * 96, t0: 128 + 15 * 96, "end of t0": -1 },
    "ml-kem-512": { s: 0, "end of s": 767, ek: 768, "end of ek": 1567, "H(ek)": -33 },
    "ml-kem-768": { s: 500, ek: 1200, "H(ek)": -64 },
    "ml-kem-1024": { s: 1000, ek: 2000, "H(ek)": -40 },
  };
  for (const [name, offsets] of Object.entries(parts)) {
    const forms = await newForms(findKeyRow(name));
    for (const [part, at] of Object.entries(offsets)) {
      assert.equal(await code(expandedForm(forms, flipped(forms.expanded, at))), "key.invalid", `${name} ${part}`);
    }
  }
  const forms = await newForms(findKeyRow("ml-dsa-44"));
  const outOfRange = forms.expanded.slice();
  outOfRange[128]! |= 7;
  await assert.rejects(decodePrivateKey(expandedForm(forms, outOfRange)), /out of range/);
});

Deno.test("an SLH-DSA key whose parts do not belong together is refused", async () => {
  for (const name of ["slh-dsa-sha2-128f", "slh-dsa-sha2-256f", "slh-dsa-shake-128f"]) {
    const row = findKeyRow(name);
    const { material, publicKey } = await backEndOf(row).generate(row);
    const n = material.length / 4;
    assert.equal(await code(pkcs8(row, material)), "ok");
    // SK.seed, PK.seed and PK.root are bound; SK.prf only adds randomness
    for (const at of [0, 2 * n, 3 * n, -1]) {
      assert.notEqual(await code(pkcs8(row, flipped(material, at))), "ok", `${name} ${at}`);
    }
    assert.equal(await code(pkcs8(row, material, implicit(1, bitString(publicKey)))), "ok");
    assert.equal(await code(pkcs8(row, material, implicit(1, bitString(flipped(publicKey, 3))))), "key.invalid");
  }
});

Deno.test("forms that are none: wrong tags, lengths, an OCTET STRING too many or too few", async () => {
  for (const name of ["ml-dsa-44", "ml-kem-768"]) {
    const forms = await newForms(findKeyRow(name));
    const { row, seed, expanded } = forms;
    const cases: [string, Uint8Array][] = [
      ["raw seed", seed],
      ["raw expanded", expanded],
      ["empty", new Uint8Array()],
      ["seed as expanded", octetString(seed)],
      ["expanded as seed", implicit(0, octetString(expanded))],
      ["other tag", implicit(1, octetString(seed))],
      ["short seed", implicit(0, octetString(seed.subarray(1)))],
      ["long seed", implicit(0, octetString(concatBytes(seed, Uint8Array.of(0))))],
      ["short expanded", octetString(expanded.subarray(1))],
      ["long expanded", octetString(concatBytes(expanded, Uint8Array.of(0)))],
      ["bytes behind", concatBytes(implicit(0, octetString(seed)), Uint8Array.of(0))],
      ["tagged seed in both", sequence(implicit(0, octetString(seed)), octetString(expanded))],
      ["both, other way round", sequence(octetString(expanded), octetString(seed))],
      ["both without expanded", sequence(octetString(seed))],
      ["both of three", sequence(octetString(seed), octetString(expanded), octetString(seed))],
      ["constructed seed", implicit(0, sequence(octetString(seed)))],
    ];
    for (const [what, content] of cases) {
      assert.match(await code(pkcs8(row, content)), /^(key|der)\.invalid$/, `${name} ${what}`);
    }
  }
  const slh = findKeyRow("slh-dsa-sha2-128f");
  const { material } = await backEndOf(slh).generate(slh);
  for (const content of [octetString(material), material.subarray(1), new Uint8Array(), material.subarray(0, 32)]) {
    assert.equal(await code(pkcs8(slh, content)), "key.invalid");
  }
  const wrongSet = await backEndOf(findKeyRow("slh-dsa-sha2-192f")).generate(findKeyRow("slh-dsa-sha2-192f"));
  assert.equal(await code(pkcs8(slh, wrongSet.material)), "key.invalid");
});

Deno.test("corpus: every truncation and many bit flips are an InputError or a key", async () => {
  for (const name of FAST) {
    const row = findKeyRow(name);
    const key = await backEndOf(row).generate(row);
    const file = await encodePrivateKey(key, { format: "der" });
    const pem = new TextEncoder().encode(encodePem("PRIVATE KEY", file));
    let refused = 0;
    for (let length = 0; length < file.length; length++) if (await code(file.subarray(0, length)) !== "ok") refused++;
    assert.equal(refused, file.length, "truncated yet accepted");
    for (let length = 0; length < pem.length; length += 7) await code(pem.subarray(0, length));
    for (let at = 0; at < 30; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = file.slice();
        damaged[at]! ^= 1 << bit;
        await code(damaged);
      }
    }
  }
});

const LIBRARIES = ["webcrypto", "noble"] as const;

Deno.test("both back ends read each other's keys, sign, verify and open what the other one made", async () => {
  let pairs = 0;
  for (const row of keyRows().filter(({ family }) => ["ml-dsa", "ml-kem", "slh-dsa"].includes(family))) {
    if (isSlow(row)) continue;
    for (const [maker, other] of [LIBRARIES, LIBRARIES.toReversed()]) {
      await crossCheck(row, maker!, other!);
      pairs++;
    }
  }
  assert.equal(pairs, 3 * 2 + 6 * 2 + 3 * 2);
});

Deno.test("using a key for what it is not for", async () => {
  const kemRow = findKeyRow("ml-kem-512");
  using kem = new SoftwareKey(await backEndOf(kemRow).generate(kemRow));
  const scheme = findSchemeRow("ml-dsa-44");
  assert.throws(() => kem.signer(scheme), (error: unknown) => (error as InputError).code === "scheme.none");
  const row = findKeyRow("ml-dsa-44");
  using key = new SoftwareKey(await backEndOf(row).generate(row));
  await assert.rejects(key.decapsulate(new Uint8Array(768)), /for signatures/);
  await assert.rejects(encapsulate(key.spki), /not for key establishment/);
  assert.throws(
    () => key.signer(findSchemeRow("ml-dsa-65")),
    /Cannot sign with ML-DSA-65 using a key of type ML-DSA-44/,
  );
  assert.equal(
    await verifySignature({ spki: kem.spki, scheme, message: MESSAGE, signature: new Uint8Array(2420) }),
    false,
  );
});

Deno.test("contexts: ML-DSA takes up to 255 bytes, and they are part of what is signed; others refuse one", async () => {
  const scheme = findSchemeRow("ml-dsa-44");
  const row = findKeyRow("ml-dsa-44");
  using key = new SoftwareKey(await backEndOf(row).generate(row));
  for (const context of [new Uint8Array(), Uint8Array.of(0), new Uint8Array(255)]) {
    const signature = await key.signer(scheme, { context }).sign(MESSAGE);
    const check = { spki: key.spki, scheme, message: MESSAGE, signature };
    assert.equal(await verifySignature({ ...check, context }), true);
    assert.equal(await verifySignature(check), context.length === 0);
    assert.equal(await verifySignature({ ...check, context: Uint8Array.of(1) }), false);
  }
  const invalid = (error: unknown) => error instanceof InputError && error.code === "context.invalid";
  assert.throws(() => key.signer(scheme, { context: new Uint8Array(256) }), invalid);
  const slh = findKeyRow("slh-dsa-sha2-128f");
  using other = new SoftwareKey(await backEndOf(slh).generate(slh));
  const slhScheme = findSchemeRow("slh-dsa-sha2-128f");
  assert.throws(() => other.signer(slhScheme, { context: Uint8Array.of(1) }), invalid);
  const bad = { spki: other.spki, scheme: slhScheme, message: MESSAGE, signature: new Uint8Array(1) };
  await assert.rejects(verifySignature({ ...bad, context: Uint8Array.of(1) }), invalid);
});

Deno.test("list and info tell the form; a closed key signs and opens nothing", async () => {
  using tmp = tempFolder();
  const forms = await newForms(findKeyRow("ml-kem-768"));
  tmp.write("a.key", encodePem("PRIVATE KEY", expandedForm(forms, forms.expanded)));
  const info = await describeKeyFile(tmp.join("a.key"), Deno.readFileSync(tmp.join("a.key")));
  assert.deepEqual(info.attributes, { format: "PKCS#8", encoding: "PEM", encrypted: false, form: "expanded" });
  const row = findKeyRow("ml-dsa-44");
  const key = new SoftwareKey(await backEndOf(row).generate(row));
  const signer = key.signer(findSchemeRow("ml-dsa-44"), { context: Uint8Array.of(1) });
  await signer.sign(MESSAGE);
  key[Symbol.dispose]();
  await assert.rejects(async () => await signer.sign(MESSAGE), /closed/);
  await assert.rejects(key.decapsulate(new Uint8Array(1)), /closed/);
});
