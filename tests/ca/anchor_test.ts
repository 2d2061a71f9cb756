/** A CA whose token remembers the end of the journal: an older copy of its folder signs nothing. */
import assert from "node:assert/strict";
import { placeInJournal } from "../../src/store/journal_place.ts";
import { Journal } from "../../src/store/journal.ts";
import { describe, run, runCli, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

testWith("ca init --anchor: an older copy of the folder is noticed", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const options = { env: token.env, cwd: tmp.path };
  const yaml = token.hsmYaml();
  const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca"];
  await runOk([...init, "--hsm-config", yaml, "--key-label", "root", "--anchor"], options);
  const crl = ["crl", "gen", "-d", "ca", "--days", "7"];
  const enroll = (name: string) => [
    ...["credential", "enroll", name, "-d", "ca", "-c", "creds"],
    ...["-P", "ec/tls-client", "--var", `cn=${name}`],
  ];
  await runOk(crl, options);
  await runOk(enroll("one"), options);
  const copied = await run("cp", ["-a", "ca", "older"], options);
  assert.equal(copied.code, 0, copied.stderr);
  // what signs nothing and what signs go on as ever
  const serial = tmp.read("ca/index.txt").split("\t")[3]!;
  await runOk(["cert", "revoke", "-d", "ca", serial], options);
  await runOk(enroll("two"), options);
  await runOk(crl, options);

  Deno.renameSync(tmp.join("ca"), tmp.join("newest"));
  Deno.renameSync(tmp.join("older"), tmp.join("ca"));
  for (const args of [crl, enroll("three")]) {
    const result = await runCli(args, options);
    assert.equal(result.code, 1, describe(args.join(" "), result));
    assert.match(result.stderr, /its journal ends before record \d+, which the token remembers/);
  }
  Deno.renameSync(tmp.join("ca"), tmp.join("older"));
  Deno.renameSync(tmp.join("newest"), tmp.join("ca"));
  await runOk(crl, options);
  // the same length, another history
  const lines = tmp.read("ca/journal.jsonl").split("\n");
  tmp.write("ca/journal.jsonl", lines.map((line) => line.replace('"revoked":1', '"revoked":0')).join("\n"));
  const forged = await runCli(crl, options);
  assert.equal(forged.code, 1, describe("crl gen", forged));
  assert.match(forged.stderr, /record \d+ of its journal is not the one that the token remembers/);
});

Deno.test("ca init --anchor needs a token", async () => {
  using tmp = tempFolder();
  const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca", "--anchor"];
  const result = await runCli(init, { cwd: tmp.path });
  assert.equal(result.code, 2, describe("ca init", result));
  assert.match(result.stderr, /the CA's key is not in a token/);
});

Deno.test("a remembered head is found at the end, far back, and in earlier parts of a journal", async () => {
  using tmp = tempFolder();
  const heads: { seq: number; sha256: string }[] = [];
  for (let i = 0; i < 8; i++) {
    using journal = await Journal.open(tmp.path);
    await journal.append({ op: "x".repeat(400_000), state: "done" });
    heads.push(journal.head);
    if (i === 4) await journal.rotate(1000);
  }
  for (const head of heads) {
    assert.equal(await placeInJournal(tmp.path, head), "in", `${head.seq}`);
    assert.equal(await placeInJournal(tmp.path, { ...head, sha256: "00" }), "other");
  }
  assert.equal(await placeInJournal(tmp.path, { seq: 99, sha256: "00" }), "beyond");
});
