/** What a CA's own certificate, or one above it, forbids is not issued: names, further CAs, certificates without a policy. */
import assert from "node:assert/strict";
import { IssuingPath } from "../../src/x509/issuing_path.ts";
import { runCli, runOk } from "../support/cli.ts";
import { type InProcessResult, runInProcess } from "../support/in_process.ts";
import { caExtensions, issue, leafExtensions } from "../support/pki.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { treeOf } from "./support.ts";

async function ok(args: readonly string[]): Promise<InProcessResult> {
  const result = await runInProcess(args);
  assert.equal(result.status, 0, `${args.join(" ")}\n${result.stdout}${result.stderr}`);
  return result;
}

/** Writes the profile of a CA and returns its path. */
function caProfile(tmp: TempFolder, name: string, extensions: string[]): string {
  return tmp.write(
    `${name}.yaml`,
    [
      ...[`name: test/${name}`, "algorithm: ecdsa-p256", "validity: 30d", "variables:", "  cn: {type: string}"],
      ...['subject: {o: Acme, cn: "{{ cn }}"}', "extensions:", ...extensions.map((line) => `  ${line}`)],
      ...["  keyUsage: {critical: true, values: [keyCertSign, cRLSign]}", ""],
    ].join("\n"),
  );
}

const LEAF = `name: test/leaf
algorithm: ecdsa-p256
validity: 1d
variables:
  cn: {type: string}
  o: {type: string, default: Acme}
  mail: {type: string}
  dns: {type: dns_names, wildcard: {allowed: true}}
  ip: {type: ip_list}
  email: {type: string}
  uri: {type: string}
subject: {o: "{{ o }}", emailAddress: "{{ mail }}", cn: "{{ cn }}"}
extensions:
  subjectAltName: {dns: "{{ dns }}", ip: "{{ ip }}", email: "{{ email }}", uri: "{{ uri }}"}
`;

const ROOT = [
  "basicConstraints: {critical: true, ca: true}",
  "nameConstraints:",
  '  permitted: {dns: [example.test], ip: [10.0.0.0/8], email: [example.test], uri: [.example.test], directory: ["O=Acme"]}',
];
const MIDDLE = [
  "basicConstraints: {critical: true, ca: true}",
  "nameConstraints: {excluded: {dns: [secret.example.test], ip: [10.9.0.0/16]}}",
];
const ISSUING = ["basicConstraints: {critical: true, ca: true, pathLen: 0}"];

/** Root, middle and issuing CA; returns the folder of the last one. */
async function constrained(tmp: TempFolder): Promise<string> {
  const make = (name: string, lines: string[], more: string[] = []) =>
    ok([
      ...["ca", "init", "-P", caProfile(tmp, name, lines), "--var", `cn=${name}`, "-d", tmp.join(`${name}-ca`)],
      ...more,
    ]);
  await make("Root", ROOT);
  await make("Middle", MIDDLE, ["--parent", tmp.join("Root-ca"), "--validity", "25d"]);
  await make("Issuing", ISSUING, ["--parent", tmp.join("Middle-ca"), "--validity", "20d"]);
  return tmp.join("Issuing-ca");
}

const NAMES: [name: string, vars: string[], says: RegExp | undefined][] = [
  ["all names within", ["cn=Server", "dns=a.example.test", "ip=10.1.2.3", "email=x@example.test"], undefined],
  ["a URI within", ["cn=Server", "uri=https://www.example.test/x"], undefined],
  [
    "a host elsewhere",
    ["cn=S", "dns=a.other.test"],
    /DNS:a\.other\.test.*"O=Acme,CN=Root" permits \(DNS:example\.test\)/,
  ],
  ["an excluded host", ["cn=S", "dns=x.secret.example.test"], /excluded by "O=Acme,CN=Middle" \(DNS:secret\.example/],
  ["a host in CN alone", ["cn=www.other.test"], /www\.other\.test is not among/],
  ["a wildcard that reaches an excluded host", ["cn=S", "dns=*.example.test"], /\*\.example\.test is excluded by/],
  ["an address elsewhere", ["cn=S", "ip=192.0.2.1"], /192\.0\.2\.1 is not among/],
  ["an excluded address", ["cn=S", "ip=10.9.8.7"], /10\.9\.8\.7 is excluded by "O=Acme,CN=Middle"/],
  ["a mailbox elsewhere", ["cn=S", "email=x@other.test"], /x@other\.test is not among/],
  ["a mailbox in the subject", ["cn=S", "mail=x@other.test"], /x@other\.test is not among/],
  ["a URI elsewhere", ["cn=S", "uri=https://www.other.test/"], /www\.other\.test\/ is not among/],
  ["a subject elsewhere", ["cn=S", "o=Other"], /O=Other,CN=S is not among the names .*CN=Root/],
];

Deno.test("credential enroll, cert issue: names that the CAs of the path forbid are refused", async (t) => {
  using tmp = tempFolder();
  const ca = await constrained(tmp);
  const leaf = tmp.write("leaf.yaml", LEAF);
  await ok(["csr", "gen", "-a", "ecdsa-p256", "--cn", "any", "--keyout", tmp.join("k"), "--out", tmp.join("any.csr")]);
  for (const [i, [name, vars, says]] of NAMES.entries()) {
    await t.step(name, async () => {
      const given = vars.flatMap((one) => ["--var", one]);
      const enroll = ["credential", "enroll", `e${i}`, "-d", ca, "-c", tmp.join("credentials"), "-P", leaf, ...given];
      const made = ["cert", "issue", "-d", ca, "-P", leaf, "--csr", tmp.join("any.csr"), ...given];
      for (const args of [enroll, made]) {
        const before = treeOf(tmp.path);
        const result = await runInProcess(args);
        assert.equal(result.status, says ? 4 : 0, result.stderr);
        if (!says) continue;
        assert.match(result.stderr, says);
        assert.match(result.stderr, /^error: Cannot issue the certificate with the CA "O=Acme,CN=Issuing": /m);
        assert.deepEqual(treeOf(tmp.path), before, "a refusal left something");
      }
    });
  }
  const json = await runInProcess([
    ...["credential", "enroll", "j", "-d", ca, "-c", tmp.join("credentials"), "-P", leaf, "--json"],
    ...["--var", "cn=S", "--var", "dns=a.other.test"],
  ]);
  assert.match(json.stdout + json.stderr, /"name_constraints\.violated"/);
});

Deno.test("ca init --parent: a name that the CAs above forbid is refused", async () => {
  using tmp = tempFolder();
  await constrained(tmp);
  const profile = caProfile(tmp, "Foreign", ISSUING);
  Deno.writeTextFileSync(profile, Deno.readTextFileSync(profile).replace("o: Acme", "o: Other"));
  const before = treeOf(tmp.path);
  const args = ["ca", "init", "-P", profile, "--var", "cn=F", "-d", tmp.join("f"), "--parent", tmp.join("Middle-ca")];
  const result = await runInProcess([...args, "--validity", "9d"]);
  assert.equal(result.status, 4, result.stderr);
  assert.match(result.stderr, /O=Other,CN=F is not among the names that "O=Acme,CN=Root" permits \(DirName:O=Acme\)/);
  assert.deepEqual(treeOf(tmp.path), before);
});

testWith("credential enroll: a forbidden name costs no key in the token", { needs: ["softhsm"] }, async () => {
  using tmp = tempFolder();
  using token = softhsmToken({ label: "CA-Token" });
  const yaml = token.hsmYaml(tmp.join("hsm.yaml"));
  const ca = await constrained(tmp);
  const before = treeOf(tmp.path);
  const result = await runCli([
    ...["credential", "enroll", "e", "-d", ca, "-c", tmp.join("credentials"), "-P", tmp.write("leaf.yaml", LEAF)],
    ...["--var", "cn=S", "--var", "dns=a.other.test", "--hsm-config", yaml, "--key-label", "e"],
  ], { env: token.env });
  assert.equal(result.code, 4, result.stderr);
  assert.deepEqual(treeOf(tmp.path), [...before, "leaf.yaml"].sort());
  const { keys } = JSON.parse(
    (await runOk(["key", "list", "--hsm-config", yaml, "--json"], { env: token.env })).stdout,
  );
  assert.deepEqual(keys, []);
});

Deno.test("ca init --parent: a path length that any CA above states holds", async () => {
  using tmp = tempFolder();
  const ca = (pathLen?: number) => [
    `basicConstraints: {critical: true, ca: true${pathLen === undefined ? "" : `, pathLen: ${pathLen}`}}`,
  ];
  let days = 29;
  const make = (name: string, lines: string[], parent?: string) =>
    runInProcess([
      ...["ca", "init", "-P", caProfile(tmp, name, lines), "--var", `cn=${name}`, "-d", tmp.join(`${name}-ca`)],
      ...(parent ? ["--parent", tmp.join(`${parent}-ca`), "--validity", `${days--}d`] : []),
    ]);
  assert.equal((await make("R", ca(2))).status, 0);
  // a CA that states nothing takes no limit away
  assert.equal((await make("A", ca(), "R")).status, 0);
  const deep = await make("Deep", ca(1), "A");
  assert.equal(deep.status, 4);
  assert.match(
    deep.stderr,
    /with pathLen 1 below "O=Acme,CN=A": the pathLenConstraint of "O=Acme,CN=R" above it 2 allows 0/,
  );
  assert.equal((await make("B", ca(), "A")).status, 0);
  const before = treeOf(tmp.path);
  const last = await make("B2", ca(), "B");
  assert.equal(last.status, 4);
  assert.match(
    last.stderr,
    /Cannot make a CA below "O=Acme,CN=B": the pathLenConstraint of "O=Acme,CN=R" above it is 2/,
  );
  assert.deepEqual(treeOf(tmp.path).filter((name) => name !== "B2.yaml"), before);
});

Deno.test("an issuing path: policies that a CA above requires, and a path that is not valid itself", async () => {
  const policy = (oid: string) => ({ certificatePolicies: { critical: false, policies: [{ oid }] } });
  const root = await issue({ name: "CN=Root" });
  const issuing = await issue({
    name: "CN=Issuing",
    issuer: root,
    extensions: caExtensions(0, {
      ...policy("1.2.3.4"),
      // policyConstraints: requireExplicitPolicy 0
      custom: [{ oid: "2.5.29.36", critical: true, value: new Uint8Array([0x30, 3, 0x80, 1, 0]) }],
    }),
  });
  const path = new IssuingPath([issuing.certificate, root.certificate]);
  assert.deepEqual(path.reasons, []);
  assert.deepEqual(path.limit, { left: 0, by: "CN=Issuing", stated: 0 });
  for (const [extensions, codes] of [[policy("1.2.3.4"), []], [policy("1.2.3.5"), ["policy.required"]]] as const) {
    const { certificate } = await issue({ name: "CN=h", issuer: issuing, extensions: leafExtensions("h", extensions) });
    // asked twice: one answer does not change the next
    for (const _ of [1, 2]) assert.deepEqual(path.objections(certificate).map(({ code }) => code), codes);
  }
  const below = await issue({ name: "CN=Below", issuer: issuing, extensions: caExtensions() });
  assert.deepEqual(path.objections(below.certificate).map(({ code }) => code), ["policy.required", "ca.path_length"]);
  const broken = new IssuingPath([below.certificate, issuing.certificate, root.certificate]);
  assert.deepEqual(broken.reasons.map(({ code }) => code), ["policy.required", "ca.path_length"]);
});
