/**
 * `ca restore --force`, killed or refused at every single call to the file system: there is always either the CA from before
 * or the restored one, and `ca check --repair` leads to one of them and cleans up.
 */
import assert from "node:assert/strict";
import { CaStore } from "../../src/store/ca.ts";
import { describe, ROOT, run } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { tempFolder } from "../support/tmp.ts";
import { copyTree } from "../support/tree.ts";
import { stride } from "../support/extended.ts";

const SHIM = `${ROOT}/tests/support/fault_shim.ts`;
const MOST_POINTS = 400;
const STEP = stride(7);

async function qpki(cwd: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd });
  assert.equal(status, 0, describe(args.join(" "), { code: status, stdout, stderr }));
  return stdout;
}

/** Serials in the index of the CA that is at `folder`. */
async function serials(folder: string): Promise<string[]> {
  return (await (await CaStore.open(folder)).entries()).map(({ serial }) => serial);
}

/** A folder that was made this moment may be somebody's at work: it is left alone for a minute. */
function ageFolders(path: string): void {
  const past = new Date(Date.now() - 120_000);
  for (const { name } of Deno.readDirSync(path)) {
    if (name.startsWith(".")) Deno.utimeSync(`${path}/${name}`, past, past);
  }
}

for (const target of ["ca", "new"]) {
  for (const mode of ["kill", "EIO", "ENOSPC"]) {
    Deno.test(`ca restore to ${target === "ca" ? "an existing CA" : "a new place"}, ${mode} at each call`, async () => {
      using base = tempFolder();
      const issue = ["cert", "issue", "-d", "ca", "-P", "ec/tls-server", "--csr", "csr"];
      await qpki(base.path, "ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
      await qpki(base.path, "csr", "gen", "-a", "ecdsa-p256", "--keyout", "k", "--cn", "x.test", "-o", "csr");
      await qpki(base.path, ...issue);
      await qpki(base.path, "crl", "gen", "-d", "ca");
      await qpki(base.path, "ca", "backup", "-d", "ca", "-o", "ca.tar", "--include-plain-keys");
      await qpki(base.path, ...issue);
      await qpki(base.path, "crl", "gen", "-d", "ca");
      const after = await serials(base.join("ca"));
      const before = after.slice(0, 1);
      for (let point = 1;; point += STEP) {
        assert.ok(point < MOST_POINTS);
        using tmp = tempFolder();
        copyTree(base.path, tmp.path);
        const shim = ["run", "-A", "--no-check", SHIM, mode, String(point)];
        const args = [...shim, "ca", "restore", "ca.tar", "-d", target, "--force"];
        const result = await run(Deno.execPath(), args, { cwd: tmp.path });
        const calls = Number(/^calls: (\d+)$/m.exec(result.stderr)?.[1] ?? point);
        const told = `${mode} at call ${point}: ${result.stderr}`;
        const at = tmp.join(target);
        // whoever comes next finds a CA, or is told what to do
        const info = await runInProcess(["ca", "info", "-d", target], { cwd: tmp.path });
        if (info.status !== 0) {
          assert.match(
            info.stderr,
            target === "ca" ? /ca check --repair/ : /ca check --repair|no ca\.meta\.json/,
            told,
          );
        }
        ageFolders(tmp.path);
        const repair = await runInProcess(["ca", "check", "-d", target, "--repair"], { cwd: tmp.path });
        const exists = await serials(at).then(() => true, () => false);
        if (target === "ca") assert.ok(exists, `${told}\n${repair.stdout}`);
        if (exists) {
          assert.equal(repair.status, 0, `${told}\n${repair.stdout}`);
          const now = await serials(at);
          const isRestored = now.length === 1;
          assert.deepEqual(now, isRestored ? before : after, told);
          if (result.code === 0) assert.ok(isRestored, told);
          // the number of the last CRL was 2: no other gets it, in either CA
          const number = JSON.parse(await qpki(tmp.path, "crl", "gen", "-d", target, "--json")).number;
          assert.equal(number, target === "ca" ? "03" : "02", told);
          if (target === "ca" && isRestored) {
            const aside = [...Deno.readDirSync(tmp.path)].map(({ name }) => name).filter((name) =>
              name.startsWith("ca.old-")
            );
            assert.equal(aside.length, 1, told);
            assert.deepEqual(await serials(tmp.join(aside[0]!)), after, told);
          }
        }
        const hidden = [...Deno.readDirSync(tmp.path)].map(({ name }) => name).filter((name) => name.startsWith("."));
        assert.deepEqual(hidden, [], `${told}\n${repair.stdout}`);
        if (calls < point) {
          assert.equal(result.code, 0, told);
          break;
        }
      }
    });
  }
}
