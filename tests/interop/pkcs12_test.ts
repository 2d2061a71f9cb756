/** PKCS#12 files that `credential export` writes, read by OpenSSL, GnuTLS and Java, and used by a TLS server and its client. */
import assert from "node:assert/strict";
import { describe, run, runCli, runOk } from "../support/cli.ts";
import { findExecutable, type Need, testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { startTlsServer, talkTls } from "../support/tls.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

const ENV = { KEY: "key secret", P12: "export secret", ACCENTS: "Schlüssel für €" };

interface World {
  tmp: TempFolder;
  at: { cwd: string; env: Record<string, string> };
}

function world(): World & Disposable {
  const tmp = tempFolder();
  return { tmp, at: { cwd: tmp.path, env: ENV }, [Symbol.dispose]: () => tmp[Symbol.dispose]() };
}

function exported(id: string, ...more: string[]): string[] {
  const args = ["credential", "export", id, "--format", "p12", "--out", `${id}.p12`];
  return [...args, "--export-passphrase", "env:P12", ...more];
}

testWith("OpenSSL reads keys and certificates, and finds which belong together", { needs: ["openssl"] }, async (t) => {
  using place = world();
  const { tmp, at } = place;
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  await runOk(["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Issuing", "--parent", "ca", "-d", "ica"], at);
  const profiles = ["-P", "ec/tls-client", "-P", "rsa/tls-client", "--var", "cn=alice", "-p", "env:KEY"];
  await runOk(["credential", "enroll", "alice", "-d", "ica", ...profiles], at);

  await t.step("both keys, with the chain", async () => {
    await runOk(exported("alice", "--passphrase", "env:KEY", "--bundle", "all"), at);
    assert.equal(Deno.statSync(tmp.join("alice.p12")).mode! & 0o777, 0o600);
    const read = ["pkcs12", "-in", "alice.p12", "-passin", "env:P12"];
    const info = await run("openssl", [...read, "-info", "-noenc"], at);
    assert.equal(info.code, 0, info.stderr);
    assert.match(info.stderr, /MAC: sha256, Iteration 600000/);
    assert.match(info.stderr, /PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256/);
    const count = (what: RegExp) => info.stdout.match(what)?.length;
    assert.deepEqual([count(/BEGIN PRIVATE KEY/g), count(/BEGIN CERTIFICATE/g)], [2, 4]);
    for (const [i, algorithm] of ["ecdsa-p256", "rsa-2048"].entries()) {
      const key = info.stdout.split("-----BEGIN PRIVATE KEY-----")[i + 1]!.split("-----END")[0]!;
      tmp.write("k.pem", `-----BEGIN PRIVATE KEY-----${key}-----END PRIVATE KEY-----\n`);
      const fromFile = await run("openssl", ["pkey", "-in", "k.pem", "-pubout"], at);
      const own = `credentials/alice/versions/v1/certs/credential.${algorithm}.pem`;
      assert.equal(fromFile.stdout, (await run("openssl", ["x509", "-in", own, "-noout", "-pubkey"], at)).stdout);
    }
    const wrong = await run("openssl", ["pkcs12", "-in", "alice.p12", "-passin", "pass:other", "-noout"], at);
    assert.notEqual(wrong.code, 0);
  });

  await t.step("a passphrase beyond ASCII", async () => {
    const args = ["credential", "export", "alice", "--format", "p12", "--out", "accents.p12"];
    const made = await runOk([...args, "-p", "env:KEY", "--export-passphrase", "env:ACCENTS"], at);
    assert.match(made.stderr, /beyond ASCII/);
    const read = await run("openssl", ["pkcs12", "-in", "accents.p12", "-passin", "env:ACCENTS", "-noout"], at);
    assert.equal(read.code, 0, read.stderr);
  });

  await t.step("bad calls", async () => {
    const base = ["credential", "export", "alice", "--format", "p12"];
    const cases: [string[], number, RegExp][] = [
      [[...base, "--export-passphrase", "env:P12"], 2, /name a file with --out/],
      [[...base, "--out", "x.p12", "-p", "env:KEY"], 2, /--export-passphrase is missing/],
      [[...base, "--out", "x.p12", "-p", "env:KEY", "--export-passphrase", ""], 2, /without a passphrase/],
      [[...base, "--out", "x.p12", "--export-passphrase", "env:P12"], 4, /it is encrypted, and no passphrase/],
      [[...base, "--out", "x.p12", "-p", "env:P12", "--export-passphrase", "env:P12"], 4, /the passphrase is wrong/],
      [[...base, "--out", "alice.p12", "-p", "env:KEY", "--export-passphrase", "env:P12"], 1, /the file exists/],
      [["credential", "export", "alice", "--export-passphrase", "env:P12"], 2, /without --format p12/],
    ];
    for (const [args, code, message] of cases) {
      const result = await runCli(args, at);
      assert.equal(result.code, code, describe(args.join(" "), result));
      assert.match(result.stderr, message);
      assert.doesNotMatch(result.stdout + result.stderr, /secret/);
    }
    assert.ok(![...Deno.readDirSync(tmp.path)].some(({ name }) => name === "x.p12"));
  });

  await t.step("every version with its keys", async () => {
    await runOk(["credential", "rotate", "alice", "-p", "env:KEY"], at);
    await runOk(exported("alice", "-p", "env:KEY", "--all", "--force"), at);
    const info = await run("openssl", ["pkcs12", "-in", "alice.p12", "-passin", "env:P12", "-noenc"], at);
    assert.equal(info.stdout.match(/BEGIN PRIVATE KEY/g)?.length, 4);
    assert.match(info.stdout, /friendlyName: alice v2 rsa\/tls-client/);
  });
});

testWith("GnuTLS reads the file", { needs: ["gnutls"] }, async () => {
  using place = world();
  const { at } = place;
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  await runOk(["credential", "enroll", "bob", "-P", "rsa/tls-client", "--var", "cn=bob"], at);
  await runOk(exported("bob", "--bundle", "all"), at);
  const info = ["--p12-info", "--inder", "--infile", "bob.p12", "--password", ENV.P12];
  const read = await run("certtool", info, at);
  assert.equal(read.code, 0, read.stderr);
  assert.match(read.stdout, /BEGIN ENCRYPTED PRIVATE KEY/);
  assert.equal(read.stdout.match(/BEGIN CERTIFICATE/g)?.length, 2);
});

const noJava = findExecutable("keytool") === undefined ? "keytool is not on PATH" : undefined;

testWith("Java reads the file, of a Catalyst and of an ML-DSA key too", { skip: noJava }, async () => {
  using place = world();
  const { at } = place;
  await runOk(["ca", "init", "--profile", "hybrid/catalyst/root-ca", "--var", "cn=Root"], at);
  for (const profile of ["ec/tls-client", "hybrid/catalyst/tls-client", "ml/tls-client"]) {
    const id = profile.replaceAll("/", "-");
    await runOk(["credential", "enroll", id, "-P", profile, "--var", "cn=carol"], at);
    await runOk(exported(id, "--bundle", "all"), at);
    const list = await run("keytool", ["-list", "-v", "-keystore", `${id}.p12`, "-storepass", ENV.P12], at);
    assert.equal(list.code, 0, list.stdout + list.stderr);
    assert.match(list.stdout, new RegExp(`Alias name: ${id}\\nCreation date: .*\\nEntry type: PrivateKeyEntry`));
    assert.match(list.stdout, /Certificate chain length: 2/);
  }
});

/** Server and client profile, and what an OpenSSL needs that knows them. */
const TLS: readonly [server: string, client: string, need: Need][] = [
  ["ec", "rsa", "openssl"],
  ["hybrid/catalyst", "ec", "openssl-pqc"],
  ["ml", "ml", "openssl-pqc"],
];

for (const [server, client, need] of TLS) {
  testWith(
    `a TLS server and its client use what is in their files: ${server}, ${client}`,
    { needs: [need] },
    async () => {
      using place = world();
      const { tmp, at } = place;
      const roots = ["ec", "ml", "hybrid/catalyst"].flatMap((family) => ["--profile", `${family}/root-ca`]);
      await runOk(["ca", "init", ...roots, "--var", "cn=Root"], at);
      const names = ["--var", "cn=www.test", "--var", "dns_names=www.test"];
      await runOk(["credential", "enroll", "server", "-P", `${server}/tls-server`, ...names], at);
      await runOk(["credential", "enroll", "client", "-P", `${client}/tls-client`, "--var", "cn=alice"], at);
      await runOk(["credential", "rotate", "server", "--activate"], at);
      for (const id of ["server", "client"]) {
        await runOk(exported(id, "--bundle", "chain"), at);
        const unpack = ["pkcs12", "-in", `${id}.p12`, "-passin", "env:P12", "-noenc"];
        for (const [file, ...what] of [[`${id}.key`, "-nocerts"], [`${id}.pem`, "-clcerts", "-nokeys"]]) {
          const done = await run("openssl", [...unpack, ...what, "-out", file!], at);
          assert.equal(done.code, 0, done.stderr);
        }
      }
      const credential = (id: string) => ["-cert", `${id}.pem`, "-key", `${id}.key`];
      await using tls = await startTlsServer(tmp, ["-tls1_3", ...credential("server")]);
      const said = await talkTls(tmp, tls.port, ["-tls1_3", ...credential("client")]);
      assert.match(said.stdout, /olleh/, said.stderr);
      assert.match(said.stderr, /Verification: OK/);
    },
  );
}

testWith("a key in a token stays there", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  token.hsmYaml();
  const at = { cwd: token.folder, env: { ...token.env, ...ENV } };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  const hsm = ["--hsm-config", "hsm.yaml", "--key-label", "dave-key"];
  await runOk(["credential", "enroll", "dave", "-P", "ec/tls-client", "--var", "cn=dave", ...hsm], at);
  const refused = await runCli(exported("dave"), at);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /its key "dave-key" is in the token of hsm\.yaml, and never leaves it/);
});
