import assert from "node:assert/strict";
import { opensslFor } from "../../tests/support/openssl.ts";
import { genpkey, openssl, opensslReadsOurs, weReadOpenssls } from "../../tests/support/openssl_keys.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { findKeyRow, keyRows } from "../alg/find.ts";
import { decodePem, Secret } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { decodePrivateKey } from "./pkcs8.ts";
import { openSoftwareKey } from "./software.ts";
import { describeSpki } from "./spki.ts";

/** OpenSSL reads what we write, and we read what it writes: keys in every form, and signatures. */

const SECRET = new Secret("correct horse");

for (const row of keyRows()) {
  // the laboratory's OpenSSL judges post-quantum keys (tests/lab), and none knows composite ones
  if (opensslFor(row) !== "openssl") continue;
  const settings = { needs: ["openssl" as const] };
  testWith(`${row.name}: OpenSSL reads our keys and verifies our signatures`, settings, () => opensslReadsOurs(row));
  testWith(`${row.name}: we read OpenSSL's keys and verify its signatures`, settings, () => weReadOpenssls(row));
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
    ["-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP512r1", "EC brainpoolP512r1"],
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
