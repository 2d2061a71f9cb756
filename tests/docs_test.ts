/** What README and examples say runs, as it stands there. */
import assert from "node:assert/strict";
import { describe, qpkiCommand, ROOT, run } from "./support/cli.ts";
import { type Need, softhsmLibrary, testWith } from "./support/require.ts";
import { softhsmToken } from "./support/softhsm.ts";
import { type TempFolder, tempFolder } from "./support/tmp.ts";
import { COMMANDS } from "../src/cli/commands/mod.ts";

const README = await Deno.readTextFile(`${ROOT}/README.md`);

/** Fenced blocks whose first line is exactly `info`, in order. */
function blocks(info: string): string[] {
  const pattern = new RegExp("^```" + info + "\\n(.*?)^```$", "gms");
  return [...README.matchAll(pattern)].map((match) => match[1]!);
}

/** A folder for `qpki` as a program, to be put on PATH. */
function putOnPath(tmp: TempFolder): string {
  const words = qpkiCommand().map((word) => `'${word}'`).join(" ");
  tmp.write("bin/qpki", `#!/bin/sh\nexec ${words} "$@"\n`, 0o755);
  return `${tmp.join("bin")}:${Deno.env.get("PATH")}`;
}

/** Runs a script in a folder of its own; every command must succeed. */
async function runScript(script: string, env: Record<string, string> = {}, files: Record<string, string> = {}) {
  using tmp = tempFolder("qpki-docs-");
  for (const [name, content] of Object.entries(files)) tmp.write(`work/${name}`, content);
  Deno.mkdirSync(tmp.join("work"), { recursive: true });
  const result = await run("/bin/sh", ["-eu", "-c", script], {
    cwd: tmp.join("work"),
    env: { ...env, PATH: putOnPath(tmp) },
  });
  assert.equal(result.code, 0, describe("script", result));
}

const cases: [info: string, needs: Need[]][] = [
  ["sh runnable", ["openssl"]],
  ["sh runnable softhsm", ["softhsm"]],
];
for (const [info, needs] of cases) {
  testWith(`README: the blocks "${info}" run in order`, { needs }, async () => {
    const found = blocks(info);
    assert.ok(found.length >= 2, `${found.length} blocks`);
    const lib = softhsmLibrary();
    const check = info === "sh runnable" ? "! qpki cert verify server.crt --ca ./ca || exit 9" : "";
    await runScript([...found, check].join("\n"), lib === undefined ? {} : { SOFTHSM2_LIB: lib });
  });
}

testWith("example: two-tier-pki.sh", { needs: ["openssl"] }, async () => {
  await runScript(await Deno.readTextFile(`${ROOT}/examples/two-tier-pki.sh`));
});

Deno.test("example: offline-root.sh", async () => {
  await runScript(await Deno.readTextFile(`${ROOT}/examples/offline-root.sh`));
});

testWith("example: hsm-ca.sh", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken({ label: "CA-Token" });
  const config = await Deno.readTextFile(token.hsmYaml());
  await runScript(await Deno.readTextFile(`${ROOT}/examples/hsm-ca.sh`), token.env, { "hsm.yaml": config });
});

testWith("example: hsm/softhsm2.yaml, as it stands", {
  needs: ["softhsm"],
  skip: softhsmLibrary() === "/usr/lib/softhsm/libsofthsm2.so" ? undefined : "SoftHSM2's library lies elsewhere here",
}, async () => {
  using token = softhsmToken({ label: "CA-Token" });
  const config = `${ROOT}/examples/hsm/softhsm2.yaml`;
  await runScript(
    `qpki hsm test --hsm-config ${config}
    qpki ca init --hsm-config ${config} --key-label k --profile ec/root-ca --var cn=X --ca-dir ./hsm-ca
    qpki crl gen --ca-dir ./hsm-ca`,
    token.env,
  );
});

Deno.test("example: profiles/device.yaml has no findings and issues a certificate", async () => {
  const profile = `${ROOT}/examples/profiles/device.yaml`;
  await runScript(`
    qpki profile lint ${profile}
    qpki ca init --profile ec/root-ca --var cn=X --ca-dir ca
    qpki csr gen --algorithm ecdsa-p256 --keyout d.key --cn ignored --out d.csr
    qpki cert issue --ca-dir ca --profile ${profile} --csr d.csr --var serial=A1B2C3 --var site=lyon --out d.crt
    qpki inspect d.crt | grep -q "CN=device-A1B2C3"`);
});

Deno.test("README: its table of commands is the list of commands", () => {
  const table = README.slice(README.indexOf("| noun | verbs |"), README.indexOf("Results go to"));
  const stated = new Map<string, string[]>();
  for (const [, noun, verbs] of table.matchAll(/^\| `([a-z]+)` \| (.*) \|$/gm)) {
    stated.set(noun!, [...verbs!.matchAll(/`([a-z-]+)`/g)].map((match) => match[1]!).sort());
  }
  const real = new Map<string, string[]>();
  for (const { path: [noun, verb] } of COMMANDS) {
    if (verb === undefined) assert.ok(table.includes(`\`${noun}\``), noun);
    else real.set(noun, [...real.get(noun) ?? [], verb].sort());
  }
  assert.deepEqual(Object.fromEntries(stated), Object.fromEntries(real));
});

Deno.test("README: its table of exit statuses is that of help exit-codes", async () => {
  const { code, stdout } = await run(qpkiCommand()[0]!, [...qpkiCommand().slice(1), "help", "exit-codes"]);
  assert.equal(code, 0);
  const section = README.slice(README.indexOf("| exit status |"), README.indexOf("Shell completion"));
  const rows = [...section.matchAll(/^\| (\d+) \| (.*) \|$/gm)];
  assert.equal(rows.length, 6);
  for (const [, status, meaning] of rows) {
    assert.match(stdout, new RegExp(`^ *${status} +${meaning!.replace(/[()]/g, "\\$&")}`, "m"));
  }
});

Deno.test("README: the dependencies named are those in deno.json, and CI calls the README's own commands", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)) as { imports: Record<string, string> };
  const section = README.slice(README.indexOf("## Dependencies"), README.indexOf("## What is not claimed"));
  const named = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap((row) => row[1]!.match(/[@\w/-]+/g)!);
  assert.deepEqual(named.sort(), Object.keys(imports).sort());
  for (const [name, pin] of Object.entries(imports)) assert.match(pin, new RegExp(`^npm:${name}@\\d+\\.\\d+\\.\\d+$`));
  const ci = await Deno.readTextFile(`${ROOT}/.ci/run`);
  for (const task of ["test", "build"]) {
    assert.ok(README.includes(`npx -y deno@2.9 task ${task}`), task);
    assert.ok(ci.includes(`npx -y deno@2.9 task ${task}`), task);
  }
});
