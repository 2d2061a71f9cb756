import assert from "node:assert/strict";
import { run, runCli, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

const ALGORITHMS = ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "ed448", "rsa-2048", "rsa-3072"];

testWith("csr gen makes requests that openssl verifies, for every algorithm", { needs: ["openssl"] }, async (t) => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  for (const algorithm of ALGORITHMS) {
    await t.step(algorithm, async () => {
      const [key, csr] = [`${algorithm}.key`, `${algorithm}.csr`];
      await runOk(["csr", "gen", "-a", algorithm, "--keyout", key, "--cn", "host.test", "--out", csr], at);
      assert.equal(Deno.statSync(tmp.join(key)).mode! & 0o777, 0o600);
      const judged = await run("openssl", ["req", "-in", csr, "-verify", "-noout", "-text"], at);
      assert.equal(judged.code, 0, judged.stderr);
      assert.match(judged.stderr + judged.stdout, /verify OK/i);
      assert.match(judged.stdout, /Subject: CN ?= ?host\.test\n/);
      assert.match(judged.stdout, /Attributes:\s+\(none\)/);
      assert.doesNotMatch(judged.stdout, /X509v3/);
      const pkey = await run("openssl", ["pkey", "-in", key, "-pubout"], at);
      const req = await run("openssl", ["req", "-in", csr, "-pubkey", "-noout"], at);
      assert.equal(pkey.stdout, req.stdout);
      assert.match((await runOk(["csr", "verify", csr], at)).stdout, /^VALID\n {2}\S+: [\w-]+\n$/);
    });
  }
});

testWith("only what was written enters the request", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  const names = ["--cn", "Jürgen", "--org", "O", "--ou", "U", "--country", "DE", "--dns", "a.test", "--dns", "b.test"];
  const more = ["--ip", "192.0.2.1", "--ip", "2001:db8::1", "--email", "x@a.test", "--uri", "https://a.test/x"];
  const key = ["--algorithm", "ecdsa-p256", "--keyout", "k.pem"];
  const made = await runOk(["csr", "gen", ...key, ...names, ...more], at);
  assert.match(made.stdout, /^-----BEGIN CERTIFICATE REQUEST-----\n/);
  const judged = await run("openssl", ["req", "-noout", "-text", "-nameopt", "RFC2253,-esc_msb"], {
    ...at,
    stdin: made.stdout,
  });
  assert.match(judged.stdout, /Subject: CN=Jürgen,OU=U,O=O,C=DE\n/);
  assert.match(
    judged.stdout,
    /DNS:a\.test, DNS:b\.test, IP Address:192\.0\.2\.1, IP Address:2001:DB8:0:0:0:0:0:1, email:x@a\.test, URI:https:\/\/a\.test\/x/,
  );
  assert.equal(judged.stdout.match(/X509v3 /g)?.length, 1);
});

testWith("csr gen with an existing key, encrypted or not, and never over a key", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { PASS: "secret" } };
  const base = ["csr", "gen", "--cn", "x"];
  await runOk([...base, "-a", "ecdsa-p256", "--keyout", "k.pem", "--passphrase", "env:PASS", "--out", "1.csr"], at);
  assert.match(tmp.read("k.pem"), /BEGIN ENCRYPTED PRIVATE KEY/);
  const before = tmp.read("k.pem");
  await runOk([...base, "--key", "k.pem", "--passphrase", "env:PASS", "--out", "2.csr"], at);
  const [first, second] = await Promise.all(["1.csr", "2.csr"].map((file) => runJson(["csr", "info", file], at)));
  assert.deepEqual(
    (first as Record<string, unknown>)["spki_sha256"],
    (second as Record<string, unknown>)["spki_sha256"],
  );

  const refused = await runCli([...base, "-a", "ecdsa-p256", "--keyout", "k.pem", "--out", "3.csr"], at);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /"k\.pem"|k\.pem": the file exists/);
  assert.equal(tmp.read("k.pem"), before);
  const csrThere = await runCli([...base, "-a", "ecdsa-p256", "--keyout", "new.pem", "--out", "1.csr"], at);
  assert.equal(csrThere.code, 1);
  assert.throws(() => tmp.read("new.pem"), Deno.errors.NotFound, "no key may be made when the request has no place");

  const forced = await runOk([...base, "-a", "ed25519", "--keyout", "k.pem", "--out", "1.csr", "--force"], at);
  assert.match(forced.stderr, /warning: .*k\.pem" is replaced/);
  assert.notEqual(tmp.read("k.pem"), before);
  assert.equal(Deno.statSync(tmp.join("k.pem")).mode! & 0o777, 0o600);
  assert.deepEqual([...Deno.readDirSync(tmp.path)].map((e) => e.name).sort(), ["1.csr", "2.csr", "k.pem"]);
});

testWith("csr gen with a profile takes names, extensions and algorithm from it", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  const profile = ["--profile", "ec/tls-server", "--var", "cn=www.test", "--var", "dns_names=www.test"];
  await runOk(["csr", "gen", ...profile, "--keyout", "k.pem", "--out", "p.csr"], at);
  const judged = await run("openssl", ["req", "-in", "p.csr", "-verify", "-noout", "-text"], at);
  assert.match(judged.stdout, /ASN1 OID: prime256v1/);
  assert.match(judged.stdout, /TLS Web Server Authentication/);
  assert.match(judged.stdout, /DNS:www\.test/);
  const cases: [string[], number, RegExp][] = [
    [["csr", "gen", ...profile, "--keyout", "n.pem", "--cn", "x"], 2, /--cn with --profile/],
    [["csr", "gen", ...profile, "--keyout", "n.pem", "-a", "rsa-2048"], 4, /--algorithm says RSA 2048/],
    [["csr", "gen", "--profile", "ec/nothing", "--keyout", "n.pem"], 4, /ec\/nothing/],
  ];
  for (const [args, code, message] of cases) {
    const result = await runCli(args, at);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, message);
  }
});

const PAIR = ["--cn", "x", "-a", "ecdsa-p256", "--keyout", "k", "--hybrid-keyout", "l"];

Deno.test("csr gen refuses wrong usage before it makes anything", async () => {
  using tmp = tempFolder();
  const cases: [string[], number, RegExp][] = [
    [["--cn", "x"], 2, /none of --key, --keyout and --hsm-config/],
    [["--cn", "x", "--keyout", "k.pem"], 2, /--algorithm is missing/],
    [["--cn", "x", "--keyout", "k.pem", "--key", "l.pem", "-a", "ed25519"], 2, /--key and --keyout/],
    [["--keyout", "k.pem", "-a", "ed25519"], 2, /no name is stated/],
    [["--cn", "x", "--keyout", "k.pem", "-a", "ecdsa-p257"], 2, /Did you mean "ecdsa-p256"/],
    [["--cn", "x", "--keyout", "k.pem", "-a", "ed25519", "--country", "Germany"], 2, /C "Germany"/],
    [["--cn", "x", "--keyout", "k.pem", "-a", "ed25519", "--ip", "1.2.3"], 2, /1\.2\.3/],
    [["--cn", "x", "--keyout", "k.pem", "-a", "ed25519", "--dns", "a b"], 2, /a b/],
    [["--cn", "x", "--keyout", "k.pem", "-a", "ed25519", "--var", "cn=x"], 2, /--var without --profile/],
    [["--cn", "x", "--keyout", "k.pem", "-a", "ed25519", "--hybrid", "ml-dsa-65"], 2, /--hybrid-keyout is missing/],
    [["--cn", "x", "--keyout", "k", "-a", "ed25519", "--hybrid-keyout", "l"], 2, /neither --hybrid nor --composite/],
    [[...PAIR, "--hybrid", "ml-dsa-44", "--composite", "ml-dsa-44"], 2, /--hybrid together with --composite/],
    [[...PAIR, "--hybrid", "ed25519"], 2, /post-quantum signature algorithm here, not Ed25519/],
    [[...PAIR, "--hybrid", "ml-kem-768"], 2, /post-quantum signature algorithm here, not ML-KEM-768/],
    [[...PAIR, "--composite", "ml-dsa-87"], 4, /no composite algorithm is registered[\s\S]*ecdsa-p256 with ml-dsa-44/],
    [["--cn", "x", "--keyout", "k", "-a", "ml-dsa-65", "--hybrid", "ml-dsa-65"], 2, /classical algorithm stands first/],
    [["--cn", "x", "--keyout", "k", "-a", "ml-kem-768"], 2, /ML-KEM-768: it cannot sign, and --attest-cert is missing/],
    [["--cn", "x", "--keyout", "k", "-a", "ml-kem-768", "--attest-key", "a"], 2, /--attest-key without --attest-cert/],
    [["--cn", "x", "--keyout", "k", "-a", "ed25519", "--include-cert"], 2, /--include-cert without --attest-cert/],
    [["--cn", "x", "--key", "absent.pem"], 4, /absent\.pem/],
    [["--cn", "x", "--key-label", "k"], 2, /--hsm-config is missing/],
  ];
  for (const [args, code, message] of cases) {
    const result = await runCli(["csr", "gen", ...args], { cwd: tmp.path });
    assert.equal(result.code, code, `${args.join(" ")}\n${result.stderr}`);
    assert.match(result.stderr, message);
    assert.deepEqual([...Deno.readDirSync(tmp.path)], [], `${args.join(" ")} left something`);
  }
});

testWith("csr verify says no with a reason, and reads what others make", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  const subject = ["-subj", "/C=FR/CN=other"];
  await run(
    "openssl",
    ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", ...subject, "-out", "o.csr"],
    at,
  );
  const pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-sha384"];
  await run("openssl", ["req", "-new", "-key", "k", ...subject, ...pss, "-outform", "DER", "-out", "pss.der"], at);
  assert.match((await runOk(["csr", "verify", "o.csr"], at)).stdout, /^VALID\n {2}.*: SHA256-RSA\n$/);
  assert.deepEqual(await runJson(["csr", "verify", "pss.der"], at), {
    valid: true,
    subject: "C=FR,CN=other",
    signatures: [{ subject: "C=FR,CN=other", scheme: "SHA384-RSAPSS" }],
    possession: "proved",
  });
  const der = Deno.readFileSync(tmp.join("pss.der"));
  der[der.length - 5]! ^= 1;
  tmp.write("bad.der", der);
  const no = await runCli(["csr", "verify", "bad.der", "--json"], at);
  assert.equal(no.code, 1);
  assert.equal(JSON.parse(no.stdout).valid, false);
  assert.match((await runCli(["csr", "verify", "bad.der"], at)).stdout, /^INVALID: .*does not verify/);
  assert.match((await runOk(["csr", "info", "bad.der"], at)).stdout, /Signature: INVALID/);
  for (const [name, content] of [["cut.der", der.subarray(0, 100)], ["garbage", new Uint8Array(50)]] as const) {
    tmp.write(name, content);
    assert.equal((await runCli(["csr", "verify", name], at)).code, 4);
    assert.equal((await runCli(["csr", "info", name], at)).code, 4);
  }
});

testWith("csr gen in a token: makes a key once, uses it after", { needs: ["softhsm", "openssl"] }, async () => {
  using token = softhsmToken();
  const at = { cwd: token.folder, env: token.env };
  token.hsmYaml();
  const hsm = ["--hsm-config", "hsm.yaml", "--key-label", "server-key"];
  const absent = await runCli(["csr", "gen", ...hsm, "--cn", "x", "--out", "0.csr"], at);
  assert.equal(absent.code, 3, absent.stderr);
  assert.match(absent.stderr, /server-key/);
  const made = await runJson(["csr", "gen", ...hsm, "-a", "ecdsa-p384", "--cn", "x", "--out", "1.csr"], at) as Made;
  assert.equal(made.key.generated, true);
  assert.equal(made.key.storage.label, "server-key");
  for (const extra of [[], ["-a", "ecdsa-p384"]]) {
    const again = await runJson(["csr", "gen", ...hsm, ...extra, "--cn", "x"], at) as Made;
    assert.equal(again.key.generated, false);
    assert.equal(again.key.spki_sha256, made.key.spki_sha256);
  }
  const judged = await run("openssl", ["req", "-in", "1.csr", "-verify", "-noout"], at);
  assert.match(judged.stderr + judged.stdout, /verify OK/i);
  const wrong = await runCli(["csr", "gen", ...hsm, "-a", "rsa-2048", "--cn", "x"], at);
  assert.equal(wrong.code, 4, wrong.stderr);
  assert.match(wrong.stderr, /ECDSA P-384, not RSA 2048/);
  const taken = await runCli(
    ["csr", "gen", ...hsm.with(3, "other"), "-a", "ecdsa-p256", "--cn", "x", "--out", "1.csr"],
    at,
  );
  assert.equal(taken.code, 1);
  const keys = await runJson(["key", "list", "--hsm-config", "hsm.yaml"], at) as { keys: unknown[] };
  assert.equal(keys.keys.length, 1, "no key may be made when the request has no place");
});

interface Made {
  key: { generated: boolean; spki_sha256: string; storage: { label?: string } };
}
