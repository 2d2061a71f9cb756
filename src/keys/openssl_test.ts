import assert from "node:assert/strict";
import { run } from "../../tests/support/cli.ts";
import { testWith } from "../../tests/support/require.ts";
import { type TempFolder, tempFolder } from "../../tests/support/tmp.ts";
import { findKeyRow, findSchemeRow, type KeyRow, keyRows, type SchemeRow } from "../alg/find.ts";
import { decodePem, encodePem, Secret } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { decodePrivateKey } from "./pkcs8.ts";
import { generateSoftwareKey, openSoftwareKey } from "./software.ts";
import { describeSpki } from "./spki.ts";
import { verifySignature } from "./verify.ts";

/** OpenSSL reads what we write, and we read what it writes: keys in every form, and signatures. */

const MESSAGE = new TextEncoder().encode("a message to sign\n");
const PASS = "correct horse";
const SECRET = new Secret(PASS);
const ENV = { PASS };

async function openssl(tmp: TempFolder, args: string): Promise<Uint8Array<ArrayBuffer>> {
  const result = await run("openssl", args.split(" "), { cwd: tmp.path, env: ENV });
  assert.equal(result.code, 0, `openssl ${args}: ${result.stderr}`);
  return result.stdoutBytes;
}

/** Options of `openssl genpkey`. */
function genpkey(row: KeyRow): string {
  const curve = row.webcrypto?.namedCurve;
  if (curve) return `-algorithm EC -pkeyopt ec_paramgen_curve:${curve}`;
  return row.modulusBits > 0 ? `-algorithm RSA -pkeyopt rsa_keygen_bits:${row.modulusBits}` : `-algorithm ${row.label}`;
}

/** Options of `openssl pkeyutl` or `dgst` that make it use one of our schemes. */
function signatureOptions(scheme: SchemeRow): string {
  if (scheme.hash === null) return "-rawin";
  const hash = `-rawin -digest ${scheme.hash.replace("-", "").toLowerCase()}`;
  return scheme.saltBytes === undefined
    ? hash
    : `${hash} -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:${scheme.saltBytes}`;
}

for (const row of keyRows()) {
  testWith(`${row.name}: OpenSSL reads our keys and verifies our signatures`, { needs: ["openssl"] }, async () => {
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
  });

  testWith(`${row.name}: we read OpenSSL's keys and verify its signatures`, { needs: ["openssl"] }, async () => {
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
    if (row.family !== "eddsa") {
      await openssl(tmp, "pkey -in key.pem -traditional -out traditional.pem");
      await openssl(tmp, "pkey -in key.pem -traditional -outform DER -out traditional.der");
      files.push("traditional.pem", "traditional.der");
    }
    for (const name of files) {
      using read = await openSoftwareKey(Deno.readFileSync(tmp.join(name)), SECRET);
      assert.deepEqual(read.spki, spki, name);
    }
    for (const name of row.schemes) {
      const scheme = findSchemeRow(name);
      await openssl(tmp, `pkeyutl -sign -inkey key.pem -in message -out signature ${signatureOptions(scheme)}`);
      const signature = Deno.readFileSync(tmp.join("signature"));
      assert.ok(await verifySignature({ spki, scheme, message: MESSAGE, signature }), name);
    }
  });
}

testWith("every encryption OpenSSL offers: read, or refused with how to convert", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  await openssl(tmp, `genpkey ${genpkey(findKeyRow("ecdsa-p256"))} -out key.pem`);
  const spki = await openssl(tmp, "pkey -in key.pem -pubout -outform DER");
  const read = [
    "-v2 aes-128-cbc",
    "-v2 aes-192-cbc",
    "-v2 aes-256-cbc -v2prf hmacWithSHA1",
    "-v2 aes-256-cbc -v2prf hmacWithSHA384",
    "-v2 aes-256-cbc -v2prf hmacWithSHA512 -iter 100000",
    "-scrypt",
    "-scrypt -scrypt_N 1024 -scrypt_r 8 -scrypt_p 2",
  ];
  for (const how of read) {
    await openssl(tmp, `pkcs8 -topk8 -in key.pem ${how} -passout env:PASS -out closed.pem`);
    const file = Deno.readFileSync(tmp.join("closed.pem"));
    using key = await openSoftwareKey(file, SECRET);
    assert.deepEqual(key.spki, spki, how);
    await assert.rejects(decodePrivateKey(file, new Secret("wrong")), /passphrase is wrong/);
  }
  const refused: [string, string][] = [
    ["pkcs8 -topk8 -in key.pem -v2 des3 -passout env:PASS -out closed.pem", "key.encryption_unsupported"],
    ["pkcs8 -topk8 -in key.pem -v1 PBE-SHA1-3DES -passout env:PASS -out closed.pem", "key.encryption_unsupported"],
    ["ec -in key.pem -aes256 -passout env:PASS -out closed.pem", "key.legacy_encryption"],
  ];
  for (const [command, code] of refused) {
    await openssl(tmp, command);
    await assert.rejects(decodePrivateKey(Deno.readFileSync(tmp.join("closed.pem")), SECRET), (error: unknown) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.code, code);
      assert.match(error.hint ?? "", /openssl pkcs8 -topk8/);
      return true;
    });
  }
});

testWith("the conversion that the hint names works", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  await openssl(tmp, `genpkey ${genpkey(findKeyRow("rsa-2048"))} -out key.pem`);
  await openssl(tmp, "rsa -in key.pem -traditional -aes256 -passout env:PASS -out FILE");
  await openssl(
    tmp,
    "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in FILE -out NEW -passin env:PASS -passout env:PASS",
  );
  using key = await openSoftwareKey(Deno.readFileSync(tmp.join("NEW")), SECRET);
  assert.equal(key.algorithm.name, "rsa-2048");
});

testWith("keys OpenSSL makes that have no row are named", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const cases: [string, string][] = [
    ["-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", "EC secp256k1"],
    ["-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1", "EC brainpoolP256r1"],
    ["-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", "EC with explicit parameters"],
    ["-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "RSA 1024"],
    ["-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", "RSA-PSS"],
    ["-algorithm X25519", "X25519"],
  ];
  for (const [options, description] of cases) {
    await openssl(tmp, `genpkey ${options} -out key.pem`);
    await assert.rejects(decodePrivateKey(Deno.readFileSync(tmp.join("key.pem"))), (error: unknown) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.code, "algorithm.unsupported", options);
      assert.equal(error.object, description);
      return true;
    });
    const pub = await openssl(tmp, "pkey -in key.pem -pubout");
    const [block] = decodePem(new TextDecoder().decode(pub));
    const info = describeSpki(block!.bytes);
    assert.equal(info.row, undefined);
    assert.ok(info.description.startsWith(description), info.description);
  }
});

testWith(
  "unusual but valid: compressed point in the file, EC PARAMETERS before the key",
  { needs: ["openssl"] },
  async () => {
    using tmp = tempFolder();
    await openssl(tmp, "ecparam -genkey -name prime256v1 -out parameters.pem");
    using key = await openSoftwareKey(Deno.readFileSync(tmp.join("parameters.pem")));
    await openssl(tmp, "ec -in parameters.pem -conv_form compressed -out compressed.pem");
    using compressed = await openSoftwareKey(Deno.readFileSync(tmp.join("compressed.pem")));
    assert.deepEqual(compressed.spki, key.spki);
    await openssl(tmp, "ec -in parameters.pem -no_public -out bare.pem");
    using bare = await openSoftwareKey(Deno.readFileSync(tmp.join("bare.pem")));
    assert.deepEqual(bare.spki, key.spki);
  },
);
