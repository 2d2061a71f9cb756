/** Keys in a token in the audit log: which token, which key, how often, what was refused; and never the PIN. */
import assert from "node:assert/strict";
import { read } from "../audit/support.ts";
import { runCli, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

const PIN = "71829364";

testWith("keys in a token: made, opened, used, deleted, and a wrong PIN", { needs: ["softhsm"] }, async () => {
  using tmp = tempFolder();
  using token = softhsmToken({ pin: PIN });
  token.hsmYaml(tmp.join("hsm.yaml"));
  const options = { cwd: tmp.path, env: { ...token.env, PKI_AUDIT_LOG: tmp.join("audit.jsonl") } };
  const hsm = ["--hsm-config", "hsm.yaml", "--key-label", "root"];
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "--ca-dir", "./ca", ...hsm], options);
  await runOk(["crl", "gen", "--ca-dir", "./ca"], options);
  const wrong = await runCli(["crl", "gen", "--ca-dir", "./ca"], {
    ...options,
    env: { ...options.env, HSM_PIN: "98765432" },
  });
  assert.equal(wrong.code, 3);
  await runOk(["key", "delete", ...hsm, "--yes"], options);
  const { events, problem } = await read(tmp.join("audit.jsonl"));
  assert.equal(problem, undefined);
  const keys = events.filter(({ key }) => key !== undefined);
  assert.deepEqual(keys.map(({ command, event, result }) => `${command}: ${event} ${result}`), [
    ...["ca init: key.generate intent", "ca init: key.generate ok", "ca init: key.use intent", "ca init: key.use ok"],
    ...["crl gen: key.open intent", "crl gen: key.open ok", "crl gen: key.use intent", "crl gen: key.use ok"],
    ...["crl gen: key.open intent", "crl gen: key.open failed"],
    ...["key delete: key.delete intent", "key delete: key.delete ok"],
  ]);
  const made = keys[1]!.key!;
  assert.equal(made.type, "pkcs11");
  assert.equal(made.label, "root");
  assert.match(made.id!, /^[0-9a-f]{32}$/);
  assert.equal(keys[0]!.key!.id, made.id);
  assert.equal(made.token, token.label);
  assert.match(made.token_serial!, /^[0-9a-f]{16}$/);
  assert.match(made.spki_sha256!, /^[0-9a-f]{64}$/);
  for (const { key, result } of keys) {
    assert.equal(key!.token_serial, made.token_serial);
    if (result === "ok") assert.equal(key!.spki_sha256, made.spki_sha256);
  }
  const logins = events.filter(({ event }) => event === "token.login");
  assert.equal(logins.length, 4);
  assert.equal(logins[0]!.details!["config"], tmp.join("hsm.yaml"));
  const refused = events.find(({ event, result }) => event === "key.open" && result === "failed")!;
  assert.equal(refused.rv, "CKR_PIN_INCORRECT");
  const text = tmp.read("audit.jsonl");
  for (const secret of [PIN, "98765432", token.soPin]) assert.ok(!text.includes(secret));
});

testWith("a log that cannot be written: no key is made in the token", { needs: ["softhsm"] }, async () => {
  using tmp = tempFolder();
  using token = softhsmToken();
  token.hsmYaml(tmp.join("hsm.yaml"));
  const options = { cwd: tmp.path, env: token.env };
  const generate = ["key", "generate", "-a", "ecdsa-p256", "--hsm-config", "hsm.yaml", "--key-label", "k"];
  assert.equal((await runCli([...generate, "--audit-log", "none/audit.jsonl"], options)).code, 1);
  const { stdout } = await runOk(["key", "list", "--hsm-config", "hsm.yaml", "--json"], options);
  assert.deepEqual(JSON.parse(stdout).keys, []);
});
