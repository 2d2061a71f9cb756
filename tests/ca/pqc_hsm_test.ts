/** Hybrid CAs and credentials with the classical key in a token that has no post-quantum mechanisms, the other in a file. */
import assert from "node:assert/strict";
import type { CaMeta } from "../../src/store/meta.ts";
import { describe, runCli, runJson, runOk, spawnCli } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { openssl, treeOf } from "./support.ts";

async function labels(token: SoftHsmToken): Promise<(string | undefined)[]> {
  const { keys } = await runJson(["key", "list", "--hsm-config", token.hsmYaml()], { env: token.env }) as {
    keys: { storage: { label?: string } }[];
  };
  return keys.map((key) => key.storage.label).sort();
}

function metaOf(tmp: TempFolder, ca: string): CaMeta {
  return JSON.parse(tmp.read(`${ca}/ca.meta.json`));
}

testWith("classical key in the token, post-quantum key in a file: CA, issuing CA, leaves, CRL", {
  needs: ["softhsm", "openssl"],
}, async () => {
  for (const family of ["hybrid/catalyst", "hybrid/composite"]) {
    using token = softhsmToken();
    using tmp = tempFolder();
    token.hsmYaml(tmp.join("hsm.yaml"));
    const here = { env: { ...token.env, PASS: "secret" }, cwd: tmp.path };
    const hsm = ["--hsm-config", "./hsm.yaml", "--pqc-in", "software"];
    const root = ["ca", "init", "-P", `${family}/root-ca`, "--var", "cn=Hybrid Root", "--ca-dir", "./root"];
    await runOk([...root, ...hsm, "--key-label", "hybrid-root"], here);
    const { subject, active, versions } = metaOf(tmp, "root");
    const { keys, profiles, status } = versions["v1"]!;
    assert.deepEqual({ subject, active, profiles, status }, {
      subject: { common_name: "Hybrid Root" },
      active: "v1",
      profiles: [`${family}/root-ca`],
      status: "active",
    });
    const [classical, pqc] = keys;
    const { storage: place } = classical!;
    assert.ok(place.type === "pkcs11" && place.key_id);
    const { key_id: id, ...rest } = place;
    assert.deepEqual(rest, { type: "pkcs11", config: "./hsm.yaml", label: "hybrid-root" });
    assert.deepEqual([classical!.id, pqc!.id], ["classical", "pqc"]);
    assert.deepEqual(pqc!.storage, { type: "software", path: "versions/v1/keys/ca.ml-dsa-87.key" });
    assert.deepEqual([...Deno.readDirSync(tmp.join("root/versions/v1/keys"))].map(({ name }) => name), [
      "ca.ml-dsa-87.key",
    ]);

    // below it one whose file is encrypted
    const issuing = ["ca", "init", "-P", `${family}/issuing-ca`, "--var", "cn=Issuing", "-d", "./issuing"];
    await runOk([...issuing, ...hsm, "--parent", "./root", "--key-label", "issuing", "--passphrase", "env:PASS"], here);
    const unlock = ["--ca-passphrase", "env:PASS"];
    await runOk(["crl", "gen", "-d", "issuing", ...unlock], here);
    await runOk(["crl", "gen", "-d", "root"], here);
    const wrong = await runCli(["crl", "gen", "-d", "issuing", ...unlock], {
      ...here,
      env: { ...token.env, PASS: "wrong" },
    });
    assert.equal(wrong.code, 4, describe("crl gen", wrong));
    assert.match(wrong.stderr, /ca\.ml-dsa-65\.key.*passphrase/);

    const algorithm = ["-a", "p256", family === "hybrid/catalyst" ? "--hybrid" : "--composite", "ml-dsa-65"];
    const key = ["--hsm-config", "./hsm.yaml", "--key-label", "leaf", "--hybrid-keyout", "leaf-pqc.key"];
    const names = ["--cn", "a.test", "--dns", "a.test"];
    const made = await runJson(["csr", "gen", ...algorithm, ...key, ...names, "--out", "leaf.csr"], here) as {
      keys: { generated: boolean; algorithm: string; storage: Record<string, string> }[];
    };
    assert.deepEqual(made.keys.map(({ generated, algorithm }) => [generated, algorithm]), [
      [true, "ecdsa-p256"],
      [true, "ml-dsa-65"],
    ]);
    assert.equal(made.keys[1]!.storage["path"], "leaf-pqc.key");
    const again = ["--hsm-config", "./hsm.yaml", "--key-label", "leaf", "--hybrid-key", "leaf-pqc.key"];
    const renewed = await runJson(["csr", "gen", ...algorithm, ...again, ...names, "--out", "again.csr"], here);
    assert.deepEqual((renewed as typeof made).keys.map(({ generated }) => generated), [false, false]);
    const issue = ["cert", "issue", "-d", "issuing", "-P", `${family}/tls-server`, "--csr", "again.csr", ...unlock];
    await runOk([...issue, "--out", "leaf.crt"], here);
    const enroll = [
      "credential",
      "enroll",
      "c",
      "-d",
      "issuing",
      "-P",
      `${family}/tls-client`,
      "--var",
      "cn=C",
      ...unlock,
    ];
    await runOk([...enroll, ...hsm, "--key-label", "client"], here);
    const { certificates: [entry], versions: { v1 } } = JSON.parse(tmp.read("credentials/c/credential.meta.json"));
    assert.deepEqual(entry.storage.map((storage: { type: string }) => storage.type), ["pkcs11", "software"]);
    assert.deepEqual(v1.keys.map((one: { id: string }) => one.id), ["classical", "pqc"]);
    tmp.write("chain.pem", tmp.read("leaf.crt") + tmp.read("issuing/ca.crt"));
    const crls = ["--crl", "root/crl/ca.crl", "--crl", "issuing/crl/ca.crl"];
    await runOk(["cert", "verify", "chain.pem", "--ca", "root/ca.crt", ...crls], here);
    if (family === "hybrid/catalyst") {
      const at = tmp.join;
      tmp.write("all.crl", tmp.read("root/crl/ca.crl") + tmp.read("issuing/crl/ca.crl"));
      await openssl([
        ...["verify", "-x509_strict", "-CAfile", at("root/ca.crt"), "-untrusted", at("issuing/ca.crt")],
        ...["-CRLfile", at("all.crl"), "-crl_check_all", at("leaf.crt")],
      ]);
    }
    assert.deepEqual(await labels(token), ["client", "hybrid-root", "issuing", "leaf"]);
    assert.match(id!, /^[0-9a-f]{32}$/);
  }
});

testWith(
  "the older guide's hybrid CA, unversioned, its keys in a token and in a file",
  { needs: ["softhsm"] },
  async () => {
    using token = softhsmToken();
    using tmp = tempFolder();
    token.hsmYaml(tmp.join("hsm.yaml"));
    const here = { env: token.env, cwd: tmp.path };
    const hsm = ["--hsm-config", "./hsm.yaml", "--pqc-in", "software", "--key-label", "ca-root-classical"];
    await runOk(["ca", "init", "-P", "hybrid/catalyst/root-ca", "--var", "cn=Older", "-d", "ca", ...hsm], here);
    const pqc = metaOf(tmp, "ca").versions["v1"]!.keys[1]!.storage;
    assert.ok(pqc.type === "software");
    tmp.write("ca/private/ca.ml-dsa-87.key", tmp.read(`ca/${pqc.path}`), 0o600);
    Deno.removeSync(tmp.join("ca/versions"), { recursive: true });
    const older = {
      profile: "hybrid/catalyst/root-ca",
      created: "2025-01-02T10:30:00Z",
      keys: [
        {
          id: "classical",
          algorithm: "ecdsa-p384",
          storage: { type: "pkcs11", config: "./hsm.yaml", label: "ca-root-classical" },
        },
        { id: "pqc", algorithm: "ml-dsa-87", storage: { type: "software", path: "private/ca.ml-dsa-87.key" } },
      ],
    };
    const text = JSON.stringify(older, null, 4);
    tmp.write("ca/ca.meta.json", text);
    await runOk(["crl", "gen", "-d", "ca"], here);
    const crl = await runJson(["crl", "verify", "ca/crl/ca.crl", "--ca", "ca"], here) as { signatures: unknown[] };
    assert.deepEqual(crl.signatures, [{ subject: "CN=Older", scheme: "ECDSA-SHA384", alternative: "ML-DSA-87" }]);
    const enroll = ["credential", "enroll", "leaf", "-d", "ca", "-P", "hybrid/catalyst/tls-client", "--var", "cn=Leaf"];
    await runOk(enroll, here);
    await runOk(["credential", "export", "leaf", "--out", "leaf.crt"], here);
    await runOk(["cert", "verify", "leaf.crt", "--ca", "ca"], here);
    assert.match((await runOk(["ca", "info", "-d", "ca"], here)).stdout, /Algorithm: +ecdsa-p384, ml-dsa-87/);
    assert.equal(tmp.read("ca/ca.meta.json"), text, "upgraded only by a command that says so");
  },
);

testWith("a token without post-quantum mechanisms is told before it holds a key, with the way out", {
  needs: ["softhsm"],
}, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const here = { env: token.env, cwd: tmp.path };
  const hsm = ["--hsm-config", token.hsmYaml(), "--key-label", "hybrid"];
  await runOk(["ca", "init", "-P", "hybrid/catalyst/root-ca", "--var", "cn=Root", "-d", "ca"], here);
  const before = treeOf(tmp.path);
  const cases: [args: string[], message: RegExp][] = [
    [["ca", "init", "-P", "hybrid/catalyst/root-ca", "--var", "cn=X", "-d", "x"], /CKM_ML_DSA[\s\S]*--pqc-in software/],
    [
      ["ca", "init", "-P", "hybrid/composite/root-ca", "--var", "cn=X", "-d", "x"],
      /CKM_ML_DSA[\s\S]*--pqc-in software/,
    ],
    [["ca", "init", "-P", "ml/root-ca", "--var", "cn=X", "-d", "x"], /CKM_ML_DSA/],
    [["ca", "init", "-P", "slh/root-ca", "--var", "cn=X", "-d", "x"], /CKM_SLH_DSA/],
    [
      ["credential", "enroll", "x", "-d", "ca", "-P", "hybrid/catalyst/tls-client", "--var", "cn=X"],
      /CKM_ML_DSA[\s\S]*--pqc-in software/,
    ],
    [["credential", "enroll", "x", "-d", "ca", "-P", "ml/encryption", "--var", "cn=X"], /CKM_ML_KEM/],
    [["csr", "gen", "-a", "p256", "--hybrid", "ml-dsa-65", "--cn", "x"], /CKM_ML_DSA/],
    [["csr", "gen", "-a", "p256", "--composite", "ml-dsa-65", "--cn", "x"], /CKM_ML_DSA/],
  ];
  for (const [args, message] of cases) {
    const result = await runCli([...args, ...hsm], here);
    assert.equal(result.code, 3, describe(args.join(" "), result));
    assert.match(result.stderr, message);
  }
  assert.deepEqual(await labels(token), []);
  assert.deepEqual(treeOf(tmp.path), before);
  // one key of a mixed place fails before the other is made
  await runOk(["key", "generate", "-a", "p384", "--hsm-config", token.hsmYaml(), "--key-label", "taken"], here);
  const taken = ["--hsm-config", token.hsmYaml(), "--key-label", "taken", "--pqc-in", "software"];
  const result = await runCli(
    ["ca", "init", "-P", "hybrid/catalyst/root-ca", "--var", "cn=X", "-d", "x", ...taken],
    here,
  );
  assert.equal(result.code, 3, describe("ca init", result));
  assert.match(result.stderr, /"taken" exists/);
  assert.deepEqual(treeOf(tmp.path), before);
});

const MISUSES: readonly [args: string[], message: RegExp][] = [
  [
    ["-P", "ec/root-ca", "--pqc-in", "software", "--hsm-config", "h", "--key-label", "k"],
    /there is no post-quantum key/,
  ],
  [["-P", "ml/root-ca", "--classical-in", "software"], /there is no classical key/],
  [["-P", "ml/root-ca", "--pqc-in", "software", "--hsm-config", "h", "--key-label", "k"], /no key goes into the token/],
  [["-P", "hybrid/catalyst/root-ca", "--pqc-in", "token"], /--hsm-config is missing/],
  [["-P", "hybrid/catalyst/root-ca", "--pqc-in", "both"], /software, token/],
  [["-P", "hybrid/catalyst/root-ca", "--hsm-config", "h", "--key-id", "01"], /--key-id with 2 keys/],
  [
    ["-P", "hybrid/composite/root-ca", "--hsm-config", "h", "--key-label", "k", "--passphrase", "x"],
    /the token, which has a PIN/,
  ],
  [
    ["-P", "hybrid/composite/root-ca", "--use-existing-key", "--key", "k"],
    /it names one key, and the profile asks for 2/,
  ],
];

testWith("places that make no sense are refused", {}, async () => {
  using tmp = tempFolder();
  for (const [args, message] of MISUSES) {
    const result = await runCli(["ca", "init", ...args, "--var", "cn=X", "-d", "x"], { cwd: tmp.path });
    assert.equal(result.code, 2, describe(args.join(" "), result));
    assert.match(result.stderr, message);
  }
  assert.deepEqual(treeOf(tmp.path), []);
});

testWith(
  "existing keys: the classical one from the token, a new post-quantum one in a file",
  { needs: ["softhsm"] },
  async () => {
    using token = softhsmToken();
    using tmp = tempFolder();
    const here = { env: token.env, cwd: tmp.path };
    const hsm = ["--hsm-config", token.hsmYaml(), "--key-label", "old"];
    await runOk(["key", "generate", "-a", "p384", ...hsm], here);
    const init = ["ca", "init", "-P", "hybrid/catalyst/root-ca", "--var", "cn=X", "-d", "x", ...hsm];
    await runOk([...init, "--pqc-in", "software", "--use-existing-key"], here);
    await runOk(["crl", "gen", "-d", "x"], here);
    assert.deepEqual(await labels(token), ["old"]);
  },
);

testWith("Ctrl-C while a hybrid CA is made leaves no folder and no key", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  // each signature with the key in the file takes seconds, before and after the key in the token is made
  const shown = (await runOk(["profile", "show", "hybrid/catalyst/root-ca"])).stdout;
  const slow = tmp.write("slow.yaml", shown.replace("ml-dsa-87]", "slh-dsa-sha2-256s]"));
  let interrupted = 0;
  for (const [i, delay] of [200, 500, 1500, 4000].entries()) {
    const child = spawnCli([
      ...["ca", "init", "--hsm-config", token.hsmYaml(), "--key-label", `k${i}`, "--pqc-in", "software"],
      ...["-P", slow, "--var", "cn=Interrupted", "-d", tmp.join(`ca${i}`)],
    ], { env: token.env });
    await new Promise((done) => setTimeout(done, delay));
    try {
      child.kill("SIGINT");
    } catch { /* it had ended */ }
    const { code } = await child.output();
    assert.ok(code === 0 || code === 130, `exit ${code} after ${delay} ms`);
    if (code === 0) continue;
    interrupted++;
    assert.deepEqual((await labels(token)).filter((label) => label === `k${i}`), [], `an orphan key after ${delay} ms`);
    assert.deepEqual([...Deno.readDirSync(tmp.path)].filter(({ name }) => name.includes(`ca${i}`)), []);
  }
  assert.ok(interrupted > 0, "no run was interrupted: the delays are too long");
});
