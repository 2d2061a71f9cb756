/** `ca check` looks into tokens and into the journal: SoftHSM2, with keys that other tools changed or commands left. */
import assert from "node:assert/strict";
import { describe, ROOT, run, runCli, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

interface Report {
  errors: number;
  warnings: number;
  findings: { severity: string; code: string; message: string; hint?: string }[];
  repaired: string[];
}

async function check(
  token: Pick<SoftHsmToken, "env">,
  tmp: TempFolder,
  ...more: string[]
): Promise<Report & { code: number }> {
  const result = await runCli(["ca", "check", "-d", "ca", "--json", ...more], { cwd: tmp.path, env: token.env });
  assert.ok(result.stdout.startsWith("{"), describe("ca check", result));
  return { ...JSON.parse(result.stdout), code: result.code };
}

function codes({ findings }: Report): string[] {
  return findings.map(({ code }) => code).sort();
}

async function caInToken(token: SoftHsmToken, tmp: TempFolder): Promise<void> {
  token.hsmYaml(tmp.join("hsm.yaml"));
  const init = ["ca", "init", "--hsm-config", "hsm.yaml", "--key-label", "k", "--key-id", "01", "-d", "ca"];
  await runOk([...init, "--profile", "ec/root-ca", "--var", "cn=Token Root"], { cwd: tmp.path, env: token.env });
}

async function pkcs11Tool(token: SoftHsmToken, ...args: string[]): Promise<void> {
  const login = ["--module", token.lib, "--token-label", token.label, "--login", "--pin", token.pin];
  const result = await run("pkcs11-tool", [...login, ...args], { env: token.env });
  assert.equal(result.code, 0, describe(`pkcs11-tool ${args.join(" ")}`, result));
}

/** Destroys the CA's key and makes another under the same label and id. */
async function replaceKey(token: SoftHsmToken, ...attributes: string[]): Promise<void> {
  for (const type of ["privkey", "pubkey"]) await pkcs11Tool(token, "--delete-object", "--type", type, "--id", "01");
  const key = ["--key-type", "EC:secp384r1", "--label", "k", "--id", "01"];
  await pkcs11Tool(token, "--keypairgen", ...key, ...attributes);
}

testWith("ca check: a key in a token, as it was made", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  await caInToken(token, tmp);
  const good = await check(token, tmp);
  assert.deepEqual([good.code, good.findings], [0, []]);
  // without the PIN: told, or left out when asked to
  const { HSM_PIN: _, ...noPin } = token.env;
  const locked = await runCli(["ca", "check", "-d", "ca", "--json"], { cwd: tmp.path, env: { ...noPin, HSM_PIN: "" } });
  assert.equal(locked.code, 1, describe("ca check", locked));
  assert.match(locked.stdout, /"code": "(pin|hsm)\./);
  assert.deepEqual((await check(token, tmp, "--no-token")).findings, []);
  assert.deepEqual((await check(token, tmp, "--offline-token")).findings, []);
  // a wrong hsm.yaml is a finding too
  tmp.write("hsm.yaml", "type: pkcs11\npkcs11:\n  lib: /nowhere.so\n  token: x\n");
  assert.deepEqual(codes(await check(token, tmp)), ["module.not_found"]);
  Deno.removeSync(tmp.join("hsm.yaml"));
  assert.deepEqual(codes(await check(token, tmp)), ["hsm.config_not_found"]);
});

testWith("ca check: a key that another tool replaced, made readable, or took away", {
  needs: ["softhsm", "pkcs11-tool"],
}, async (t) => {
  const cases: [name: string, change: (token: SoftHsmToken) => Promise<void>, finds: string[]][] = [
    ["replaced", (token) => replaceKey(token), ["key.replaced"]],
    ["extractable", (token) => replaceKey(token, "--extractable"), ["key.extractable", "key.replaced"]],
    ["deleted", (token) => pkcs11Tool(token, "--delete-object", "--type", "privkey", "--id", "01"), ["key.missing"]],
    [
      "renamed",
      (token) => pkcs11Tool(token, "--type", "privkey", "--id", "01", "--set-id", "0202"),
      ["key.missing"],
    ],
    [
      "renamed with its public half",
      async (token) => {
        for (const type of ["privkey", "pubkey"]) {
          await pkcs11Tool(token, "--type", type, "--id", "01", "--set-id", "0202");
        }
      },
      ["key.renamed"],
    ],
    [
      "without its public half",
      (token) => pkcs11Tool(token, "--delete-object", "--type", "pubkey", "--id", "01"),
      ["key.public_missing"],
    ],
  ];
  for (const [name, change, finds] of cases) {
    await t.step(name, async () => {
      using token = softhsmToken();
      using tmp = tempFolder();
      await caInToken(token, tmp);
      await change(token);
      const report = await check(token, tmp);
      assert.deepEqual(codes(report), finds, JSON.stringify(report.findings, null, 1));
      assert.equal(report.code, 1);
      assert.deepEqual(codes(await check(token, tmp, "--repair")), finds, "nothing that --repair could decide");
    });
  }
});

testWith("ca check: a key in use that is not sensitive, or was readable once", {
  needs: ["softhsm", "pkcs11-tool", "openssl"],
}, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  token.hsmYaml(tmp.join("hsm.yaml"));
  const here = { cwd: tmp.path, env: token.env };
  // a copy outside of the token: imported, which the token does not forget
  await runOk(["key", "generate", "-a", "rsa-2048", "--out", "k.pem"], here);
  const der = await run(
    "openssl",
    ["pkcs8", "-topk8", "-nocrypt", "-in", "k.pem", "-outform", "DER", "-out", "k.der"],
    here,
  );
  assert.equal(der.code, 0, describe("openssl pkcs8", der));
  const profile = tmp.write(
    "ca.yaml",
    "name: rsa-ca\nalgorithm: rsa-2048\nvalidity: 3650d\nsubject: {cn: Imported}\nextensions:\n" +
      "  basicConstraints: {critical: true, ca: true}\n  keyUsage: {critical: true, values: [keyCertSign, cRLSign]}\n",
  );
  await pkcs11Tool(token, "--write-object", tmp.join("k.der"), "--type", "privkey", "--label", "k", "--id", "01");
  const pub = await run("openssl", ["pkey", "-in", "k.pem", "-pubout", "-outform", "DER", "-out", "pub.der"], here);
  assert.equal(pub.code, 0, describe("openssl pkey", pub));
  await pkcs11Tool(token, "--write-object", tmp.join("pub.der"), "--type", "pubkey", "--label", "k", "--id", "01");
  const init = ["ca", "init", "--hsm-config", "hsm.yaml", "--key-label", "k", "--use-existing-key", "-d", "ca"];
  await runOk([...init, "--profile", profile], here);
  const report = await check(token, tmp);
  assert.deepEqual(codes(report), ["key.once_readable"], JSON.stringify(report.findings, null, 1));
  assert.equal(report.code, 0, "a warning");
  assert.equal((await check(token, tmp, "--warnings-fail")).code, 1);
});

testWith("ca check: a key in use that can be extracted", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  token.hsmYaml(tmp.join("hsm.yaml"));
  const key = ["--key-type", "EC:secp384r1", "--label", "k", "--id", "01"];
  await pkcs11Tool(token, "--keypairgen", ...key, "--extractable");
  const init = ["ca", "init", "--hsm-config", "hsm.yaml", "--key-label", "k", "--use-existing-key", "-d", "ca"];
  const made = ["--profile", "ec/root-ca", "--var", "cn=Readable"];
  await runOk([...init, ...made], { cwd: tmp.path, env: token.env });
  const report = await check(token, tmp);
  assert.deepEqual([report.code, codes(report)], [1, ["key.extractable"]], JSON.stringify(report.findings, null, 1));
});

/** Journals that a key will be made, makes it or not, and dies. */
async function beginKey(token: SoftHsmToken, tmp: TempFolder, id: string, isMade: boolean): Promise<void> {
  const script = `
    import { CaStore } from "${ROOT}/src/store/ca.ts";
    import { run } from "${ROOT}/tests/support/cli.ts";
    const store = await CaStore.open("${tmp.join("ca")}");
    const keys = [{ config: "hsm.yaml", label: "next", key_id: "${id}", algorithm: "ecdsa-p256" }];
    await store.intend({ op: "rotate", keys });
    if (${isMade}) {
      const key = ["--hsm-config", "hsm.yaml", "--key-label", "next", "--key-id", "${id}"];
      const args = ["run", "-A", "--no-check", "${ROOT}/main.ts", "key", "generate", "-a", "ecdsa-p256", ...key];
      const made = await run(Deno.execPath(), args, { cwd: "${tmp.path}" });
      if (made.code !== 0) throw new Error(made.stderr);
    }
    Deno.kill(Deno.pid, "SIGKILL");
  `;
  const file = tmp.write(`begin-${id}.ts`, script);
  const died = await run(Deno.execPath(), ["run", "-A", "--no-check", file], { cwd: ROOT, env: token.env });
  assert.equal(died.signal, "SIGKILL", describe("begin", died));
}

testWith("ca check: a key that an interrupted command made is told with the command that deletes it", {
  needs: ["softhsm"],
}, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  await caInToken(token, tmp);
  await beginKey(token, tmp, "aa", true);
  await beginKey(token, tmp, "bb", false);
  // the files that say that somebody is at work are left behind too
  const aboutKeys = (report: Report) => codes(report).filter((code) => code !== "journal.interrupted");
  const told = await check(token, tmp);
  assert.deepEqual(aboutKeys(told), ["leftover.intent", "leftover.key"], JSON.stringify(told.findings, null, 1));
  assert.deepEqual(aboutKeys(await check(token, tmp, "--no-token")), ["leftover.key", "leftover.key"]);
  const repaired = await check(token, tmp, "--repair");
  assert.deepEqual(codes(repaired), ["leftover.key"], JSON.stringify(repaired, null, 1));
  const command = /qpki (key delete .*)$/.exec(repaired.findings[0]!.hint!)![1]!;
  assert.match(command, /--key-label next --key-id aa$/);
  await runOk([...command.split(" "), "--yes"], { cwd: tmp.path, env: token.env });
  const after = await check(token, tmp, "--repair");
  assert.deepEqual([after.code, after.findings, after.repaired.length], [0, [], 1]);
  assert.deepEqual((await check(token, tmp)).findings, []);
  assert.deepEqual((await check(token, tmp, "--repair")).repaired, []);
});

testWith("ca check: a journal that somebody changed", {}, async () => {
  using tmp = tempFolder();
  const token = { env: {} };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca"], { cwd: tmp.path });
  for (let i = 0; i < 3; i++) await runOk(["crl", "gen", "-d", "ca"], { cwd: tmp.path });
  assert.deepEqual((await check(token, tmp)).findings, []);
  const text = tmp.read("ca/journal.jsonl");
  const lines = text.trimEnd().split("\n");
  assert.ok(lines.length >= 3, text);
  const damages: [name: string, text: string][] = [
    ["a word", text.replace(/crl/, "CRL")],
    ["a line taken out", lines.filter((_, i) => i !== 1).join("\n") + "\n"],
    ["lines exchanged", [lines[1], lines[0], ...lines.slice(2)].join("\n") + "\n"],
    ["the beginning", lines.slice(1).join("\n") + "\n"],
  ];
  for (const [name, damaged] of damages) {
    tmp.write("ca/journal.jsonl", damaged);
    const report = await check(token, tmp);
    assert.deepEqual(codes(report), ["journal.damaged"], name);
    assert.match(report.findings[0]!.message, /journal\.jsonl:\d/);
  }
  tmp.write("ca/journal.jsonl", text + '{"seq":');
  assert.deepEqual(codes(await check(token, tmp)), ["journal.interrupted"]);
  const repaired = await check(token, tmp, "--repair");
  assert.deepEqual([repaired.findings, repaired.repaired.length], [[], 1]);
  assert.equal(tmp.read("ca/journal.jsonl").startsWith(text), true);
});

testWith("ca check: a folder that is older than what the token remembers of it", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  token.hsmYaml(tmp.join("hsm.yaml"));
  const here = { cwd: tmp.path, env: token.env };
  const init = ["ca", "init", "--hsm-config", "hsm.yaml", "--key-label", "k", "--anchor", "-d", "ca"];
  await runOk([...init, "--profile", "ec/root-ca", "--var", "cn=Anchored"], here);
  await runOk(["crl", "gen", "-d", "ca"], here);
  await runOk(["ca", "backup", "-d", "ca", "-o", "ca.tar"], here);
  assert.deepEqual((await check(token, tmp)).findings, []);
  await runOk(["crl", "gen", "-d", "ca"], here);
  assert.deepEqual((await check(token, tmp)).findings, []);
  await runOk(["ca", "restore", "ca.tar", "-d", "ca", "--force"], here);
  const report = await check(token, tmp);
  assert.deepEqual([report.code, codes(report)], [1, ["ca.rolled_back"]], JSON.stringify(report.findings, null, 1));
});
