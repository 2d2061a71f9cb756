/** Commands that make keys in a token, killed on their way: what `ca check` says leads back to a clean CA and token. */
import assert from "node:assert/strict";
import { describe, ROOT, run, runCli, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";
import { stride } from "../support/extended.ts";

const SHIM = `${ROOT}/tests/support/fault_shim.ts`;
/** Every point is killed in crash_hsm_test.ts; what is left is one of a few kinds. */
const STRIDE = stride(16);
const MOST_POINTS = 300;

interface Report {
  findings: { code: string; hint?: string; message: string }[];
}

testWith("ca check --repair after ca init and ca rotate in a token were killed", { needs: ["softhsm"] }, async () => {
  const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca", "--key-label", "root"];
  let deleted = 0;
  for (const command of ["init", "rotate"]) {
    for (let point = 1;; point += STRIDE) {
      assert.ok(point < MOST_POINTS);
      using token = softhsmToken();
      using tmp = tempFolder();
      const options = { env: token.env, cwd: tmp.path };
      const first = [...init, "--hsm-config", token.hsmYaml(tmp.join("hsm.yaml"))];
      if (command === "rotate") await runOk(first, options);
      const args = command === "rotate" ? ["ca", "rotate", "-d", "ca"] : first;
      const { signal } = await run(
        Deno.execPath(),
        ["run", "-A", "--no-check", SHIM, "kill", `${point}`, ...args],
        options,
      );
      const at = `${command} killed at ${point}`;
      const check = async () => {
        const past = new Date(Date.now() - 120_000);
        for (const { name } of Deno.readDirSync(tmp.path)) {
          if (name.startsWith(".ca.qpki-")) Deno.utimeSync(tmp.join(name), past, past);
        }
        const result = await runCli(["ca", "check", "-d", "ca", "--repair", "--json"], options);
        // neither a CA nor anything of one is an answer too
        if (result.code === 4) assert.match(result.stderr, /ca\.not_found/, describe(at, result));
        return result.code === 4 ? { findings: [] } : JSON.parse(result.stdout) as Report;
      };
      for (let round = 0; round < 3; round++) {
        const { findings } = await check();
        const commands = findings.flatMap(({ hint }) => /qpki (key delete .*)$/.exec(hint ?? "")?.[1] ?? []);
        for (const one of commands) {
          await runOk([...one.split(" "), "--yes"], options);
          deleted++;
        }
        if (commands.length === 0) break;
      }
      const { findings } = await check();
      const left = findings.filter(({ code }) => code !== "leftover.version");
      assert.deepEqual(left, [], at);
      assert.deepEqual([...Deno.readDirSync(tmp.path)].filter(({ name }) => name.startsWith(".")), [], at);
      const { keys } = await runJson(["key", "list", "--hsm-config", "hsm.yaml"], options) as {
        keys: { storage: { key_id: string } }[];
      };
      const isThere = await Deno.stat(tmp.join("ca/ca.meta.json")).then(() => true, () => false);
      const meta = isThere ? tmp.read("ca/ca.meta.json") : "";
      for (const { storage } of keys) assert.ok(meta.includes(storage.key_id), `${at}: ${storage.key_id} is nobody's`);
      if (isThere) await runOk(["crl", "gen", "-d", "ca"], options);
      if (signal === null) break;
    }
  }
  assert.ok(deleted > 0, "no key was left at any point");
});
