import assert from "node:assert/strict";
import { quickRows } from "../../tests/support/extended.ts";
import { isSlow } from "../../tests/support/back_ends.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { findKeyRow, findSchemeRow, keyRows } from "../alg/find.ts";
import { encodePem, Secret } from "../bytes.ts";
import { QpkiError } from "../errors.ts";
import { listKeyFiles } from "./key_files.ts";
import { encodePrivateKey } from "./pkcs8.ts";
import { generateSoftwareKey, openSoftwareKey, softwareProvider } from "./software.ts";
import { spkiFingerprint } from "./spki.ts";
import type { KeyRef } from "./types.ts";
import { verifySignature } from "./verify.ts";

const P256 = findKeyRow("ecdsa-p256");
const MESSAGE = new TextEncoder().encode("message");
const secret = () => Promise.resolve(new Secret("secret"));

function file(path: string): KeyRef {
  return { type: "software", path };
}

async function fails(work: Promise<unknown>, code: string): Promise<QpkiError> {
  const error = await work.then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof QpkiError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

Deno.test("every row and scheme: generated in a file, opened again, signs", async () => {
  using tmp = tempFolder();
  for (const row of quickRows(keyRows())) {
    const ref = file(`${row.name}.key`);
    await using maker = softwareProvider({ cwd: tmp.path });
    const made = await maker.generate(row, ref);
    assert.deepEqual(made.ref, ref);
    await using provider = softwareProvider({ cwd: tmp.path });
    const key = await provider.open(ref);
    assert.equal(key.algorithm, row);
    assert.deepEqual(key.spki, made.spki);
    for (const name of isSlow(row) ? [] : row.schemes) {
      const scheme = findSchemeRow(name);
      const signature = await key.signer(scheme).sign(MESSAGE);
      assert.ok(await verifySignature({ spki: key.spki, scheme, message: MESSAGE, signature }), `${row.name} ${name}`);
    }
  }
});

Deno.test("files are 0600, encrypted when there is a passphrase, never overwritten, and leave nothing on failure", async () => {
  using tmp = tempFolder();
  await using provider = softwareProvider({ cwd: tmp.path, passphrase: secret });
  await provider.generate(P256, file("a.key"));
  assert.equal((await Deno.stat(tmp.join("a.key"))).mode! & 0o777, 0o600);
  const before = tmp.read("a.key");
  assert.match(before, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  await fails(provider.prepare(P256, file("a.key")), "file.exists");
  await fails(provider.generate(P256, file("a.key")), "file.exists");
  await fails(provider.generate(P256, file("missing/a.key")), "file.write");
  await fails(provider.prepare(P256, file("b.key"), findSchemeRow("ed25519")), "scheme.mismatch");
  assert.equal(tmp.read("a.key"), before);
  await provider.prepare(P256, file("b.key"), findSchemeRow("ecdsa-sha256"));
  assert.deepEqual([...Deno.readDirSync(tmp.path)].map((entry) => entry.name), ["a.key"]);
});

Deno.test("opening: not found, no passphrase, wrong passphrase, damaged; the file is named", async () => {
  using tmp = tempFolder();
  await using maker = softwareProvider({ cwd: tmp.path, passphrase: secret });
  await maker.generate(P256, file("a.key"));
  await using plain = softwareProvider({ cwd: tmp.path });
  await using wrong = softwareProvider({ cwd: tmp.path, passphrase: () => Promise.resolve(new Secret("other")) });
  assert.match((await fails(plain.open(file("b.key")), "key.not_found")).message, /"b\.key": no such file/);
  const missing = await fails(plain.open(file("a.key")), "passphrase.missing");
  assert.match(missing.message, /in "a\.key": it is encrypted/);
  assert.match(missing.hint ?? "", /--passphrase/);
  assert.match((await fails(wrong.open(file("a.key")), "passphrase.wrong")).message, /in "a\.key"/);
  tmp.write("c.key", tmp.read("a.key").slice(0, 100));
  await fails(maker.open(file("c.key")), "pem.truncated");
  await fails(plain.open({ type: "pkcs11", config: "hsm.yaml" }), "key.wrong_provider");
});

Deno.test("a scheme the key does not do is refused; a closed key does not sign or print", async () => {
  using key = await generateSoftwareKey(P256);
  assert.throws(() => key.signer(findSchemeRow("rsa-pss-sha256")), /scheme|Cannot sign/);
  const signer = key.signer(findSchemeRow("ecdsa-sha256"));
  await signer.sign(MESSAGE);
  key[Symbol.dispose]();
  await assert.rejects(async () => await signer.sign(MESSAGE), /closed/);
  await assert.rejects(async () => await key.toPem(), /closed/);
  assert.doesNotMatch(Deno.inspect(key, { depth: 9 }), /material/);
});

Deno.test("keys in memory: PEM with and without passphrase, opened from bytes", async () => {
  using key = await generateSoftwareKey(findKeyRow("ed25519"), "later.key");
  assert.deepEqual(key.ref, file("later.key"));
  const plain = new TextEncoder().encode(await key.toPem());
  const closed = new TextEncoder().encode(await key.toPem(new Secret("secret")));
  using one = await openSoftwareKey(plain);
  using two = await openSoftwareKey(closed, new Secret("secret"));
  using three = await openSoftwareKey(closed, secret);
  for (const opened of [one, two, three]) assert.deepEqual(opened.spki, key.spki);
});

Deno.test("many signatures at once from one key", async () => {
  for (const name of ["ecdsa-p256", "ecdsa-p384", "rsa-2048"]) {
    using key = await generateSoftwareKey(findKeyRow(name));
    const scheme = findSchemeRow(key.algorithm.schemes[0]!);
    const signer = key.signer(scheme);
    const messages = Array.from({ length: 20 }, (_, i) => Uint8Array.of(i));
    const signatures = await Promise.all(messages.map((message) => signer.sign(message)));
    for (const [i, signature] of signatures.entries()) {
      assert.ok(await verifySignature({ spki: key.spki, scheme, message: messages[i]!, signature }));
    }
  }
});

Deno.test("list finds keys by content, encrypted and foreign ones too, and nothing else", async () => {
  using tmp = tempFolder();
  using key = await generateSoftwareKey(P256);
  const pem = await key.toPem();
  tmp.write("a.key", pem);
  tmp.write("sub/b.pem", await key.toPem(new Secret("x")));
  tmp.write("sub/deep/c.bin", await key.encode({ format: "der" }));
  tmp.write("d.txt", `certificate and key\n${encodePem("CERTIFICATE", Uint8Array.of(0x30, 0))}${pem}`);
  tmp.write("e.key", encodePem("RSA PRIVATE KEY", Uint8Array.of(0x30, 0)));
  tmp.write("f.key", pem.slice(0, 60));
  tmp.write("node_modules/g.key", pem);
  tmp.write("empty", "");
  tmp.write("cert.pem", encodePem("CERTIFICATE", Uint8Array.of(0x30, 0)));
  tmp.write("der", Uint8Array.of(0x30, 3, 2, 1, 1));
  tmp.write("h.key", encodePem("EC PRIVATE KEY", secp256k1()));
  Deno.symlinkSync("a.key", tmp.join("link.key"));
  Deno.symlinkSync(".", tmp.join("loop"));
  const found = await listKeyFiles(tmp.path);
  const fingerprint = await spkiFingerprint(key.spki);
  const shown = found.map((info) => [
    info.ref.type === "software" ? info.ref.path.slice(tmp.path.length + 1) : "",
    info.description,
    info.spkiSha256 === fingerprint,
    info.attributes.encrypted,
  ]);
  assert.deepEqual(shown, [
    ["a.key", "ECDSA P-256", true, false],
    ["d.txt", "ECDSA P-256", true, false],
    ["e.key", "unreadable (RSAPrivateKey lacks version)", false, undefined],
    ["f.key", "unreadable (the last block has no end line)", false, undefined],
    ["h.key", "EC secp256k1", false, false],
    ["link.key", "ECDSA P-256", true, false],
    ["sub/b.pem", "encrypted", false, true],
    ["sub/deep/c.bin", "ECDSA P-256", true, false],
  ]);
  await fails(listKeyFiles(tmp.join("none")), "file.write");
});

/** SEC1 of a curve without a row. */
function secp256k1(): Uint8Array {
  return Uint8Array.fromHex(`302e0201010420${"11".repeat(32)}a00706052b8104000a`);
}

Deno.test("delete removes the one file and tells what it was", async () => {
  using tmp = tempFolder();
  await using provider = softwareProvider({ cwd: tmp.path });
  await provider.generate(P256, file("a.key"));
  const info = await provider.delete(file("a.key"));
  assert.equal(info.algorithm, P256);
  await fails(provider.delete(file("a.key")), "key.not_found");
});

Deno.test("secrets do not print", async () => {
  using key = await generateSoftwareKey(findKeyRow("ed25519"));
  const file = await key.encode({ format: "der" });
  const hex = file.subarray(-32).toHex();
  assert.ok(!Deno.inspect(key, { depth: 9, showHidden: true }).includes(hex));
  assert.ok(!JSON.stringify(key).includes(hex));
  const row = findKeyRow("ed25519");
  const bytes = await encodePrivateKey({ row, material: new Uint8Array(32).fill(7), publicKey: new Uint8Array(32) });
  assert.match(new TextDecoder().decode(bytes), /BwcHBwcH/);
});
