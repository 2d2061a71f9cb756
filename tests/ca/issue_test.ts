import assert from "node:assert/strict";
import { describe, runCli, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { openssl, treeOf } from "./support.ts";

interface Issued {
  serial: string;
  subject: string;
  path: string;
  pem?: string;
  ignored: string[];
}

/** A request made by OpenSSL; returns its path. */
async function request(tmp: TempFolder, name: string, args: string[], key = ["ec", "ec_paramgen_curve:P-256"]) {
  const [algorithm, ...options] = key as [string, ...string[]];
  const keyArgs = ["genpkey", "-algorithm", algorithm, ...options.flatMap((one) => ["-pkeyopt", one])];
  await openssl([...keyArgs, "-out", tmp.join(`${name}.key`)]);
  await openssl(["req", "-new", "-key", tmp.join(`${name}.key`), ...args, "-out", tmp.join(`${name}.csr`)]);
  return tmp.join(`${name}.csr`);
}

async function world(): Promise<TempFolder> {
  const tmp = tempFolder();
  const init = ["ca", "init", "--var", "cn=Root", "--profile"];
  await runOk([...init, "ec/root-ca", "-d", tmp.join("ca")]);
  return tmp;
}

function issueArgs(tmp: TempFolder, csr: string, ...more: string[]): string[] {
  return ["cert", "issue", "-d", tmp.join("ca"), "--profile", "ec/tls-server", "--csr", csr, ...more];
}

testWith("cert issue: names come from the profile's places, the rest is named in a warning", {
  needs: ["openssl"],
}, async () => {
  using tmp = await world();
  const csr = await request(tmp, "rich", [
    ...["-subj", "/C=FR/O=Acme/CN=www.test/title=King"],
    ...["-addext", "subjectAltName=DNS:www.test,DNS:api.test,IP:10.0.0.1,email:x@www.test,URI:http://www.test/"],
    ...["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign"],
  ]);
  const out = tmp.join("rich.crt");
  const result = await runOk(issueArgs(tmp, csr, "--out", out));
  assert.match(result.stderr, /^warning: Not taken from the request: .*title=King/m);
  assert.match(result.stderr, /email=x@www\.test, URI=http:\/\/www\.test\/, .*basicConstraints.*keyUsage/);
  const text = await openssl(["x509", "-in", out, "-noout", "-text"]);
  assert.match(text, /Subject: C ?= ?FR, O ?= ?Acme, CN ?= ?www\.test\n/);
  assert.match(text, /DNS:www\.test, DNS:api\.test, IP Address:10\.0\.0\.1\n/);
  assert.match(text, /CA:FALSE/);
  assert.doesNotMatch(text, /Certificate Sign|King|x@www|http/);
  const [serial] = treeOf(tmp.join("ca/issued"));
  assert.equal(tmp.read(`ca/issued/${serial}`), Deno.readTextFileSync(out));
});

testWith("cert issue: the operator's names win over the request's", { needs: ["openssl"] }, async () => {
  using tmp = await world();
  const csr = await request(tmp, "other", ["-subj", "/CN=evil.test", "-addext", "subjectAltName=DNS:evil.test"]);
  const args = issueArgs(tmp, csr, "--cn", "good.test", "--dns", "good.test", "--dns", "api.good.test", "--ip", "::1");
  const issued = await runJson(args) as Issued;
  assert.equal(issued.subject, "CN=good.test");
  assert.deepEqual(issued.ignored, ["CN=evil.test", "DNS=evil.test"]);
  const text = await openssl(["x509", "-noout", "-text"], issued.pem);
  assert.match(text, /DNS:good\.test, DNS:api\.good\.test, IP Address:0:0:0:0:0:0:0:1\n/);
  assert.doesNotMatch(text, /evil/);
});

testWith("cert issue: a request's names pass the profile's checks", { needs: ["openssl"] }, async () => {
  using tmp = await world();
  const cases: [subject: string, san: string, message: RegExp][] = [
    ["/CN=not a host", "DNS:ok.test", /"cn"/],
    ["/CN=ok.test", "DNS:*.co.uk", /"dns_names"/],
    ["/CN=ok.test/C=fr", "DNS:ok.test", /"country"/],
  ];
  for (const [i, [subject, san, message]] of cases.entries()) {
    const csr = await request(tmp, `bad${i}`, ["-subj", subject, "-addext", `subjectAltName=${san}`]);
    const result = await runCli(issueArgs(tmp, csr));
    assert.equal(result.code, 4, describe(subject, result));
    assert.match(result.stderr, message);
  }
  assert.equal(tmp.read("ca/index.txt"), "");
  assert.deepEqual(treeOf(tmp.join("ca/issued")), []);
});

testWith("cert issue: the key must be of the profile's family and strength", { needs: ["openssl"] }, async () => {
  using tmp = await world();
  const subject = ["-subj", "/CN=key.test"];
  const stronger = await request(tmp, "p384", subject, ["ec", "ec_paramgen_curve:P-384"]);
  await runOk(issueArgs(tmp, stronger));
  const cases: [name: string, key: string[], message: RegExp][] = [
    ["rsa", ["rsa", "rsa_keygen_bits:2048"], /RSA 2048.*ECDSA P-256/],
    ["ed25519", ["ed25519"], /Ed25519.*ECDSA P-256/],
    ["secp256k1", ["ec", "ec_paramgen_curve:secp256k1"], /secp256k1.*not supported/],
    ["rsa1024", ["rsa", "rsa_keygen_bits:1024"], /1024 bits, less than 2048/],
    ["e3", ["rsa", "rsa_keygen_bits:2048", "rsa_keygen_pubexp:3"], /exponent is 3/],
    ["e257", ["rsa", "rsa_keygen_bits:2048", "rsa_keygen_pubexp:257"], /exponent is 257/],
  ];
  for (const [name, key, message] of cases) {
    const result = await runCli(issueArgs(tmp, await request(tmp, name, subject, key)));
    assert.equal(result.code, 4, describe(name, result));
    assert.match(result.stderr, message);
  }
  assert.equal(tmp.read("ca/index.txt").split("\n").length, 2);
});

testWith("cert issue: outputs, validity, and what is refused", { needs: ["openssl"] }, async () => {
  using tmp = await world();
  const csr = await request(tmp, "a", ["-subj", "/CN=a.test"]);
  const printed = await runOk(issueArgs(tmp, csr, "--days", "30"));
  assert.match(printed.stdout, /^-----BEGIN CERTIFICATE-----\n[\s\S]*-----END CERTIFICATE-----\n$/);
  const dates = await openssl(["x509", "-noout", "-startdate", "-enddate"], printed.stdout);
  const [from, to] = dates.trim().split("\n").map((line) => Date.parse(line.split("=")[1]!)) as [number, number];
  assert.equal((to - from) / 86_400_000, 30);

  const before = tmp.read("ca/index.txt");
  tmp.write("taken.crt", "mine");
  const cases: [args: string[], exit: number, message: RegExp][] = [
    [issueArgs(tmp, csr, "--out", tmp.join("taken.crt")), 1, /exists/],
    [issueArgs(tmp, csr, "--validity", "40y"), 4, /ends \d{4}-/],
    [issueArgs(tmp, csr, "--days", "0"), 2, /--days/],
    [issueArgs(tmp, csr, "--days", "3", "--validity", "3d"), 2, /together/],
    [issueArgs(tmp, csr, "--var", "nonsense=1"), 4, /nonsense/],
    [issueArgs(tmp, tmp.join("none.csr")), 4, /no such file/],
    [issueArgs(tmp, tmp.join("a.key")), 4, /certificate request/],
  ];
  for (const [args, exit, message] of cases) {
    const result = await runCli(args);
    assert.equal(result.code, exit, describe(args.join(" "), result));
    assert.match(result.stderr, message);
  }
  assert.equal(tmp.read("ca/index.txt"), before);
  assert.equal(tmp.read("taken.crt"), "mine");
  await runOk(issueArgs(tmp, csr, "--out", tmp.join("taken.crt"), "--force"));
  assert.match(tmp.read("taken.crt"), /BEGIN CERTIFICATE/);
});

testWith("cert issue: GnuTLS's requests are taken", { needs: ["gnutls", "openssl"] }, async () => {
  using tmp = await world();
  const template = tmp.write(
    "template",
    'cn = "gnutls.test"\norganization = "Acme"\ndns_name = "gnutls.test"\ntls_www_server\n',
  );
  const run = async (args: string[]) => {
    const { success, stderr } = await new Deno.Command("certtool", { args, stdout: "null", stderr: "piped" }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  const key = tmp.join("g.key");
  await run(["--generate-privkey", "--key-type", "ecdsa", "--curve", "secp256r1", "--outfile", key]);
  await run(["--generate-request", "--load-privkey", key, "--template", template, "--outfile", tmp.join("g.csr")]);
  const issued = await runJson(issueArgs(tmp, tmp.join("g.csr"))) as Issued;
  assert.equal(issued.subject, "O=Acme,CN=gnutls.test");
  tmp.write("g.crt", issued.pem!);
  await openssl(["verify", "-CAfile", tmp.join("ca/ca.crt"), tmp.join("g.crt")]);
});

testWith("cert list, info, revoke: serials in any spelling, each revocation once", { needs: ["openssl"] }, async () => {
  using tmp = await world();
  const ca = tmp.join("ca");
  const csr = await request(tmp, "a", ["-subj", "/CN=a.test"]);
  const [one, two] = [await runJson(issueArgs(tmp, csr)) as Issued, await runJson(issueArgs(tmp, csr)) as Issued];
  const spelled = `0x${one.serial.toLowerCase()}`;
  const info = await runJson(["cert", "info", spelled, "-d", ca]) as { status: string };
  assert.equal(info.status, "valid");
  await runOk(["cert", "revoke", spelled, "-d", ca, "--reason", "key-compromise", "--gen-crl"]);
  const again = await runCli(["cert", "revoke", one.serial, "-d", ca]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /was revoked on .*keyCompromise/);
  await runOk(["cert", "revoke", two.serial, "-d", ca, "--reason", "certificateHold"]);
  await runOk(["cert", "revoke", two.serial, "-d", ca, "--reason", "PrivilegeWithdrawn"]);
  const { certificates } = await runJson(["cert", "list", "-d", ca, "--status", "revoked"]) as {
    certificates: { serial: string; reason: string }[];
  };
  assert.deepEqual(certificates.map((each) => [each.serial, each.reason]), [
    [one.serial, "keyCompromise"],
    [two.serial, "privilegeWithdrawn"],
  ]);
  assert.match((await runOk(["cert", "list", "-d", ca, "--status", "valid"])).stdout, /No valid certificates/);
  for (
    const [args, exit] of [
      [["cert", "revoke", "00ABCD", "-d", ca], 4],
      [["cert", "revoke", "xyz", "-d", ca], 4],
      [["cert", "revoke", one.serial, "-d", ca, "--reason", "whim"], 2],
      [["cert", "revoke", one.serial, "-d", ca, "--reason", "removeFromCRL"], 2],
      [["cert", "info", "nonexistent", "-d", ca], 4],
    ] as const
  ) {
    const result = await runCli(args);
    assert.equal(result.code, exit, describe(args.join(" "), result));
  }
  const crl = await runJson(["crl", "gen", "-d", ca]) as { number: string; revoked: number };
  assert.deepEqual([crl.number, crl.revoked], ["02", 2]);
  const text = await openssl(["crl", "-in", `${ca}/crl/ca.crl`, "-noout", "-text"]);
  assert.match(text, /Key Compromise[\s\S]*Privilege Withdrawn/);
});

testWith(
  "index.txt and crlnumber are OpenSSL's: openssl ca reads and continues them",
  { needs: ["openssl"] },
  async () => {
    using tmp = await world();
    const ca = tmp.join("ca");
    const csr = await request(tmp, "a", ["-subj", "/CN=é \\/ odd,test/O=A"]);
    // the same subject several times: index.txt.attr must allow it
    const args = ["cert", "issue", "-d", ca, "--profile", "ec/signing", "--csr", csr];
    const serials: string[] = [];
    for (let i = 0; i < 4; i++) serials.push((await runJson(args) as Issued).serial);
    const reasons = ["cACompromise", "privilegeWithdrawn", "unspecified"];
    for (const [i, reason] of reasons.entries()) {
      await runOk(["cert", "revoke", serials[i]!, "-d", ca, "--reason", reason]);
    }
    const conf = tmp.write(
      "openssl.cnf",
      `[ca]\ndefault_ca = own\n[own]\ndatabase = ${ca}/index.txt\ncrlnumber = ${ca}/crlnumber\ndefault_md = sha384\n` +
        `default_crl_days = 7\ncertificate = ${ca}/ca.crt\nprivate_key = ${ca}/versions/v1/keys/ca.ecdsa-p384.key\n`,
    );
    for (const [i, serial] of serials.entries()) {
      const { stderr } = await new Deno.Command("openssl", {
        args: ["ca", "-config", conf, "-status", serial],
        stdout: "null",
        stderr: "piped",
      }).output();
      assert.match(new TextDecoder().decode(stderr), i < 3 ? /=Revoked \(R\)/ : /=Valid \(V\)/);
    }
    await runOk(["crl", "gen", "-d", ca]);
    const theirs = await openssl(["crl", "-noout", "-text"], await openssl(["ca", "-config", conf, "-gencrl"]));
    for (const serial of serials.slice(0, 3)) assert.ok(theirs.includes(serial));
    assert.ok(!theirs.includes(serials[3]!));
    assert.match(theirs, /CRL Number:\s+2\n[\s\S]*CA Compromise/);
    // and ours goes on where OpenSSL stopped
    assert.equal((await runJson(["crl", "gen", "-d", ca]) as { number: string }).number, "03");
    await openssl(["ca", "-config", conf, "-revoke", `${ca}/issued/${serials[3]}.pem`, "-crl_reason", "superseded"]);
    const { certificates } = await runJson(["cert", "list", "-d", ca]) as { certificates: { reason: string }[] };
    assert.deepEqual(certificates.map((each) => each.reason), [...reasons, "superseded"]);
  },
);
