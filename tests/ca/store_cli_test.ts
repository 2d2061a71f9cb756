import assert from "node:assert/strict";
import { describe, run, runCli, runJson, runOk } from "../support/cli.ts";
import { needs, testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";
import { treeOf } from "./support.ts";

async function caWithLeaves(folder: string, keys: string, count: number): Promise<string[]> {
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", folder]);
  await runOk(["csr", "gen", "-a", "ecdsa-p256", "--keyout", `${keys}.key`, "--cn", "x.test", "-o", `${keys}.csr`]);
  const issue = ["cert", "issue", "-d", folder, "--profile", "ec/tls-server", "--csr", `${keys}.csr`];
  const serials: string[] = [];
  for (let i = 0; i < count; i++) serials.push((await runJson(issue) as { serial: string }).serial);
  return serials;
}

Deno.test("regression 7: a damaged index line stops every command, named by file and line", async () => {
  using tmp = tempFolder();
  const ca = tmp.join("ca");
  const serials = await caWithLeaves(ca, tmp.join("leaf"), 3);
  await runOk(["cert", "revoke", serials[1]!, "-d", ca]);
  const whole = tmp.read("ca/index.txt");
  const lines = whole.split("\n");
  lines[1] = lines[1]!.slice(0, 20);
  tmp.write("ca/index.txt", lines.join("\n"));
  const before = tmp.read("ca/crlnumber");
  for (
    const args of [
      ["crl", "gen", "-d", ca],
      ["cert", "list", "-d", ca],
      ["cert", "revoke", serials[2]!, "-d", ca],
      ["ca", "info", "-d", ca],
    ]
  ) {
    const result = await runCli(args);
    assert.equal(result.code, 4, describe(args.join(" "), result));
    assert.match(result.stderr, /ca\/index\.txt:2/);
  }
  assert.equal(tmp.read("ca/crlnumber"), before);
  assert.equal(tmp.read("ca/index.txt"), lines.join("\n"));
  tmp.write("ca/index.txt", whole);
  assert.equal((await runJson(["crl", "gen", "-d", ca]) as { revoked: number }).revoked, 1);
});

Deno.test("a CA that cannot be written stays as it was", async () => {
  using tmp = tempFolder();
  const ca = tmp.join("ca");
  const [serial] = await caWithLeaves(ca, tmp.join("leaf"), 1) as [string];
  const before = treeOf(tmp.path);
  const attempts = [
    ["cert", "revoke", serial, "-d", ca],
    ["crl", "gen", "-d", ca],
    ["cert", "issue", "-d", ca, "--profile", "ec/tls-server", "--csr", tmp.join("leaf.csr")],
    ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=X", "-d", `${ca}/below`],
  ];
  const index = tmp.read("ca/index.txt");
  const restore = await makeReadOnly(ca);
  if (!restore) return;
  try {
    for (const args of attempts) {
      const result = await runCli(args);
      assert.equal(result.code, 1, describe(args.join(" "), result));
      assert.match(result.stderr, /read-only file system|permission denied/);
    }
    assert.equal((await runJson(["cert", "list", "-d", ca]) as { certificates: unknown[] }).certificates.length, 1);
  } finally {
    await restore();
  }
  assert.equal(tmp.read("ca/index.txt"), index);
  assert.deepEqual(treeOf(tmp.path), before);
});

/** Takes the write permission from a folder: as root by a read-only mount over it. Undefined where that is not possible. */
async function makeReadOnly(folder: string): Promise<(() => Promise<void>) | undefined> {
  if (needs("root") !== undefined) {
    const folders = [folder, ...treeOf(folder).map((name) => `${folder}/${name}`)];
    for (const path of folders) Deno.chmodSync(path, Deno.statSync(path).isDirectory ? 0o555 : 0o444);
    return () => {
      for (const path of folders) Deno.chmodSync(path, Deno.statSync(path).isDirectory ? 0o755 : 0o644);
      return Promise.resolve();
    };
  }
  const bound = await run("mount", ["--bind", folder, folder]).catch(() => undefined);
  if (bound?.code !== 0) return undefined;
  const mounted = await run("mount", ["-o", "remount,ro,bind", folder]);
  const restore = async () => void await run("umount", [folder]);
  if (mounted.code === 0) return restore;
  await restore();
  return undefined;
}

Deno.test("cert verify: what the CA knows to be revoked is not valid, whatever its CRL says", async () => {
  using tmp = tempFolder();
  const ca = tmp.join("ca");
  const [one, two] = await caWithLeaves(ca, tmp.join("leaf"), 2) as [string, string];
  const verdict = async (serial: string) => {
    const { code, stdout } = await runCli(["cert", "verify", `${ca}/issued/${serial}.pem`, "--ca", ca]);
    return `${code} ${stdout}`;
  };
  await runOk(["crl", "gen", "-d", ca]);
  await runOk(["cert", "revoke", one, "-d", ca, "--reason", "keyCompromise"]);
  assert.match(await verdict(one), /^1 INVALID\n.*the CA's index says that it was revoked .*keyCompromise/);
  assert.match(await verdict(two), /^0 VALID/);
  // a CRL of the past, and an index that lost what it knew
  const text = Deno.readTextFileSync(`${ca}/index.txt`);
  await runOk(["crl", "gen", "-d", ca, "--days", "1"]);
  Deno.writeTextFileSync(`${ca}/index.txt`, text.replace(/^R\t(\S+)\t\S+\t/m, "V\t$1\t\t"));
  const later = new Date(Date.now() + 2 * 86_400_000).toISOString();
  const result = await runCli(["cert", "verify", `${ca}/issued/${one}.pem`, "--ca", ca, "--at", later]);
  assert.equal(result.code, 1, describe("cert verify", result));
  assert.match(result.stdout, /it was revoked at/);
  assert.match(result.stderr, /warning: The CRL of the CA's folder is not current/);
});

testWith("cert verify and crl verify: VALID, or the reasons and exit 1", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const ca = tmp.join("ca");
  const [one, two] = await caWithLeaves(ca, tmp.join("leaf"), 2) as [string, string];
  const crt = (serial: string) => `${ca}/issued/${serial}.pem`;
  const crl = `${ca}/crl/ca.crl`;
  await runOk(["cert", "revoke", one, "-d", ca, "--gen-crl"]);
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", tmp.join("twin")]);
  const cases: [args: string[], exit: number, output: RegExp][] = [
    [["cert", "verify", crt(two), "--ca", ca], 0, /^VALID\n {2}\S+: ECDSA-SHA384\n/],
    [["cert", "verify", crt(two), "--ca", `${ca}/ca.crt`, "--crl", crl], 0, /^VALID$/m],
    [["cert", "verify", crt(one), "--ca", `${ca}/ca.crt`], 0, /^VALID$/m],
    [["cert", "verify", crt(one), "--ca", `${ca}/ca.crt`, "--crl", crl], 1, /^INVALID\n.*revoked/],
    [["cert", "verify", crt(one), "--ca", ca], 1, /revoked/],
    [["cert", "verify", crt(two), "--ca", ca, "--at", "2040-01-01"], 1, /expired/],
    [["cert", "verify", crt(two), "--ca", ca, "--at", "yesterday"], 2, /^$/],
    [["cert", "verify", crt(two), "--ca", tmp.join("twin")], 1, /INVALID/],
    [["cert", "verify", crt(two)], 2, /^$/],
    [["cert", "verify", tmp.join("leaf.csr"), "--ca", ca], 4, /^$/],
    [["crl", "verify", crl, "--ca", ca], 0, /^VALID\n {2}\S+.*: ECDSA-SHA384\n$/],
    [["crl", "verify", `${crl}.der`, "--ca", `${ca}/ca.crt`, "--check-expiry"], 0, /^VALID$/m],
    [["crl", "verify", crl, "--ca", tmp.join("twin")], 1, /^INVALID: /],
    [["crl", "verify", crl, "--ca", crt(two)], 1, /^INVALID: none/],
  ];
  for (const [args, exit, output] of cases) {
    const result = await runCli(args);
    assert.equal(result.code, exit, describe(args.join(" "), result));
    assert.match(result.stdout, output, describe(args.join(" "), result));
  }
});

Deno.test("cert verify says of every certificate whether a CRL covers it; crl verify takes no CA above for the issuer", async () => {
  using tmp = tempFolder();
  const [root, ca] = [tmp.join("root"), tmp.join("ca")];
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", root]);
  await runOk(["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Sub", "-d", ca, "--parent", root]);
  const leaf = tmp.join("leaf.pem");
  const request = ["-a", "ecdsa-p256", "--cn", "x.test", "--keyout", tmp.join("leaf.key"), "-o", tmp.join("leaf.csr")];
  await runOk(["csr", "gen", ...request]);
  await runOk(["cert", "issue", "-d", ca, "-P", "ec/tls-server", "--csr", tmp.join("leaf.csr"), "--out", leaf]);
  for (const folder of [root, ca]) await runOk(["crl", "gen", "-d", folder]);
  const [rootCrl, caCrl] = [`${root}/crl/ca.crl`, `${ca}/crl/ca.crl`];
  tmp.write("chain.pem", tmp.read("ca/ca.crt") + tmp.read("root/ca.crt"));
  const chain = ["--ca", tmp.join("chain.pem")];
  const cases: [args: string[], covered: boolean[], exit: number, warns: RegExp][] = [
    [chain, [false, false], 0, /^$/],
    [["--ca", ca], [true, false], 0, /^warning: No CRL says whether the CA "CN=Sub" was revoked\n$/],
    [[...chain, "--crl", caCrl], [true, false], 0, /the CA "CN=Sub"/],
    [[...chain, "--crl", caCrl, "--crl", rootCrl], [true, true], 0, /^$/],
    [[...chain, "--crl", rootCrl], [false, true], 1, /^$/],
    [["--ca", root], [false], 1, /^$/],
  ];
  for (const [args, covered, exit, warns] of cases) {
    const words = ["cert", "verify", leaf, ...args, "--json"];
    const result = await runCli(words);
    assert.equal(result.code, exit, describe(words.join(" "), result));
    const verdict = JSON.parse(result.stdout) as { crl_checked: boolean; revocation: { covered: boolean }[] };
    if (args.at(-1) !== root) assert.deepEqual(verdict.revocation.map((one) => one.covered), covered, args.join(" "));
    assert.equal(verdict.crl_checked, covered[0], args.join(" "));
    assert.match(result.stderr, warns, args.join(" "));
  }
  // the root's CRL covers the CA, and nothing that the CA issued
  const above = await runCli(["cert", "verify", `${ca}/ca.crt`, "--ca", root, "--json"]);
  assert.deepEqual(JSON.parse(above.stdout).crl_checked, true);
  const foreign = await runCli(["crl", "verify", rootCrl, "--ca", ca]);
  assert.equal(foreign.code, 1, describe("crl verify", foreign));
  assert.match(foreign.stdout, /^INVALID: none of the certificates has the CRL's issuer "CN=Root"/);
  await runOk(["crl", "verify", rootCrl, "--ca", root]);
  await runOk(["crl", "verify", caCrl, "--ca", ca]);
  await runOk(["ca", "rotate", "-d", root]);
  await runOk(["ca", "activate", "--version", "v2", "-d", root]);
  await runOk(["crl", "verify", rootCrl, "--ca", root]);
});
