import assert from "node:assert/strict";
import { run, runCli, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

const MAKE = `set -e
openssl ecparam -name prime256v1 -genkey -noout -out sec1.pem
openssl pkcs8 -topk8 -nocrypt -in sec1.pem -out pkcs8.pem
openssl pkcs8 -topk8 -passout pass:x -in sec1.pem -out encrypted.pem
openssl ec -in sec1.pem -aes128 -passout pass:x -out legacy.pem
openssl pkey -in sec1.pem -pubout -out public.pem
openssl genrsa -traditional -out rsa.pem 2048
openssl rsa -in rsa.pem -RSAPublicKey_out -out rsapublic.pem
openssl req -new -x509 -key sec1.pem -subj /CN=ca.test -out cert.pem
openssl req -new -key rsa.pem -subj /CN=req.test -out csr.pem
openssl crl2pkcs7 -nocrl -certfile cert.pem -outform DER -out cms.der
openssl pkcs12 -export -in cert.pem -inkey sec1.pem -passout pass:x -out bag.p12
for kind in cert:x509 csr:req; do openssl \${kind#*:} -in \${kind%:*}.pem -outform DER -out \${kind%:*}.der; done
cat cert.pem csr.pem pkcs8.pem > bundle.pem
printf '\\322\\204\\101\\240\\240\\101\\001\\101\\012' > sign1.cbor
`;

const EXPECTED: readonly [file: string, types: string[], text: RegExp][] = [
  ["cert.pem", ["certificate"], /X\.509 certificate \(PEM\)[\s\S]*ca\.test/],
  ["cert.der", ["certificate"], /X\.509 certificate \(DER\)/],
  ["csr.pem", ["csr"], /req\.test/],
  ["csr.der", ["csr"], /\(DER\)/],
  ["sec1.pem", ["ec_private_key"], /ECDSA P-256/],
  ["pkcs8.pem", ["private_key"], /ECDSA P-256[\s\S]*[0-9a-f]{64} \(public key\)/],
  ["encrypted.pem", ["encrypted_private_key"], /the key is encrypted/],
  ["legacy.pem", ["ec_private_key"], /AES-128-CBC, old PEM encryption/],
  ["public.pem", ["public_key"], /ECDSA P-256/],
  ["rsa.pem", ["rsa_private_key"], /RSA 2048/],
  ["rsapublic.pem", ["rsa_public_key"], /RSA 2048/],
  ["cms.der", ["cms"], /CMS message/],
  ["bag.p12", ["pkcs12"], /PKCS #12/],
  ["sign1.cbor", ["cose"], /COSE_Sign1/],
  ["bundle.pem", ["certificate", "csr", "private_key"], /request/],
];

testWith("inspect says what a file is", { needs: ["openssl"] }, async (t) => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  const made = await run("sh", ["-c", MAKE], at);
  assert.equal(made.code, 0, made.stderr);
  for (const [file, types, text] of EXPECTED) {
    await t.step(file, async () => {
      const json = await runJson(["inspect", file], at) as { objects: { type: string }[] };
      assert.deepEqual(json.objects.map((object) => object.type), types);
      assert.match((await runOk(["inspect", file], at)).stdout, text);
    });
  }
  await t.step("no private value is shown", async () => {
    const scalar = await run("openssl", ["ec", "-in", "sec1.pem", "-text", "-noout"], at);
    const hex = /priv:([\s\S]*?)pub:/.exec(scalar.stdout)![1]!.replace(/[\s:]/g, "");
    const shown = (await runOk(["inspect", "pkcs8.pem", "--json"], at)).stdout;
    assert.ok(hex.length >= 62 && !shown.toLowerCase().includes(hex.slice(2)));
  });
});

Deno.test("inspect on garbage is exit 4 with a message", async () => {
  using tmp = tempFolder();
  const cases: [string, string | Uint8Array][] = [
    ["empty", ""],
    ["text", "hello\n"],
    ["zeros", new Uint8Array(1000)],
    ["cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB"],
    ["wrong.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"],
    ["notbase64.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"],
    ["deep.der", Uint8Array.fromHex("3080".repeat(200))],
  ];
  for (const [name, content] of cases) {
    tmp.write(name, content);
    const result = await runCli(["inspect", name], { cwd: tmp.path });
    assert.equal(result.code, 4, `${name}: ${result.stderr}`);
    assert.match(result.stderr, /^error: Cannot .*in "/);
    assert.doesNotMatch(result.stderr, /internal|\bat file:/i);
  }
  assert.equal((await runCli(["inspect", "absent"], { cwd: tmp.path })).code, 4);
  assert.equal((await runCli(["inspect"], { cwd: tmp.path })).code, 2);
});
