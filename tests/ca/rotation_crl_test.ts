/** Revocation after rotations: each version's key signs the CRL of what it issued, and OpenSSL checks old and new alike. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { Work } from "../support/work.ts";
import { openssl } from "./support.ts";

interface Crls {
  crls: { path: string; version: string; number: string; revoked: number }[];
  missing?: { version: string; code: string }[];
}

/** Enrols and exports a certificate; its serial. */
async function leaf(work: Work, name: string): Promise<string> {
  await work.run("credential", "enroll", name, "-d", "ca", "-P", "ec/tls-client", "--var", `cn=${name}`);
  await work.run("credential", "export", name, "--out", `${name}.crt`);
  return (await work.certificate(`${name}.crt`)).serial;
}

/** Whether OpenSSL finds a certificate good by the CRLs of the folder. */
async function opensslAccepts(work: Work, name: string, version: string): Promise<boolean> {
  const at = work.tmp.join;
  const crls = [...Deno.readDirSync(at("ca/crl"))].filter((file) => file.name.endsWith(".crl"));
  work.tmp.write("all.crl", crls.map((file) => work.tmp.read(`ca/crl/${file.name}`)).join(""));
  try {
    await openssl([
      ...["verify", "-x509_strict", "-crl_check", "-CRLfile", at("all.crl")],
      ...["-CAfile", at(`ca/versions/${version}/certs/ca.ecdsa-p384.pem`), at(`${name}.crt`)],
    ]);
    return true;
  } catch (error) {
    assert.match(String(error), /certificate revoked/);
    return false;
  }
}

function crlFiles(work: Work): string[] {
  return [...Deno.readDirSync(work.tmp.join("ca/crl"))].map(({ name }) => name).sort();
}

testWith("regression list, row 4: CRLs of every version stay issuable", { needs: ["openssl"] }, async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  const old = [await leaf(work, "old-good"), await leaf(work, "old-bad")];
  await work.run("crl", "gen", "-d", "ca");
  await work.run("ca", "rotate", "-d", "ca");
  await work.run("ca", "activate", "-d", "ca", "-v", "v2");
  assert.deepEqual(crlFiles(work), ["ca.crl", "ca.crl.der", "ca.v1.crl", "ca.v1.crl.der"], "v1's stays fetchable");
  const young = [await leaf(work, "new-good"), await leaf(work, "new-bad")];
  // each revocation leads to the CRL of the version that issued
  const revoke = (serial: string) => work.json<Crls>("cert", "revoke", serial, "-d", "ca", "--gen-crl");
  assert.deepEqual((await revoke(old[1]!)).crls.map(({ path }) => path), ["ca/crl/ca.v1.crl"]);
  assert.deepEqual((await revoke(young[1]!)).crls.map(({ path }) => path), ["ca/crl/ca.crl"]);
  const { crls } = await work.json<Crls>("crl", "gen", "-d", "ca");
  assert.deepEqual(crls.map(({ version, path, revoked }) => [version, path, revoked]), [
    ["v2", "ca/crl/ca.crl", 1],
    ["v1", "ca/crl/ca.v1.crl", 1],
  ]);
  assert.equal(new Set(crls.map(({ number }) => number)).size, 2, "numbers are never shared");
  for (
    const [name, version, good] of [
      ["old-good", "v1", true],
      ["old-bad", "v1", false],
      ["new-good", "v2", true],
      ["new-bad", "v2", false],
    ] as const
  ) {
    assert.equal(await opensslAccepts(work, name, version), good, name);
    const { status, stdout, stderr } = await work.try("cert", "verify", `${name}.crt`, "--ca", "ca");
    assert.equal(status, good ? 0 : 1, stdout);
    assert.equal(stderr, "");
  }
  const list = await work.json<{ crls: { version: string }[] }>("crl", "list", "-d", "ca");
  assert.deepEqual(list.crls.map(({ version }) => version), ["v2", "v1"]);
  for (const file of ["ca.crl", "ca.v1.crl"]) await work.run("crl", "verify", `ca/crl/${file}`, "--ca", "ca");
  await work.run("ca", "check", "-d", "ca");

  // back again: the names follow
  await work.run("ca", "activate", "-d", "ca", "-v", "v1");
  const back = await work.json<Crls>("crl", "gen", "-d", "ca");
  assert.deepEqual(back.crls.map(({ version, path }) => [version, path]), [
    ["v1", "ca/crl/ca.crl"],
    ["v2", "ca/crl/ca.v2.crl"],
  ]);
  assert.deepEqual(crlFiles(work), ["ca.crl", "ca.crl.der", "ca.v2.crl", "ca.v2.crl.der"]);
  for (const [name, version, good] of [["old-bad", "v1", false], ["new-good", "v2", true]] as const) {
    assert.equal(await opensslAccepts(work, name, version), good, name);
  }
});

Deno.test("an archived version whose key is gone keeps no other CRL from being made", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  const serial = await leaf(work, "old");
  await work.run("ca", "rotate", "-d", "ca");
  await work.run("ca", "activate", "-d", "ca", "-v", "2");
  await leaf(work, "new");
  Deno.renameSync(work.tmp.join("ca/versions/v1/keys"), work.tmp.join("elsewhere"));
  const result = await work.try("crl", "gen", "-d", "ca", "--json");
  assert.equal(result.status, 1);
  assert.match(result.stderr, /warning: The CRL of version v1 was not made: .*ca\.ecdsa-p384\.key/);
  const { crls, missing } = JSON.parse(result.stdout) as Crls;
  assert.deepEqual(crls.map(({ version }) => version), ["v2"]);
  assert.deepEqual(missing!.map(({ version }) => version), ["v1"]);
  await work.fails(4, /no such file/, "crl", "gen", "-d", "ca", "--version", "v1");
  // nothing is revoked without the CRL that was asked for
  await work.fails(4, /no such file/, "cert", "revoke", serial, "-d", "ca", "--gen-crl");
  await work.run("cert", "verify", "old.crt", "--ca", "ca");
  await work.fails(1, /its key is missing/, "ca", "activate", "-d", "ca", "-v", "v1");
  Deno.renameSync(work.tmp.join("elsewhere"), work.tmp.join("ca/versions/v1/keys"));
  await work.run("crl", "gen", "-d", "ca");
});

Deno.test("an archived version with nothing left in force needs no CRL", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  await work.run("ca", "rotate", "-d", "ca");
  await work.run("ca", "activate", "-d", "ca", "-v", "2");
  await leaf(work, "new");
  const versions = async (...more: string[]) =>
    (await work.json<Crls>("crl", "gen", "-d", "ca", ...more)).crls.map(({ version }) => version);
  assert.deepEqual(await versions(), ["v2"]);
  assert.deepEqual(await versions("--version", "1"), ["v1"]);
});

Deno.test("versions of several certificates: names of their CRLs, one algorithm alone", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "-P", "ml/root-ca", "--var", "cn=Root", "-d", "ca");
  await leaf(work, "old");
  await work.run("crl", "gen", "-d", "ca");
  await work.run("ca", "rotate", "-d", "ca", "-P", "slh/root-ca");
  await work.run("ca", "activate", "-d", "ca", "-v", "2");
  const { crls } = await work.json<Crls>("crl", "gen", "-d", "ca");
  assert.deepEqual(crls.map(({ path }) => path.slice(7)), ["ca.crl", "ca.v1.ecdsa-p384.crl", "ca.v1.ml-dsa-87.crl"]);
  const names = crlFiles(work).filter((name) => name.endsWith(".crl"));
  assert.deepEqual(names, ["ca.crl", "ca.v1.ecdsa-p384.crl", "ca.v1.ml-dsa-87.crl"], "the former names are gone");
  const one = await work.json<Crls>("crl", "gen", "-d", "ca", "--algo", "ml-dsa");
  assert.deepEqual(one.crls.map(({ path }) => path.slice(7)), ["ca.v1.ml-dsa-87.crl"]);
  await work.fails(2, /--algo rsa/, "crl", "gen", "-d", "ca", "--algo", "rsa");
});
