import assert from "node:assert/strict";
import { findSchemeRow, type KeyRow, type SchemeRow } from "../../src/alg/find.ts";
import { oidName } from "../../src/asn1/oid.ts";
import { encodePem, Secret } from "../../src/bytes.ts";
import { encapsulate } from "../../src/keys/kem.ts";
import { generateSoftwareKey, openSoftwareKey } from "../../src/keys/software.ts";
import { describeSpki } from "../../src/keys/spki.ts";
import { verifySignature } from "../../src/keys/verify.ts";
import { run } from "./cli.ts";
import { type TempFolder, tempFolder } from "./tmp.ts";

/** OpenSSL reads what we write, and we read what it writes: keys in every form, signatures, encapsulated secrets. */

const MESSAGE = new TextEncoder().encode("a message to sign\n");
const PASS = "correct horse";
const SECRET = new Secret(PASS);

/** Runs openssl in the folder; `args` are separated by single spaces. The environment has the passphrase in PASS. */
export async function openssl(tmp: TempFolder, args: string): Promise<Uint8Array<ArrayBuffer>> {
  const result = await run("openssl", args.split(" "), { cwd: tmp.path, env: { PASS } });
  assert.equal(result.code, 0, `openssl ${args}: ${result.stderr}`);
  return result.stdoutBytes;
}

/** Options of `openssl genpkey`. */
export function genpkey(row: KeyRow): string {
  const { parameters } = row.spki;
  if (typeof parameters !== "string") {
    return `-algorithm EC -pkeyopt ec_paramgen_curve:${oidName(parameters.curve)}`;
  }
  return row.modulusBits > 0 ? `-algorithm RSA -pkeyopt rsa_keygen_bits:${row.modulusBits}` : `-algorithm ${row.label}`;
}

/** Options of `openssl pkeyutl` that make it use one of our schemes. */
export function signatureOptions(scheme: SchemeRow): string {
  if (scheme.hash === null) return "-rawin";
  const hash = `-rawin -digest ${scheme.hash.replace("-", "").toLowerCase()}`;
  return scheme.saltBytes === undefined
    ? hash
    : `${hash} -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:${scheme.saltBytes}`;
}

/** Families whose keys have a form older than PKCS#8. */
function hasTraditionalForm(row: KeyRow): boolean {
  return row.family === "ecdsa" || row.family === "rsa";
}

/** A key of ours in every form of file, its signatures with every scheme, its secrets. */
export async function opensslReadsOurs(row: KeyRow): Promise<void> {
  using tmp = tempFolder();
  using key = await generateSoftwareKey(row);
  tmp.write("message", MESSAGE);
  tmp.write("plain.pem", await key.toPem());
  tmp.write("plain.der", await key.encode({ format: "der" }));
  tmp.write("closed.pem", await key.toPem(SECRET));
  tmp.write("closed.der", await key.encode({ format: "der", passphrase: SECRET }));
  tmp.write("pub.pem", encodePem("PUBLIC KEY", key.spki));
  for (const name of ["plain.pem", "plain.der", "closed.pem", "closed.der"]) {
    const form = name.endsWith("der") ? "-inform DER" : "-inform PEM";
    const spki = await openssl(tmp, `pkey ${form} -in ${name} -passin env:PASS -pubout -outform DER`);
    assert.deepEqual(spki, key.spki, name);
  }
  if (row.family !== "eddsa") await openssl(tmp, "pkey -in plain.pem -check -noout");
  for (const name of row.schemes) {
    const scheme = findSchemeRow(name);
    tmp.write("signature", await key.signer(scheme).sign(MESSAGE));
    await openssl(
      tmp,
      `pkeyutl -verify -pubin -inkey pub.pem -in message -sigfile signature ${signatureOptions(scheme)}`,
    );
  }
  if (row.kind !== "kem") return;
  await openssl(tmp, "pkeyutl -encap -pubin -inkey pub.pem -out ciphertext -secret secret");
  assert.deepEqual(await key.decapsulate(Deno.readFileSync(tmp.join("ciphertext"))), bytesOf(tmp, "secret"));
}

/** A key of OpenSSL's in every form of file, its signatures with every scheme, its secrets. */
export async function weReadOpenssls(row: KeyRow): Promise<void> {
  using tmp = tempFolder();
  tmp.write("message", MESSAGE);
  await openssl(tmp, `genpkey ${genpkey(row)} -out key.pem`);
  await openssl(tmp, "pkey -in key.pem -outform DER -out key.der");
  const spki = await openssl(tmp, "pkey -in key.pem -pubout -outform DER");
  assert.equal(describeSpki(spki).row, row);
  await openssl(tmp, "pkcs8 -topk8 -in key.pem -v2 aes-256-cbc -passout env:PASS -out closed.pem");
  await openssl(tmp, "pkcs8 -topk8 -in key.pem -outform DER -v2 aes-256-cbc -passout env:PASS -out closed.der");
  await openssl(tmp, "pkcs8 -topk8 -in key.pem -nocrypt -outform DER -out pkcs8.der");
  const files = ["key.pem", "key.der", "closed.pem", "closed.der", "pkcs8.der"];
  if (hasTraditionalForm(row)) {
    await openssl(tmp, "pkey -in key.pem -traditional -out traditional.pem");
    await openssl(tmp, "pkey -in key.pem -traditional -outform DER -out traditional.der");
    files.push("traditional.pem", "traditional.der");
  }
  for (const name of files) {
    using read = await openSoftwareKey(bytesOf(tmp, name), SECRET);
    assert.deepEqual(read.spki, spki, name);
  }
  for (const name of row.schemes) {
    const scheme = findSchemeRow(name);
    await openssl(tmp, `pkeyutl -sign -inkey key.pem -in message -out signature ${signatureOptions(scheme)}`);
    assert.ok(await verifySignature({ spki, scheme, message: MESSAGE, signature: bytesOf(tmp, "signature") }), name);
  }
  if (row.kind !== "kem") return;
  const { ciphertext, sharedSecret } = await encapsulate(spki);
  tmp.write("ciphertext", ciphertext);
  await openssl(tmp, "pkeyutl -decap -inkey key.pem -in ciphertext -secret secret");
  assert.deepEqual(bytesOf(tmp, "secret"), sharedSecret);
}

/** Content of a file of the folder. */
export function bytesOf(tmp: TempFolder, name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(tmp.join(name));
}
