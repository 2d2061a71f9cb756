import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow, keyRows } from "../../src/alg/find.ts";
import { decodePrivateKey } from "../../src/keys/pkcs8.ts";
import { generateSoftwareKey, openSoftwareKey } from "../../src/keys/software.ts";
import { verifySignature } from "../../src/keys/verify.ts";
import { crossCheck, isSlow } from "../support/back_ends.ts";
import { opensslFor } from "../support/openssl.ts";
import { bytesOf, openssl, opensslReadsOurs, weReadOpenssls } from "../support/openssl_keys.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

/** Post-quantum keys in files, their signatures and secrets, with OpenSSL 3.5 or later on the other side. */

const LAB = { needs: ["lab" as const, "openssl-pqc" as const] };
const MESSAGE = new TextEncoder().encode("a message to sign\n");

for (const row of keyRows()) {
  if (opensslFor(row) !== "openssl-pqc") continue;
  testWith(`${row.name}: OpenSSL reads our keys, verifies and encapsulates`, LAB, () => opensslReadsOurs(row));
  testWith(`${row.name}: we read OpenSSL's keys, verify and encapsulate`, LAB, () => weReadOpenssls(row));
}

for (const row of keyRows().filter(({ seedBytes }) => seedBytes !== undefined)) {
  testWith(`${row.name}: each form of OpenSSL's private keys is read, told and written again`, LAB, async () => {
    using tmp = tempFolder();
    const forms = { "seed-only": "seed", "priv-only": "expanded", "seed-priv": "both" } as const;
    const option = `-provparam ${row.family}.output_formats`;
    await openssl(tmp, `genpkey -algorithm ${row.label} -out key.pem`);
    const spki = await openssl(tmp, "pkey -in key.pem -pubout -outform DER");
    for (const [format, form] of Object.entries(forms)) {
      await openssl(tmp, `pkey -in key.pem ${option}=${format} -outform DER -out key.der`);
      const file = bytesOf(tmp, "key.der");
      const read = await decodePrivateKey(file);
      assert.equal(read.form, form);
      using key = await openSoftwareKey(file);
      assert.deepEqual(key.spki, spki);
      const written = await key.encode({ format: "der" });
      // both is written as the seed, which is what RFC 9881 and RFC 9935 recommend
      if (form !== "both") assert.deepEqual(written, file);
      tmp.write("written.der", written);
      assert.deepEqual(await openssl(tmp, "pkey -inform DER -in written.der -pubout -outform DER"), spki);
      for (const name of row.schemes) {
        const scheme = findSchemeRow(name);
        const signature = await key.signer(scheme).sign(MESSAGE);
        assert.ok(await verifySignature({ spki, scheme, message: MESSAGE, signature }), form);
      }
    }
    for (const format of ["bare-seed", "bare-priv"]) {
      await openssl(tmp, `pkey -in key.pem ${option}=${format} -outform DER -out key.der`);
      await assert.rejects(decodePrivateKey(bytesOf(tmp, "key.der")), format);
    }
  });
}

for (const row of keyRows().filter(({ family }) => family === "ml-dsa")) {
  testWith(`${row.name}: contexts, both ways`, LAB, async () => {
    using tmp = tempFolder();
    using key = await generateSoftwareKey(row);
    const scheme = findSchemeRow(row.schemes[0]!);
    const contexts = [Uint8Array.of(1), new TextEncoder().encode("COMPSIG"), new Uint8Array(255).fill(7)];
    tmp.write("message", MESSAGE);
    tmp.write("key.pem", await key.toPem());
    for (const context of contexts) {
      const options = `-rawin -inkey key.pem -in message -pkeyopt hexcontext-string:${context.toHex()}`;
      tmp.write("signature", await key.signer(scheme, { context }).sign(MESSAGE));
      await openssl(tmp, `pkeyutl -verify ${options} -sigfile signature`);
      await openssl(tmp, `pkeyutl -sign ${options} -out theirs`);
      const theirs = { spki: key.spki, scheme, message: MESSAGE, signature: bytesOf(tmp, "theirs") };
      assert.equal(await verifySignature({ ...theirs, context }), true);
      assert.equal(await verifySignature(theirs), false);
      assert.equal(await verifySignature({ ...theirs, context: Uint8Array.of(9) }), false);
    }
  });
}

for (const row of keyRows().filter(isSlow)) {
  testWith(`${row.name}: both back ends, each with the keys and signatures of the other`, LAB, async () => {
    await crossCheck(row, "webcrypto", "noble");
    await crossCheck(row, "noble", "webcrypto");
  });
}

testWith("an expanded key that was changed is refused by OpenSSL and by us alike", LAB, async () => {
  using tmp = tempFolder();
  const row = findKeyRow("ml-dsa-44");
  await openssl(
    tmp,
    `genpkey -algorithm ${row.label} -provparam ml-dsa.output_formats=priv-only -outform DER -out key.der`,
  );
  const file = bytesOf(tmp, "key.der");
  const start = file.length - row.expandedBytes!;
  // tr, s1 and t0 of FIPS 204 algorithm 24
  for (const at of [64, 130, row.expandedBytes! - 1]) {
    const changed = file.slice();
    changed[start + at]! ^= 1;
    tmp.write("changed.der", changed);
    await assert.rejects(openssl(tmp, "pkey -inform DER -in changed.der -check -noout"), String(at));
    await assert.rejects(decodePrivateKey(changed), String(at));
  }
});
