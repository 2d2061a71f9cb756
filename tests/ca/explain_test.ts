/** `cert explain`: what the journal keeps is enough to make every certificate again, and a change of its profile is named. */
import assert from "node:assert/strict";
import { describe } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

interface Explained {
  identical: boolean;
  journalled: boolean;
  obstacle?: string;
  operation: string;
  profile: string | null;
  profile_unchanged: boolean | null;
  tool: string;
  fields: {
    field: string;
    value: string;
    cause: string;
    source?: string;
    same?: boolean;
    variables: { name: string; value: unknown }[];
  }[];
}

async function qpki(tmp: TempFolder, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd: tmp.path });
  assert.equal(status, 0, describe(args.join(" "), { code: status, stdout, stderr }));
  return stdout;
}

async function explain(tmp: TempFolder, what: string, ca: string): Promise<Explained & { status: number }> {
  const { status, stdout, stderr } = await runInProcess(["cert", "explain", what, "-d", ca, "--json"], {
    cwd: tmp.path,
  });
  assert.ok(stdout.startsWith("{"), stderr);
  return { ...JSON.parse(stdout), status };
}

/** Every certificate in the index of a CA. */
async function serials(tmp: TempFolder, ca: string): Promise<string[]> {
  const { certificates } = JSON.parse(await qpki(tmp, "cert", "list", "-d", ca, "--json"));
  return certificates.map(({ serial }: { serial: string }) => serial);
}

const DNS = ["--var", "cn=a.home.arpa", "--var", "dns_names=a.home.arpa,b.home.arpa", "--var", "ip_addresses=10.0.0.1"];
const NAMED = ["--var", "cn=Alice", "--var", "organization=Ünïcode & Söhne, Ltd", "--var", "country=FR"];

const ROOTS: readonly [root: string, leaves: readonly (readonly [profile: string, variables: readonly string[]])[]][] =
  [
    ["ec/root-ca", [
      ["ec/tls-server", [...DNS, "--var", "organization=Acme", "--var", "validity=90d"]],
      ["ec/tls-server", [...DNS, "--var", "crl_url=http://a.test/x.crl", "--var", "ocsp_url=http://a.test/ocsp"]],
      ["ec/tls-client", NAMED],
      ["ec/email", [...NAMED, "--var", "email=alice@a.test"]],
      ["ec/code-signing", NAMED],
      ["ec/timestamping", NAMED],
      ["ec/ocsp-responder", NAMED],
      ["ec/encryption", NAMED],
    ]],
    ["ml/root-ca", [["ml/tls-server", DNS], ["ml/signing", NAMED]]],
    ["hybrid/catalyst/root-ca", [["hybrid/catalyst/tls-server", DNS], ["ec/tls-client", NAMED]]],
    ["hybrid/composite/root-ca", [["hybrid/composite/tls-client", NAMED]]],
  ];

Deno.test("cert explain: certificates of all kinds are made again byte for byte", async (t) => {
  for (const [root, leaves] of ROOTS) {
    await t.step(root, async () => {
      using tmp = tempFolder();
      await qpki(tmp, "ca", "init", "-P", root, "--var", "cn=Root", "--var", "organization=Acme", "-d", "ca");
      for (const [i, [profile, variables]] of leaves.entries()) {
        await qpki(tmp, "credential", "enroll", `c${i}`, "-d", "ca", "-P", profile, ...variables);
      }
      await qpki(tmp, "ca", "rotate", "-d", "ca");
      await qpki(tmp, "ca", "activate", "-d", "ca", "--version", "v2");
      await qpki(tmp, "credential", "rotate", "c0");
      const own = [...Deno.readDirSync(tmp.join("ca/versions/v2/certs"))].map(({ name }) =>
        `ca/versions/v2/certs/${name}`
      );
      const all = [...await serials(tmp, "ca"), ...own];
      assert.ok(all.length >= leaves.length + 2);
      for (const what of all) {
        const told = await explain(tmp, what, "ca");
        const wrong = told.fields.filter(({ same }) => same !== true);
        assert.deepEqual(
          [told.identical, told.journalled, wrong, told.status],
          [true, true, [], 0],
          `${what} ${told.obstacle}`,
        );
        assert.equal(told.profile_unchanged, true);
      }
    });
  }
});

Deno.test("cert explain: each field leads to its line of the profile and the values of then", async () => {
  using tmp = tempFolder();
  await qpki(tmp, "ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  await qpki(tmp, "profile", "export", "ec/tls-server", "./web.yaml");
  await qpki(tmp, "csr", "gen", "-a", "ecdsa-p256", "--keyout", "k", "--cn", "a.home.arpa", "-o", "csr");
  const issue = [
    "cert",
    "issue",
    "-d",
    "ca",
    "--profile",
    "./web.yaml",
    "--csr",
    "csr",
    "--days",
    "17",
    "--out",
    "a.crt",
  ];
  await qpki(tmp, ...issue, "--dns", "a.home.arpa");
  const lines = tmp.read("web.yaml").split("\n");
  const told = await explain(tmp, "a.crt", "ca");
  const field = (name: string) => told.fields.find((one) => one.field === name)!;
  const lineOf = (name: string) => lines[Number(/^.*web\.yaml:(\d+)$/.exec(field(name).source!)![1]) - 1]!;
  assert.match(lineOf("keyUsage (critical)"), /keyUsage:/);
  assert.match(lineOf("subjectAltName"), /subjectAltName:/);
  assert.match(lineOf("subject CN"), /cn:/);
  assert.deepEqual(field("subject CN").variables, [{ name: "cn", value: "a.home.arpa" }]);
  assert.equal(field("notAfter").cause, "--days or --validity: 17d");
  assert.equal(told.identical, true);
  const text = await qpki(tmp, "cert", "explain", "a.crt", "-d", "ca");
  assert.match(text, /byte for byte the same\n$/);

  // one word of the profile
  tmp.write(
    "web.yaml",
    lines.join("\n").replace("values: [digitalSignature]", "values: [digitalSignature, keyAgreement]"),
  );
  const changed = await explain(tmp, "a.crt", "ca");
  assert.deepEqual([changed.profile_unchanged, changed.identical, changed.journalled, changed.status], [
    false,
    false,
    true,
    1,
  ]);
  assert.deepEqual(changed.fields.filter(({ same }) => same === false).map((one) => one.field), [
    "keyUsage (critical)",
  ]);
  // one that changes no field
  tmp.write("web.yaml", lines.join("\n") + "\n# a remark\n");
  const remark = await explain(tmp, "a.crt", "ca");
  assert.deepEqual([remark.profile_unchanged, remark.identical, remark.status], [false, true, 0]);
  // one that no longer compiles, and none
  tmp.write("web.yaml", "name: x\n");
  assert.equal((await explain(tmp, "a.crt", "ca")).identical, false);
  Deno.removeSync(tmp.join("web.yaml"));
  const gone = await explain(tmp, "a.crt", "ca");
  assert.deepEqual([gone.status, gone.identical, gone.journalled], [1, false, true]);
  assert.match(gone.obstacle!, /profile cannot be read/);
});

Deno.test("cert explain: what the journal does not know, and a profile that the CA overrides now", async () => {
  using tmp = tempFolder();
  for (const ca of ["ca", "other"]) await qpki(tmp, "ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", ca);
  const { status, stderr } = await runInProcess(["cert", "explain", "other/ca.crt", "-d", "ca"], { cwd: tmp.path });
  assert.equal(status, 1);
  assert.match(stderr, /the journal does not know it/);
  await qpki(tmp, "credential", "enroll", "web", "-d", "ca", "-P", "ec/tls-client", "--var", "cn=web");
  await qpki(tmp, "profile", "export", "ec/tls-client", "./own.yaml");
  tmp.write("ca/profiles/ec/tls-client.yaml", tmp.read("own.yaml").replace("clientAuth", "serverAuth"));
  const [serial] = await serials(tmp, "ca");
  const told = await explain(tmp, serial!, "ca");
  assert.deepEqual(
    [told.identical, told.profile_unchanged],
    [true, true],
    "the built-in one made it, and is still there",
  );
  await qpki(tmp, "credential", "enroll", "own", "-d", "ca", "-P", "ec/tls-client", "--var", "cn=own");
  const [, second] = await serials(tmp, "ca");
  const own = await explain(tmp, second!, "ca");
  assert.deepEqual([own.identical, own.profile_unchanged], [true, true]);
  assert.match(own.fields.find(({ field }) => field === "extKeyUsage")!.source!, /profiles\/ec\/tls-client\.yaml:\d+$/);
});
