import assert from "node:assert/strict";
import { testWith } from "../../tests/support/require.ts";
import { softhsmToken } from "../../tests/support/softhsm.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { InputError, TokenError } from "../errors.ts";
import { Providers, type ProviderWorld } from "./providers.ts";

function world(cwd: string, warnings: string[] = []): ProviderWorld {
  return {
    env: (name) => Deno.env.get(name),
    cwd,
    prompter: {
      interactive: false,
      secret: () => Promise.reject(new Error("nobody")),
      confirm: () => Promise.resolve(false),
    },
    signal: new AbortController().signal,
    allowFinalTry: false,
    notify: () => {},
    warn: (text) => warnings.push(text),
  };
}

testWith("a token is opened once, whatever its path is written like, and closed at the end", {
  needs: ["softhsm"],
}, async () => {
  using token = softhsmToken();
  token.useInProcess();
  const config = token.hsmYaml();
  const count = `${token.folder}/count`;
  const counting = `pin_command: [sh, -c, "echo x >> '${count}'; echo ${token.pin}"]`;
  Deno.writeTextFileSync(config, Deno.readTextFileSync(config).replace("pin_env: HSM_PIN", counting));
  const warnings: string[] = [];
  const providers = new Providers(world(token.folder, warnings));
  for (
    const path of [config, "hsm.yaml", "./hsm.yaml", `${token.folder}/../${token.folder.split("/").at(-1)}/hsm.yaml`]
  ) {
    // who disposes of it leaves it open for the others
    await using provider = await providers.open({ type: "pkcs11", config: path });
    assert.equal(provider.type, "pkcs11");
    assert.deepEqual(await provider.list(), []);
  }
  assert.equal(Deno.readTextFileSync(count), "x\n", "one login");
  const late = await providers.open({ type: "pkcs11", config });
  await providers.close();
  await providers.close();
  await assert.rejects(late.list(), TokenError);
  assert.deepEqual(warnings, []);
});

Deno.test("a configuration that is missing or bad is told; the next one may be right", async () => {
  using tmp = tempFolder();
  const providers = new Providers(world(tmp.path));
  await assert.rejects(providers.open({ type: "pkcs11", config: "hsm.yaml" }), InputError);
  tmp.write("hsm.yaml", "type: pkcs11\npkcs11: {lib: /nonexistent.so, slot: 0}\n");
  await assert.rejects(providers.open({ type: "pkcs11", config: "hsm.yaml" }), TokenError);
  await providers.close();
});

Deno.test("software keys come from files below the folder of the command", async () => {
  using tmp = tempFolder();
  const providers = new Providers(world(tmp.path));
  const provider = await providers.open({ type: "software" });
  assert.equal(provider.type, "software");
  await assert.rejects(provider.open({ type: "software", path: "none.key" }), InputError);
  await providers.close();
});
