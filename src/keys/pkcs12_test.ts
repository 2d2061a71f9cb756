import assert from "node:assert/strict";
import { findKeyRow } from "../alg/find.ts";
import { readDer, readOid, sequence, utf8String } from "../asn1/der.ts";
import { OID_DATA, OID_ENCRYPTED_DATA } from "../asn1/oid.ts";
import { Secret } from "../bytes.ts";
import { run } from "../../tests/support/cli.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { backEndOf } from "./back_end.ts";
import { encodePkcs12 } from "./pkcs12.ts";

/** Bytes that stand for a certificate: nobody looks into them here. */
const CERTIFICATE = sequence(utf8String("certificate"));

async function made(passphrase: string, iterations?: number): Promise<Uint8Array<ArrayBuffer>> {
  const row = findKeyRow("ecdsa-p256");
  const key = await backEndOf(row).generate(row);
  const content = { entries: [{ name: "né", certificate: CERTIFICATE, key }], others: [] };
  return await encodePkcs12(content, new Secret(passphrase), iterations);
}

Deno.test("certificates are encrypted, keys each by itself, and a MAC is over all", async () => {
  const pfx = readDer(await made("secret", 1));
  const [version, safe, mac] = pfx.children;
  assert.deepEqual([version!.content[0], pfx.children.length, mac!.children.length], [3, 3, 3]);
  const parts = readDer(safe!.children[1]!.children[0]!.content).children.map((part) => readOid(part.children[0]!));
  assert.deepEqual(parts, [OID_ENCRYPTED_DATA, OID_DATA]);
  assert.deepEqual([...mac!.children[2]!.content], [1]);
});

Deno.test("an empty passphrase is refused", async () => {
  await assert.rejects(made(""), { code: "passphrase.empty" });
});

testWith("OpenSSL accepts the MAC for passphrases of any length and alphabet", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  // lengths around the block of the hash, counted in UTF-16; a surrogate pair
  for (const passphrase of ["x", "ab".repeat(15), "y".repeat(31), "z".repeat(32), "w".repeat(100), "ключ 🔑"]) {
    Deno.writeFileSync(tmp.join("x.p12"), await made(passphrase, 10));
    // what it says of the certificate does not matter
    const at = { cwd: tmp.path, env: { P: passphrase, LC_ALL: "C.UTF-8" } };
    const { stderr } = await run("openssl", ["pkcs12", "-in", "x.p12", "-passin", "env:P", "-nocerts", "-noenc"], at);
    assert.doesNotMatch(stderr, /Mac verify error/, passphrase);
  }
  const wrong = await run("openssl", ["pkcs12", "-in", "x.p12", "-passin", "pass:other", "-noout"], { cwd: tmp.path });
  assert.match(wrong.stderr, /Mac verify error/);
});
