/**
 * Large files, in a process of their own whose memory is watched: 256 MiB, or 2 GiB in the extended run
 * (`QPKI_LARGE_MIB=2048 deno test -A tests/cose_large_test.ts`). The files are sparse: they take no room on the disk.
 */
import assert from "node:assert/strict";
import { describe, ROOT, run, type RunResult } from "./support/cli.ts";
import { testWith } from "./support/require.ts";
import { softhsmToken } from "./support/softhsm.ts";
import { type TempFolder, tempFolder } from "./support/tmp.ts";

const MIB = 1024 * 1024;
const SIZE = Number(Deno.env.get("QPKI_LARGE_MIB") ?? 256) * MIB;
const SLOW_MS = 600_000;
/** Most memory that a command may take, in KiB: Deno alone takes about 100 MiB. */
const LIMIT_KIB = 300 * 1024;

/** Runs a command line; its last line on stderr is the most memory it had, in KiB. */
async function measured(
  line: string,
  { tmp, env = {} }: { tmp: TempFolder; env?: Record<string, string> },
): Promise<RunResult & { kib: number }> {
  const script = 'import { main } from "' + ROOT + '/src/cli/run.ts"; import { processIo } from "' + ROOT +
    '/src/cli/io.ts"; const status = await main(Deno.args, processIo(Deno.exit)); ' +
    'console.error(/VmHWM:\\s*(\\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))[1]); Deno.exit(status);';
  const args = ["run", "-A", "--no-check", "--config", `${ROOT}/deno.json`, tmp.write("run.ts", script)];
  const result = await run(Deno.execPath(), [...args, ...line.split(" ")], { cwd: tmp.path, env, timeout: SLOW_MS });
  return { ...result, kib: Number(result.stderr.trimEnd().split("\n").at(-1)) };
}

function sparse(tmp: TempFolder): void {
  using file = Deno.openSync(tmp.join("large"), { write: true, create: true });
  file.truncateSync(SIZE);
  file.seekSync(SIZE - 1, Deno.SeekMode.Start);
  file.writeSync(Uint8Array.of(1));
}

async function small(line: string, at: { tmp: TempFolder; env?: Record<string, string> }): Promise<void> {
  const result = await measured(line, at);
  assert.equal(result.code, 0, describe(line, result));
  assert.ok(result.kib < LIMIT_KIB, `${line}: ${Math.round(result.kib / 1024)} MiB of memory`);
}

const linux = Deno.build.os === "linux" ? undefined : "memory is measured by /proc";

testWith(
  `${SIZE / MIB} MiB with keys in files: in little memory, or refused with a reason`,
  { skip: linux },
  async () => {
    using tmp = tempFolder();
    sparse(tmp);
    for (const algorithm of ["ecdsa-p384", "rsa-2048", "ml-dsa-65"]) {
      await small(`key gen -a ${algorithm} --out ${algorithm}.key`, { tmp });
      await small(`key pub --key ${algorithm}.key --out ${algorithm}.pub`, { tmp });
      await small(`cose sign --key ${algorithm}.key --data large --detached --out ${algorithm}.cose`, { tmp });
      await small(`cose verify ${algorithm}.cose --key ${algorithm}.pub --data large`, { tmp });
    }
    for (const algorithm of ["ed25519", "slh-dsa-sha2-128f"]) {
      await small(`key gen -a ${algorithm} --out ${algorithm}.key`, { tmp });
      const line = `cose sign --key ${algorithm}.key --data large --detached --private-use`;
      const { code, stderr, kib } = await measured(line, { tmp });
      assert.equal(code, 4, stderr);
      assert.match(stderr, /signs the message itself and not its hash/);
      assert.ok(kib < LIMIT_KIB);
    }
    const embedded = await measured("cose sign --key rsa-2048.key --data large", { tmp });
    assert.equal(embedded.code, 4);
    assert.match(embedded.stderr, /--detached/);
  },
);

testWith(
  `${SIZE / MIB} MiB with keys in SoftHSM2: ECDSA and RSA-PSS`,
  { needs: ["softhsm"], skip: linux },
  async () => {
    using token = softhsmToken({ label: "CA-Token" });
    using tmp = tempFolder();
    token.hsmYaml(tmp.join("hsm.yaml"));
    sparse(tmp);
    const at = { tmp, env: token.env };
    for (const algorithm of ["ecdsa-p256", "rsa-2048"]) {
      const key = `--hsm-config hsm.yaml --key-label ${algorithm}`;
      await small(`key gen -a ${algorithm} ${key}`, at);
      await small(`key pub ${key} --out ${algorithm}.pub`, at);
      await small(`cose sign ${key} --data large --detached --out ${algorithm}.cose`, at);
      await small(`cose verify ${algorithm}.cose --key ${algorithm}.pub --data large`, at);
    }
  },
);
