/** Commands that make keys in a token, killed before each call to the file system: no key is left that nothing names. */
import assert from "node:assert/strict";
import { GONE, journalTail, readIntent } from "../../src/store/journal.ts";
import { findLeftovers } from "../../src/store/leftovers.ts";
import { LOCK_FILE } from "../../src/store/layout.ts";
import { planRecovery } from "../../src/store/recover.ts";
import { ROOT, run, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";
import { stride } from "../support/extended.ts";
import { CaStore, isCaFolder } from "../../src/store/ca.ts";

const SHIM = `${ROOT}/tests/support/fault_shim.ts`;
const MOST_POINTS = 300;
const STEP = stride(7);

async function keyIds(token: SoftHsmToken): Promise<string[]> {
  const args = ["key", "list", "--hsm-config", token.hsmYaml()];
  const { keys } = await runJson(args, { env: token.env }) as { keys: { storage: { key_id: string } }[] };
  return keys.map(({ storage }) => storage.key_id);
}

/** Ids of the keys that the CA's metadata names, and of those that the journals say to look for. */
async function namedIds(place: string): Promise<{ used: string[]; announced: string[] }> {
  const leftovers = await findLeftovers(place);
  const announced = leftovers.flatMap(({ keys }) => keys.map(({ key_id }) => key_id!));
  // what only has to be moved to its place counts
  const whole = leftovers.find(({ action }) => action === "finish")?.folder ?? place;
  if (!await isCaFolder(whole)) return { used: [], announced };
  const { steps } = await planRecovery(whole, `${whole}/${LOCK_FILE}`);
  // what is decided is carried out by the next command
  if (whole === place) await (await CaStore.open(place)).change("go on", () => Promise.resolve());
  const store = await CaStore.open(whole);
  announced.push(...steps.flatMap(({ keys = [] }) => keys.map(({ key_id }) => key_id!)));
  const tail = await journalTail(whole);
  for (const intent of tail.last?.open ?? []) {
    assert.equal(intent.owner, GONE);
    announced.push(...(await readIntent(whole, intent)).keys!.map(({ key_id }) => key_id!));
  }
  const keys = Object.values(store.meta.versions).flatMap((version) => version.keys);
  const used = keys.flatMap(({ storage }) => storage.type === "pkcs11" ? [storage.key_id!] : []);
  return { used, announced };
}

testWith(
  "ca init and ca rotate in a token, killed at each call: every key is named",
  { needs: ["softhsm"] },
  async () => {
    const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca", "--key-label", "root"];
    let found = 0;
    for (const command of ["init", "rotate"]) {
      for (let point = 1;; point += STEP) {
        assert.ok(point < MOST_POINTS);
        using token = softhsmToken();
        using tmp = tempFolder();
        const options = { env: token.env, cwd: tmp.path };
        const first = [...init, "--hsm-config", token.hsmYaml()];
        if (command === "rotate") await runOk(first, options);
        const args = command === "rotate" ? ["ca", "rotate", "-d", "ca"] : first;
        const shim = ["run", "-A", "--no-check", SHIM, "kill", String(point), ...args];
        const { signal, code, stderr } = await run(Deno.execPath(), shim, options);
        const there = await keyIds(token);
        const { used, announced } = await namedIds(tmp.join("ca"));
        for (const id of there) assert.ok(used.includes(id) || announced.includes(id), `${command} at ${point}: ${id}`);
        for (const id of used) assert.ok(there.includes(id), `${command} at ${point}: ${id} is not there`);
        if (there.length > used.length) found++;
        if (signal !== null) continue;
        assert.equal(code, 0, stderr);
        assert.deepEqual(announced, []);
        break;
      }
    }
    assert.ok(found * STEP > 10, `${found} times a key was left`);
  },
);
