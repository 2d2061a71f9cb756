/** Every command there is: those that change something or use a private key are in the log, the others leave none. */
import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/commands/mod.ts";
import { describe } from "../support/cli.ts";
import { obstacle, prepareExamples, runExample } from "../support/examples.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

/** Events that tell what a command is about, beside those of keys. A new command belongs here, or reads only. */
const RECORDED: Readonly<Record<string, readonly string[]>> = {
  "audit checkpoint": ["audit.checkpoint", "key.open", "key.use"],
  "ca accept": ["ca.accept"],
  "ca activate": ["ca.activate"],
  "ca backup": ["ca.backup"],
  "ca discard": ["ca.discard"],
  "ca init": ["ca.init", "key.generate", "key.use", "cert.issue"],
  "ca restore": ["ca.restore"],
  "ca rotate": ["ca.rotate", "key.generate", "key.use", "cert.issue"],
  "cert issue": ["cert.issue", "key.open", "key.use"],
  "cert revoke": ["cert.revoke"],
  "cose sign": ["key.open", "key.use"],
  "credential activate": ["credential.activate"],
  "credential enroll": ["credential.enroll", "key.generate", "key.use", "cert.issue"],
  "credential revoke": ["credential.revoke", "cert.revoke"],
  "credential rotate": ["credential.rotate", "key.generate", "key.use", "cert.issue"],
  "crl gen": ["crl.gen", "key.open", "key.use"],
  "csr gen": ["key.generate", "key.use"],
  "hsm test": ["hsm.test"],
  "key convert": ["key.convert"],
  "key delete": ["key.delete"],
  "key generate": ["key.generate"],
  "key pub": ["key.open"],
  "profile install": ["profile.install"],
};

/** What changes something with certain flags or in certain states only; each has a test of its own. */
const SOMETIMES: ReadonlySet<string> = new Set([
  "ca check",
  "ca upgrade",
  "credential check",
  "credential export",
  "key info",
]);
/** They log in to a token and touch no key. */
const LOGS_IN: ReadonlySet<string> = new Set(["key list"]);

testWith("every command is recorded, or leaves no log", { needs: ["openssl", "softhsm"] }, async (t) => {
  using tmp = tempFolder();
  await prepareExamples(tmp);
  for (const row of COMMANDS) {
    const name = row.path.join(" ");
    if (SOMETIMES.has(name) || LOGS_IN.has(name)) continue;
    const { default: command } = await row.load();
    const example = command.examples.filter((one) => obstacle(one) === undefined && !one.includes("--dry-run"))
      .find((one) => name !== "key delete" || one.includes("--yes"))!;
    await t.step(name, async () => {
      const recorded =
        `PKI_AUDIT_LOG=check.jsonl ${example} ; status=$?; test ! -f check.jsonl || cat check.jsonl; exit $status`;
      const result = await runExample({ tmp, name, example: recorded });
      assert.equal(result.code, 0, describe(example, result));
      const lines = result.stdout.split("\n").filter((line) =>
        /^\{"(ca|certificate_sha256|command|count|credential)":/.test(line)
      );
      const events: { event: string; result: string }[] = lines.map((line) => JSON.parse(line));
      const wanted = RECORDED[name];
      if (!wanted) {
        assert.deepEqual(events.map(({ event }) => event), [], example);
        return;
      }
      for (const event of wanted) {
        assert.ok(events.some((one) => one.event === event && one.result === "ok"), `${example}: ${event} is missing`);
      }
      assert.equal(events[1]!.result, "intent", example);
      assert.equal(events.at(-1)!.event, "command.end");
    });
  }
});
