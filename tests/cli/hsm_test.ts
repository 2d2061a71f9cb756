import assert from "node:assert/strict";
import { runCli, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";

const NEEDS = { needs: ["softhsm" as const] };

interface Slot {
  id: number;
  token: { label: string; serial: string; flags: string[] } | null;
}

async function slotOf(token: SoftHsmToken): Promise<Slot> {
  const { modules } = await runJson(["hsm", "list", "--lib", token.lib], { env: token.env }) as {
    modules: { slots: Slot[] }[];
  };
  return modules[0]!.slots.find((slot) => slot.token?.label === token.label)!;
}

/** hsm.yaml with other lines than the usual ones. */
function yaml(token: SoftHsmToken, ...lines: string[]): string {
  const path = `${token.folder}/${crypto.randomUUID()}.yaml`;
  const text = [`lib: ${token.lib}`, ...lines].map((line) => `  ${line}\n`).join("");
  Deno.writeTextFileSync(path, `type: pkcs11\npkcs11:\n${text}`);
  return path;
}

testWith("hsm list shows slots and tokens without configuration or PIN", NEEDS, async () => {
  using token = softhsmToken({ label: "CA Token" });
  const env = { SOFTHSM2_CONF: token.conf };
  const { stdout, stderr } = await runOk(["hsm", "list", "--lib", token.lib], { env });
  assert.equal(stderr, "");
  assert.match(stdout, /SoftHSM/);
  assert.match(stdout, /^\d+ +CA Token +[0-9a-f]{16} .* ready$/m);
  assert.match(stdout, /not initialised$/m);
  const byConfig = await runOk(["hsm", "list", "--hsm-config", token.hsmYaml()], { env });
  assert.equal(byConfig.stdout, stdout);
  const byEnvironment = await runOk(["hsm", "list"], { env: { ...env, HSM_CONFIG: token.hsmYaml() } });
  assert.equal(byEnvironment.stdout, stdout);
  const found = await runJson(["hsm", "list"], { env }) as { modules: { path: string; slots?: Slot[] }[] };
  const slots = found.modules.flatMap((module) => module.slots ?? []);
  assert.ok(slots.some((slot) => slot.token?.label === "CA Token"), "found where the driver knows it");
});

testWith("every verb takes every selector", NEEDS, async () => {
  using token = softhsmToken();
  token.addToken("another");
  const slot = await slotOf(token);
  const selectors = [`token: ${token.label}`, `token_serial: "${slot.token!.serial}"`, `slot: ${slot.id}`];
  for (const selector of selectors) {
    const config = yaml(token, selector, "pin_env: HSM_PIN");
    for (const verb of ["info", "mechanisms", "test"]) {
      const result = await runJson(["hsm", verb, "--hsm-config", config], { env: token.env });
      assert.ok(JSON.stringify(result).includes(`"${token.label}"`), `${verb} ${selector}`);
      assert.ok(!JSON.stringify(result).includes(`"another"`), `${verb} ${selector}`);
    }
  }
});

testWith("hsm info tells library, slot, token, limits and flags", NEEDS, async () => {
  using token = softhsmToken();
  const env = { SOFTHSM2_CONF: token.conf };
  const data = await runJson(["hsm", "info", "--hsm-config", token.hsmYaml()], { env }) as {
    module: Record<string, unknown>;
    slots: Slot[];
  };
  assert.equal(data.module.path, token.lib);
  assert.equal(data.module.driver, "softhsm2");
  assert.equal(data.slots.length, 1);
  assert.ok(data.slots[0]!.token!.flags.includes("CKF_TOKEN_INITIALIZED"));
  const { stdout } = await runOk(["hsm", "info", "--lib", token.lib], { env });
  assert.match(stdout, /^PIN length +4 to 255$/m);
  assert.match(stdout, /^Flags +.*CKF_LOGIN_REQUIRED/m);
});

testWith("hsm mechanisms uses the standard's names and filters them", NEEDS, async () => {
  using token = softhsmToken();
  const env = { SOFTHSM2_CONF: token.conf };
  const list = async (...filter: string[]) => {
    const data = await runJson(["hsm", "mechanisms", "--lib", token.lib, ...filter], { env });
    return (data as { tokens: { mechanisms: { name: string; number: string }[] }[] }).tokens[0]!.mechanisms;
  };
  const all = await list();
  assert.ok(all.length > 30);
  assert.ok(all.every(({ name }) => /^(CKM_[A-Z0-9_]+|0x[0-9a-f]+)$/.test(name)));
  const numbers = new Map(all.map(({ name, number }) => [name, number]));
  assert.equal(numbers.get("CKM_AES_GCM"), "0x1087");
  assert.equal(numbers.get("CKM_ECDSA"), "0x1041");
  assert.deepEqual((await list("--filter", "ecdsa")).map(({ name }) => name), ["CKM_ECDSA"]);
  assert.deepEqual(await list("--filter", "no such thing"), []);
});

testWith("hsm test walks through a signature and says which step failed", NEEDS, async () => {
  using token = softhsmToken();
  const steps = ["load", "slot", "login", "session key", "sign", "verify"];
  const good = await runOk(["hsm", "test", "--hsm-config", token.hsmYaml()], { env: token.env });
  for (const step of steps) assert.match(good.stdout, new RegExp(`^${step} +ok +[0-9.]+ ms`, "m"));
  const keys = await runJson(["key", "list", "--hsm-config", token.hsmYaml()], { env: token.env });
  assert.ok(!JSON.stringify(keys).includes("qpki hsm test"), "nothing is left in the token");
  const table: [string, Record<string, string>, number, string, RegExp][] = [
    [token.hsmYaml(), { HSM_PIN: "9999" }, 3, "login", /CKR_PIN_INCORRECT \(0xa0\)/],
    [token.hsmYaml(), { HSM_PIN: "" }, 3, "login", /HSM_PIN \(pin_env\) is empty/],
    [yaml(token, "token: absent", "pin_env: HSM_PIN"), {}, 3, "slot", /Tokens there are: "qpki-test"/],
    [yaml(token, "token: x", "driver: nothing"), {}, 4, "load", /driver "nothing"/],
  ];
  for (const [config, env, status, step, reason] of table) {
    const result = await runCli(["hsm", "test", "--hsm-config", config], { env: { ...token.env, ...env } });
    assert.equal(result.code, status, result.stdout + result.stderr);
    assert.match(result.stdout, new RegExp(`^${step} +FAILED`, "m"));
    assert.match(result.stdout, reason);
    assert.ok(!result.stdout.includes("9999"));
  }
  const lib = await runCli(["hsm", "test", "--lib", "/nonexistent.so", "--json"]);
  assert.equal(lib.code, 3);
  const report = JSON.parse(lib.stdout) as {
    ok: boolean;
    steps: { name: string; ok: boolean; error: { code: string } }[];
  };
  assert.equal(report.ok, false);
  assert.deepEqual(report.steps.map(({ name, ok, error }) => [name, ok, error.code]), [[
    "load",
    false,
    "module.not_found",
  ]]);
});

testWith("each source of the PIN logs in, and a PIN in YAML is refused", NEEDS, async () => {
  using token = softhsmToken({ pin: "24 68" });
  const file = `${token.folder}/hsm.pin`;
  Deno.writeTextFileSync(file, "24 68\n", { mode: 0o600 });
  const env = { SOFTHSM2_CONF: token.conf };
  const table: [string, Record<string, string>][] = [
    ["pin_env: HSM_PIN", { HSM_PIN: "24 68" }],
    ["pin_file: hsm.pin", {}],
    [`pin_command: [cat, "${file}"]`, {}],
    ["pin_credential: hsm.pin", { CREDENTIALS_DIRECTORY: token.folder }],
  ];
  for (const [line, more] of table) {
    const config = yaml(token, `token: ${token.label}`, line);
    await runOk(["hsm", "test", "--hsm-config", config], { env: { ...env, ...more } });
    await runOk(["key", "list", "--hsm-config", config], { env: { ...env, ...more } });
  }
  Deno.chmodSync(file, 0o644);
  const open = await runCli(
    ["key", "list", "--hsm-config", yaml(token, `token: ${token.label}`, "pin_file: hsm.pin")],
    { env },
  );
  assert.equal(open.code, 3);
  assert.match(open.stderr, /open to others \(mode 0644\)/);
  const none = await runCli(["key", "list", "--hsm-config", yaml(token, `token: ${token.label}`)], { env });
  assert.equal(none.code, 3);
  assert.match(none.stderr, /no PIN, and no terminal to ask on[\s\S]*hint: .*pin_env/);
  const inYaml = await runCli(["key", "list", "--hsm-config", yaml(token, `token: ${token.label}`, 'pin: "24 68"')], {
    env,
  });
  assert.equal(inYaml.code, 4);
  assert.match(inYaml.stderr, /yaml:5:3": the key "pin" is not allowed/);
  assert.ok(!inYaml.stderr.includes("24 68"));
  const flag = await runCli(["key", "list", "--hsm-config", yaml(token, `token: ${token.label}`), "--pin", "24 68"], {
    env,
  });
  assert.equal(flag.code, 2);
  assert.match(flag.stderr, /Cannot take a PIN from the command line/);
});
