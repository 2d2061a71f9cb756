/** `ca check` and `ca backup` while many processes issue, revoke and publish: what is at work is not damage. */
import assert from "node:assert/strict";
import { verifyBackup } from "../../src/store/restore.ts";
import { describe, ROOT, run, runCli } from "../support/cli.ts";
import { tempFolder } from "../support/tmp.ts";
import { makeCa, openCa, profileOf, testDeps } from "./support.ts";
import { generateSoftwareKey } from "../../src/keys/software.ts";
import { findKeyRow } from "../../src/alg/find.ts";
import { issueBatch } from "../../src/ca/issue.ts";

const WORKER = `${ROOT}/tests/ca/worker.ts`;

Deno.test("ca check and ca backup find nothing wrong in a CA that is at work", async () => {
  using tmp = tempFolder();
  const folder = tmp.join("ca");
  const deps = testDeps(tmp.path);
  await makeCa(folder, deps, { profileName: "ec/issuing-ca", given: { cn: "Busy" } });
  const serials: string[] = [];
  {
    await using ca = await openCa(folder, deps);
    using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
    const profile = await profileOf("ec/tls-client", { cn: "leaf" });
    const requests = Array.from({ length: 60 }, () => ({ profile, spki: key.spki }));
    serials.push(...(await issueBatch(ca, requests, { deps })).map(({ serial }) => serial));
  }
  let working = true;
  const start = (work: string, items: readonly string[]) =>
    run(Deno.execPath(), ["run", "-A", "--no-check", WORKER, folder, work, ...items], { cwd: ROOT });
  const names = (letter: string) => Array.from({ length: 40 }, (_, i) => `${letter}${i}`);
  const workers = Promise.all([
    start("issue", names("a")),
    start("issue", names("b")),
    start("revoke", serials),
    start("crl", ["1", "2", "3", "4", "5", "6", "7", "8"]),
  ]).finally(() => working = false);
  let checks = 0;
  while (working) {
    const result = await runCli(["ca", "check", "-d", "ca", "--json"], { cwd: tmp.path });
    const { findings } = JSON.parse(result.stdout) as { findings: { code: string }[] };
    const wrong = findings.filter(({ code }) => code !== "crl.behind" && code !== "crl.missing");
    assert.deepEqual(wrong, [], describe("ca check", result));
    const backup = await runCli(["ca", "backup", "-d", "ca", "-o", "ca.tar", "--force"], { cwd: tmp.path });
    assert.equal(backup.code, 0, describe("ca backup", backup));
    await verifyBackup(Deno.readFileSync(tmp.join("ca.tar")));
    checks++;
  }
  for (const { code, stderr } of await workers) assert.equal(code, 0, stderr);
  assert.ok(checks > 1, `${checks} checks`);
  const last = await runCli(["ca", "check", "-d", "ca"], { cwd: tmp.path });
  assert.equal(last.code, 0, describe("ca check", last));
});
