/** Requests with two keys, composite keys, and keys that cannot sign. */
import assert from "node:assert/strict";
import { describe, runCli, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

interface Made {
  mode: string;
  keys: { algorithm: string; storage: { path: string }; generated: boolean }[];
}

interface Verified {
  valid: boolean;
  possession: string;
  signatures: { scheme: string; alternative?: string }[];
  attestation_trusted?: boolean;
}

/** [flags, mode, algorithms and files of the keys, schemes that verify] */
const REQUESTS: readonly [flags: string, mode: string, keys: [algorithm: string, file: string][], schemes: string[]][] =
  [
    ["-a ml-dsa-65 --keyout a", "simple", [["ml-dsa-65", "a"]], ["ML-DSA-65"]],
    ["-a slh-dsa-128f --keyout a", "simple", [["slh-dsa-sha2-128f", "a"]], ["SLH-DSA-SHA2-128f"]],
    [
      "-a ed25519 --hybrid slh-dsa-128f --keyout a --hybrid-keyout b",
      "catalyst",
      [["ed25519", "a"], ["slh-dsa-sha2-128f", "b"]],
      ["Ed25519", "SLH-DSA-SHA2-128f"],
    ],
    [
      "-a p256 --composite ml-dsa-65 --keyout a",
      "composite",
      [["mldsa65-ecdsa-p256-sha512", "a"]],
      ["MLDSA65-ECDSA-P256-SHA512"],
    ],
    [
      "-a mldsa44-ed25519-sha512 --keyout a --hybrid-keyout b",
      "composite",
      [["ed25519", "a"], ["ml-dsa-44", "b"]],
      ["MLDSA44-Ed25519-SHA512"],
    ],
    ["-a mldsa44-rsa2048-pkcs15-sha256 --keyout a", "composite", [["mldsa44-rsa2048-pkcs15-sha256", "a"]], [
      "MLDSA44-RSA2048-PKCS15-SHA256",
    ]],
  ];

testWith("csr gen with post-quantum keys, one or two, and again with the same keys", {}, async () => {
  for (const [flags, mode, keys, schemes] of REQUESTS) {
    using tmp = tempFolder();
    const at = { cwd: tmp.path };
    const gen = ["csr", "gen", ...flags.split(" "), "--cn", "x.test", "--out", "x.csr"];
    const made = await runJson(gen, at) as Made;
    assert.equal(made.mode, mode, flags);
    assert.deepEqual(made.keys.map((key) => [key.algorithm, key.storage.path]), keys);
    for (const [, file] of keys) assert.equal(Deno.statSync(tmp.join(file)).mode! & 0o777, 0o600);
    const { valid, possession, signatures: [signature] } = await runJson(["csr", "verify", "x.csr"], at) as Verified;
    assert.deepEqual([valid, possession], [true, "proved"]);
    const [scheme, alternative] = schemes;
    assert.deepEqual([signature!.scheme, signature!.alternative], [scheme, alternative]);
    const info = await runOk(["csr", "info", "x.csr"], at);
    assert.match(info.stdout, new RegExp(`Signature: valid\\n.*${scheme}`));

    const taken = await runCli(gen, at);
    assert.equal(taken.code, 1, describe("csr gen", taken));
    const reuse = flags.replace("--keyout", "--key").replace("--hybrid-keyout", "--hybrid-key");
    const second = await runJson(["csr", "gen", ...reuse.split(" "), "--cn", "x.test", "--out", "y.csr"], at) as Made;
    assert.ok(second.keys.every((key) => !key.generated));
    await runOk(["csr", "verify", "y.csr"], at);
    const forced = await runJson([...gen, "--force"], at) as Made;
    assert.ok(forced.keys.every((key) => key.generated));
    assert.deepEqual([...Deno.readDirSync(tmp.path)].map(({ name }) => name).sort(), [
      ...keys.map(([, file]) => file),
      "x.csr",
      "y.csr",
    ]);
  }
});

testWith("csr gen takes both keys from a hybrid profile, and refuses what contradicts it", {}, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  const profile = (name: string) => ["csr", "gen", "--profile", `hybrid/${name}/tls-server`, "--var", "cn=x.test"];
  const files = ["--keyout", "a", "--hybrid-keyout", "b"];
  const cases: [args: string[], code: number, message: RegExp][] = [
    [[...profile("catalyst"), "--keyout", "a"], 2, /--hybrid-keyout is missing/],
    [
      [...profile("catalyst"), ...files, "--hybrid", "ml-dsa-44"],
      4,
      /--hybrid says ML-DSA-44.*catalyst with ML-DSA-65/,
    ],
    [[...profile("catalyst"), ...files, "--composite", "ml-dsa-65"], 4, /--composite says ML-DSA-65/],
    [[...profile("catalyst"), ...files, "-a", "p384"], 4, /--algorithm says ECDSA P-384/],
    [
      [...profile("composite"), "--keyout", "a", "--hybrid-keyout", "a"],
      2,
      /--hybrid-keyout "a": it is the same file as --keyout/,
    ],
  ];
  for (const [args, code, message] of cases) {
    const result = await runCli(args, at);
    assert.equal(result.code, code, describe(args.join(" "), result));
    assert.match(result.stderr, message);
  }
  assert.deepEqual([...Deno.readDirSync(tmp.path)], []);
  await runOk([...profile("catalyst"), ...files, "--hybrid", "ml-dsa-65", "--out", "c.csr"], at);
  await runOk([...profile("composite"), "--keyout", "k", "--out", "k.csr"], at);
  for (const csr of ["c.csr", "k.csr"]) await runOk(["csr", "verify", csr], at);
  const half = [
    "csr",
    "gen",
    "-a",
    "p256",
    "--composite",
    "ml-dsa-65",
    "--key",
    "a",
    "--hybrid-keyout",
    "n",
    "--cn",
    "x",
  ];
  const joined = await runCli(half, at);
  assert.equal(joined.code, 4, describe("csr gen", joined));
  assert.match(joined.stderr, /its keys are made together/);
});

testWith(
  "a key that cannot sign: requests on the word of a certificate holder (RFC 9883)",
  { needs: ["softhsm"] },
  async () => {
    using tmp = tempFolder();
    using token = softhsmToken();
    token.hsmYaml(tmp.join("hsm.yaml"));
    const at = { cwd: tmp.path, env: { ...token.env, PASS: "secret" } };
    await runOk(["ca", "init", "-P", "ml/root-ca", "--var", "cn=Root", "-d", "ca"], at);
    await runOk(["ca", "init", "-P", "ml/root-ca", "--var", "cn=Other", "-d", "other"], at);
    const names = ["--cn", "Alice", "--email", "alice@example.com"];
    await runOk(
      ["csr", "gen", "-a", "ml-dsa-65", "--keyout", "s.key", "-p", "env:PASS", ...names, "--out", "s.csr"],
      at,
    );
    const sign = ["cert", "issue", "-P", "ml/email-sign", "--csr", "s.csr"];
    await runOk([...sign, "-d", "ca", "--out", "s.crt"], at);
    await runOk([...sign, "-d", "other", "--out", "foreign.crt"], at);

    const attest = ["--attest-cert", "s.crt", "--attest-key", "s.key", "--attest-passphrase", "env:PASS"];
    const kem = ["csr", "gen", "-a", "ml-kem-768", ...names];
    const before = [...Deno.readDirSync(tmp.path)].map(({ name }) => name).sort();
    const wrong: [args: string[], code: number, message: RegExp][] = [
      [["--keyout", "k", ...attest.slice(0, 2)], 2, /neither --attest-key nor --attest-key-label/],
      [["--keyout", "k", ...attest, "--attest-key-label", "l"], 2, /two are given/],
      [
        ["--keyout", "k", "--attest-cert", "s.crt", "--attest-key", "ca/versions/v1/keys/ca.ml-dsa-87.key"],
        1,
        /not that of its/,
      ],
      [["--keyout", "k", "--attest-cert", "ca/ca.crt", "--attest-key", "s.key"], 4, /not for signatures|for "CN=Root"/],
    ];
    for (const [args, code, message] of wrong) {
      const result = await runCli([...kem, ...args], at);
      assert.equal(result.code, code, describe(args.join(" "), result));
      assert.match(result.stderr, message);
    }
    const stranger = ["csr", "gen", "-a", "ml-kem-768", "--cn", "Bob", "--keyout", "k", ...attest];
    const refused = await runCli(stranger, at);
    assert.equal(refused.code, 4, describe("csr gen", refused));
    assert.match(refused.stderr, /for "CN=Bob", and the attesting certificate for "CN=Alice"/);
    const signing = await runCli(["csr", "gen", "-a", "ml-dsa-65", "--cn", "Alice", "--keyout", "k", ...attest], at);
    assert.equal(signing.code, 2, describe("csr gen", signing));
    assert.deepEqual([...Deno.readDirSync(tmp.path)].map(({ name }) => name).sort(), before, "nothing was made");

    await runOk([...kem, "--keyout", "bare.key", ...attest, "--out", "bare.csr"], at);
    await runOk([...kem, "--keyout", "k.key", ...attest, "--include-cert", "--out", "k.csr"], at);
    const verify = async (file: string, ...more: string[]) =>
      await runCli(["csr", "verify", file, ...more, "--json"], at);
    const unknown = await verify("bare.csr");
    assert.equal(unknown.code, 1);
    assert.match(JSON.parse(unknown.stdout).reason, /neither included nor given/);
    const untrusted = await verify("k.csr");
    assert.deepEqual([untrusted.code, JSON.parse(untrusted.stdout).attestation_trusted], [0, false]);
    assert.match(untrusted.stderr, /was not validated: add --ca/);
    for (const [file, more] of [["k.csr", []], ["bare.csr", ["--attest-cert", "s.crt"]]] as const) {
      const good = JSON.parse((await verify(file, "--ca", "ca", ...more)).stdout) as Verified;
      assert.deepEqual([good.valid, good.possession, good.attestation_trusted], [true, "asserted", true]);
      const foreign = await verify(file, "--ca", "other", ...more);
      assert.equal(foreign.code, 1, describe("csr verify", foreign));
    }
    assert.match((await runOk(["csr", "info", "bare.csr"], at)).stdout, /Signature: not checked/);

    const issue = (ca: string, csr: string, ...more: string[]) =>
      runCli(["cert", "issue", "-d", ca, "-P", "ml/email-encrypt", "--csr", csr, ...more, "--json"], at);
    for (const [csr, more] of [["k.csr", []], ["bare.csr", []], ["bare.csr", ["--attest-cert", "s.crt"]]] as const) {
      const issued = await issue("ca", csr, ...more);
      assert.equal(issued.code, 0, describe("cert issue", issued));
      assert.match(JSON.parse(issued.stdout).attestation, /asserted, not proved/);
    }
    const other = await issue("other", "k.csr");
    assert.equal(other.code, 4, describe("cert issue", other));
    assert.match(other.stderr, /attesting certificate is not valid/);
    assert.equal((await issue("other", "bare.csr")).code, 4);
    const renamed = await issue("ca", "k.csr", "--cn", "Mallory");
    assert.equal(renamed.code, 4, describe("cert issue", renamed));
    assert.match(renamed.stderr, /CN=Mallory.*and the attesting certificate for.*CN=Alice/);
    const { certificates } = await runJson(["cert", "list", "-d", "ca"], at) as { certificates: { serial: string }[] };
    await runOk(["cert", "revoke", certificates[0]!.serial, "-d", "ca"], at);
    const revoked = await issue("ca", "k.csr");
    assert.equal(revoked.code, 4, describe("cert issue", revoked));
    assert.match(revoked.stderr, /was revoked on/);

    // the attesting key in a token, the KEM key in a file
    await runOk(["ca", "init", "-P", "ec/root-ca", "--var", "cn=EC", "-d", "ec"], at);
    const hsm = ["--hsm-config", "hsm.yaml"];
    await runOk(["csr", "gen", "-a", "p384", ...hsm, "--key-label", "alice", ...names, "--out", "t.csr"], at);
    await runOk(["cert", "issue", "-d", "ec", "-P", "ec/email", "--csr", "t.csr", "--out", "t.crt"], at);
    const inToken = ["--attest-cert", "t.crt", "--attest-key-label", "alice", ...hsm];
    await runOk([...kem, "--keyout", "t.key", ...inToken, "--out", "tk.csr"], at);
    assert.equal((await issue("ec", "tk.csr")).code, 0);
  },
);
