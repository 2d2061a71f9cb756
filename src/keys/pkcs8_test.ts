import assert from "node:assert/strict";
import { quickRows } from "../../tests/support/extended.ts";
import { findKeyRow, type KeyRow, keyRows } from "../alg/find.ts";
import { bitString, explicit, implicit, integer, nullDer, octetString, oid, readDer, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes, encodePem, Secret } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { backEndOf } from "./back_end.ts";
import { PBKDF2_ITERATIONS } from "./pbes2.ts";
import { decodePrivateKey, encodePrivateKey } from "./pkcs8.ts";
import { encodePkcs8, PRIVATE_KEYS, type PrivateKey } from "./private_key.ts";
import { encodeKeyAlgorithm } from "./spki.ts";

const SECRET = new Secret("päss word 🔑");

/** Cheap iterations: damage is tested elsewhere than in the derivation. */
const FEW = 1000;

async function newKey(name: string): Promise<PrivateKey> {
  const row = findKeyRow(name);
  return await backEndOf(row).generate(row);
}

async function code(file: Uint8Array, passphrase?: Secret): Promise<string> {
  try {
    await decodePrivateKey(file, passphrase);
    return "ok";
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.code;
  }
}

Deno.test("every row: plain and encrypted, PEM and DER, come back the same", async () => {
  for (const row of quickRows(keyRows())) {
    const key = await backEndOf(row).generate(row);
    for (const format of ["pem", "der"] as const) {
      for (const passphrase of [undefined, SECRET]) {
        const options = passphrase ? { passphrase, iterations: FEW } : {};
        const file = await encodePrivateKey(key, { format, ...options });
        const read = await decodePrivateKey(file, passphrase);
        assert.deepEqual(read.key, key, row.name);
        assert.equal(read.format, passphrase ? "encrypted PKCS#8" : "PKCS#8");
        assert.equal(read.encoding, format.toUpperCase());
      }
    }
  }
});

Deno.test("what is written: version 0, the row's algorithm, PBES2 with 600,000 iterations of SHA-256", async () => {
  const lengths: Readonly<Record<string, number>> = { "ecdsa-p256": 138, "ed25519": 48, "ed448": 73 };
  for (const [name, length] of Object.entries(lengths)) {
    const key = await newKey(name);
    const der = await encodePrivateKey(key, { format: "der" });
    assert.equal(der.length, length, name);
    const [version, algorithm] = readDer(der).children;
    assert.equal(version!.content.toHex(), "00");
    assert.deepEqual(algorithm!.raw, encodeKeyAlgorithm(key.row));
  }
  const key = await newKey("ed25519");
  const one = await encodePrivateKey(key, { format: "der", passphrase: SECRET });
  const two = await encodePrivateKey(key, { format: "der", passphrase: SECRET });
  assert.notDeepEqual(one, two, "salt and IV are fresh");
  const [, parameters] = readDer(one).children[0]!.children;
  const [derivation, cipher] = parameters!.children;
  const [salt, iterations, prf] = derivation!.children[1]!.children;
  assert.equal(salt!.content.length, 16);
  assert.deepEqual(iterations!.raw, integer(PBKDF2_ITERATIONS));
  assert.ok(PBKDF2_ITERATIONS >= 600_000);
  assert.deepEqual(prf!.raw, sequence(oid("1.2.840.113549.2.9"), nullDer()));
  assert.equal(cipher!.children[1]!.content.length, 16);
});

Deno.test("passphrases: missing, wrong, empty, asked for only when needed", async () => {
  const key = await newKey("ecdsa-p256");
  const plain = await encodePrivateKey(key);
  const file = await encodePrivateKey(key, { passphrase: SECRET, iterations: FEW });
  assert.equal(await code(file), "passphrase.missing");
  for (let i = 0; i < 300; i++) {
    // Padding fits by chance once in 256: that must still be told as a wrong passphrase.
    assert.equal(await code(file, new Secret(`wrong ${i}`)), "passphrase.wrong");
  }
  assert.equal(await code(file, new Secret("")), "passphrase.wrong");
  await assert.rejects(encodePrivateKey(key, { passphrase: new Secret("") }), /passphrase is empty/);
  let asked = 0;
  const source = () => Promise.resolve(asked++ < 9 ? SECRET : undefined);
  await decodePrivateKey(plain, source);
  assert.equal(asked, 0);
  await decodePrivateKey(file, source);
  assert.equal(asked, 1);
  await assert.rejects(decodePrivateKey(file, () => Promise.resolve(undefined)), /no passphrase is given/);
});

Deno.test("the public half in the file must belong to the private one", async () => {
  for (const name of ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"]) {
    const [one, two] = [await newKey(name), await newKey(name)];
    assert.equal(await code(encodePkcs8({ ...one, publicKey: two.publicKey })), "key.mismatch");
    assert.equal(await code(encodePkcs8({ row: one.row, material: one.material })), "ok");
  }
});

function pkcs8(row: KeyRow, content: Uint8Array, ...more: Bytes[]): Bytes {
  return sequence(integer(more.length > 0 ? 1 : 0), encodeKeyAlgorithm(row), octetString(content), ...more);
}

Deno.test("OneAsymmetricKey version 2 with a public key, and attributes, are read", async () => {
  for (const row of quickRows(keyRows())) {
    const key = await backEndOf(row).generate(row);
    const content = PRIVATE_KEYS[row.family].encode(key);
    const attributes = explicit(0, sequence(oid("1.2.3"), sequence()));
    const attached = implicit(1, bitString(key.publicKey));
    const read = await decodePrivateKey(pkcs8(row, content, attributes, attached));
    assert.deepEqual(read.key, key);
    const other = implicit(1, bitString(Uint8Array.from(key.publicKey, (octet) => octet ^ 1)));
    assert.notEqual(await code(pkcs8(row, content, other)), "ok", row.name);
  }
});

Deno.test("secrets out of range and foreign keys are told apart", async () => {
  const p256 = findKeyRow("ecdsa-p256");
  const ec = (scalar: Uint8Array, ...more: Bytes[]) => pkcs8(p256, sequence(integer(1), octetString(scalar), ...more));
  const order = Uint8Array.fromHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  const small = new Uint8Array(32);
  small[31] = 2;
  const cases: [string, Uint8Array, string][] = [
    ["zero", ec(new Uint8Array(32)), "key.invalid"],
    ["the order", ec(order), "key.invalid"],
    ["too long", ec(new Uint8Array(33).fill(1)), "key.invalid"],
    ["empty", ec(new Uint8Array()), "key.invalid"],
    ["two", ec(small), "ok"],
    ["two, short", ec(small.subarray(31)), "ok"],
    ["two, padded", ec(concatBytes(new Uint8Array(4), small)), "ok"],
    ["other curve inside", ec(small, explicit(0, oid("1.3.132.0.34"))), "key.invalid"],
    ["same curve inside", ec(small, explicit(0, oid("1.2.840.10045.3.1.7"))), "ok"],
    ["seed too short", pkcs8(findKeyRow("ed25519"), octetString(new Uint8Array(31))), "key.invalid"],
    ["seed too short", pkcs8(findKeyRow("ed448"), octetString(new Uint8Array(32))), "key.invalid"],
    ["raw seed", pkcs8(findKeyRow("ed25519"), new Uint8Array(32)), "der.invalid"],
    [
      "X25519",
      sequence(integer(0), sequence(oid("1.3.101.110")), octetString(small)),
      "algorithm.unsupported",
    ],
    ["secp256k1", sequence(integer(1), octetString(small), explicit(0, oid("1.3.132.0.10"))), "algorithm.unsupported"],
    ["SEC1 without curve", sequence(integer(1), octetString(small)), "algorithm.unsupported"],
    ["version 2", sequence(integer(2), encodeKeyAlgorithm(p256), octetString(small)), "der.invalid"],
    ["nothing", sequence(), "key.none"],
    ["a number", integer(1), "key.none"],
    ["certificate", sequence(sequence(), sequence(), bitString(small)), "key.none"],
    ["no DER", new Uint8Array(10).fill(65), "der.invalid"],
    ["empty", new Uint8Array(), "der.invalid"],
  ];
  for (const [name, file, expected] of cases) assert.equal(await code(file), expected, name);
});

Deno.test("RSA numbers that do not belong together are refused, each of them", async () => {
  const key = await newKey("rsa-2048");
  const numbers = readDer(key.material).children.map((node) => BigInt(`0x${node.content.toHex()}`));
  const encode = (values: bigint[]) => sequence(...values.map((value) => integer(value)));
  assert.equal(await code(encode(numbers)), "ok");
  for (let at = 0; at < numbers.length; at++) {
    for (const change of [1n, -1n, 2n, -numbers[at]!, 1n - numbers[at]!]) {
      const changed = numbers.map((value, i) => i === at ? value + change : value);
      if (at === 0 && change === -numbers[at]!) continue;
      assert.notEqual(await code(encode(changed)), "ok", `number ${at}`);
    }
  }
  assert.equal(await code(encode(numbers.slice(0, 8))), "der.invalid");
});

Deno.test("PEM: other blocks are passed over, several or no keys are told, foreign formats get a hint", async () => {
  const key = await newKey("ed25519");
  const pem = new TextDecoder().decode(await encodePrivateKey(key));
  const other = encodePem("CERTIFICATE", Uint8Array.of(0x30, 0));
  const cases: [string, string][] = [
    [other + pem + other, "ok"],
    [`Bag Attributes\n  friendlyName: x\n${pem}`, "ok"],
    [pem.replaceAll("\n", "\r\n"), "ok"],
    [pem + pem, "key.ambiguous"],
    [other, "key.none"],
    [encodePem("OPENSSH PRIVATE KEY", Uint8Array.of(1)), "key.format_unsupported"],
    [encodePem("DSA PRIVATE KEY", Uint8Array.of(1)), "key.format_unsupported"],
    [pem.replace("END", "ENT"), "pem.truncated"],
    [pem.replace("END PRIVATE", "END RSA PRIVATE"), "pem.invalid"],
    [pem.replace("MC4C", "M?4C"), "base64.invalid"],
    [
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
      "key.legacy_encryption",
    ],
  ];
  for (const [text, expected] of cases) assert.equal(await code(new TextEncoder().encode(text)), expected, text);
});

function encrypted(derivation: Bytes, cipher?: Bytes, data: Uint8Array = new Uint8Array(32)): Bytes {
  const aes = cipher ?? sequence(oid("2.16.840.1.101.3.4.1.42"), octetString(new Uint8Array(16)));
  const algorithm = sequence(oid("1.2.840.113549.1.5.13"), sequence(derivation, aes));
  return sequence(algorithm, octetString(data));
}

function pbkdf2(...parameters: Bytes[]): Bytes {
  return sequence(oid("1.2.840.113549.1.5.12"), sequence(octetString(new Uint8Array(8)), ...parameters));
}

function scrypt(n: number, r: number, p: number): Bytes {
  const parameters = sequence(octetString(new Uint8Array(8)), integer(n), integer(r), integer(p));
  return sequence(oid("1.3.6.1.4.1.11591.4.11"), parameters);
}

Deno.test("encryption parameters that would cost too much, or are unknown, are refused before work is done", async () => {
  const gcm = sequence(oid("2.16.840.1.101.3.4.1.46"), octetString(new Uint8Array(16)));
  const shortIv = sequence(oid("2.16.840.1.101.3.4.1.42"), octetString(new Uint8Array(8)));
  const cases: [string, Bytes, string][] = [
    ["too many iterations", encrypted(pbkdf2(integer(10_000_001))), "key.encryption_invalid"],
    ["far too many", encrypted(pbkdf2(integer(2n ** 80n))), "der.invalid"],
    ["no iterations", encrypted(pbkdf2(integer(0))), "der.invalid"],
    ["unknown PRF", encrypted(pbkdf2(integer(1), sequence(oid("1.2.3")))), "key.encryption_unsupported"],
    ["key length", encrypted(pbkdf2(integer(1), integer(16))), "key.encryption_invalid"],
    ["SHA-1 by default", encrypted(pbkdf2(integer(1))), "passphrase.wrong"],
    ["key length that fits", encrypted(pbkdf2(integer(1), integer(32))), "passphrase.wrong"],
    ["GCM", encrypted(pbkdf2(integer(1)), gcm), "key.encryption_unsupported"],
    ["short IV", encrypted(pbkdf2(integer(1)), shortIv), "key.encryption_invalid"],
    ["no whole block", encrypted(pbkdf2(integer(1)), undefined, new Uint8Array(17)), "key.encryption_invalid"],
    ["no block", encrypted(pbkdf2(integer(1)), undefined, new Uint8Array(0)), "key.encryption_invalid"],
    ["scrypt memory", encrypted(scrypt(2 ** 20, 8, 1)), "key.encryption_invalid"],
    ["scrypt N", encrypted(scrypt(1000, 8, 1)), "key.encryption_invalid"],
    ["scrypt p", encrypted(scrypt(1024, 8, 1000)), "key.encryption_invalid"],
    ["scrypt", encrypted(scrypt(1024, 8, 1)), "passphrase.wrong"],
    [
      "PBES1",
      sequence(sequence(oid("1.2.840.113549.1.5.3"), nullDer()), octetString(new Uint8Array(16))),
      "key.encryption_unsupported",
    ],
  ];
  const start = performance.now();
  for (const [name, file, expected] of cases) assert.equal(await code(file, SECRET), expected, name);
  assert.ok(performance.now() - start < 5000);
});

Deno.test("corpus: every truncation and bit flip of every kind of file is an InputError or a key", async (t) => {
  for (const [name, file] of await kindsOfFiles()) {
    await t.step(name, async () => {
      const answers = new Map<string, number>();
      const count = async (damaged: Uint8Array) => {
        const answer = await code(damaged, SECRET);
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      };
      for (let length = 0; length < file.length; length++) await count(file.subarray(0, length));
      if (name.endsWith("DER")) assert.equal(answers.get("ok"), undefined, "truncated yet accepted");
      const step = Math.max(1, Math.floor(file.length * 8 / 4000));
      for (let bit = 0; bit < file.length * 8; bit += step) {
        const flipped = file.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        await count(flipped);
      }
      assert.ok(answers.size > 1, name);
    });
  }
});

async function kindsOfFiles(): Promise<[string, Uint8Array][]> {
  const files: [string, Uint8Array][] = [];
  for (const name of ["ecdsa-p256", "ecdsa-p384", "ed25519", "ed448", "rsa-2048"]) {
    const key = await newKey(name);
    files.push([`${name} PKCS#8 DER`, await encodePrivateKey(key, { format: "der" })]);
    files.push([`${name} PKCS#8 PEM`, await encodePrivateKey(key)]);
  }
  const key = await newKey("ecdsa-p256");
  const options = { passphrase: SECRET, iterations: FEW };
  files.push(["encrypted PKCS#8 DER", await encodePrivateKey(key, { format: "der", ...options })]);
  files.push(["encrypted PKCS#8 PEM", await encodePrivateKey(key, options)]);
  const curve = explicit(0, oid("1.2.840.10045.3.1.7"));
  const sec1 = sequence(integer(1), octetString(key.material), curve, explicit(1, bitString(key.publicKey)));
  files.push(["SEC1 DER", sec1], ["SEC1 PEM", new TextEncoder().encode(encodePem("EC PRIVATE KEY", sec1))]);
  const { material } = await newKey("rsa-2048");
  files.push(["PKCS#1 DER", material]);
  return files;
}
