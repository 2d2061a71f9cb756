import assert from "node:assert/strict";
import { EXIT, InputError } from "../errors.ts";
import { loadHsmConfig, parseHsmConfig } from "./hsm_config.ts";

const LIB = "/usr/lib/libCryptoki2_64.so";

function yaml(...lines: string[]): string {
  return `type: pkcs11\n\npkcs11:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

Deno.test("the documented forms are read", () => {
  assert.deepEqual(
    parseHsmConfig(yaml(`lib: ${LIB}`, `token: "CA-Token"   # by label`, "pin_env: HSM_PIN"), "hsm.yaml"),
    { path: "hsm.yaml", lib: LIB, token: "CA-Token", pin: { type: "env", name: "HSM_PIN" }, logoutAfterUse: false },
  );
  const full = yaml(
    `lib: ./libx.so`,
    "slot: 0",
    "pin_file: pin",
    "logout_after_use: true",
    "driver: luna",
    `init_string: "configDir='sql:/x'"`,
    "user_type: crypto-user",
    "sessions: 4",
  );
  assert.deepEqual(parseHsmConfig(full, "/etc/qpki/hsm.yaml"), {
    path: "/etc/qpki/hsm.yaml",
    lib: "/etc/qpki/./libx.so",
    slot: 0,
    pin: { type: "file", path: "/etc/qpki/pin" },
    logoutAfterUse: true,
    driver: "luna",
    initString: "configDir='sql:/x'",
    userType: "crypto-user",
    sessions: 4,
  });
  const serial = parseHsmConfig(yaml("lib: libx.so", 'token_serial: "0123"', "pin_command: [pass, show, hsm]"), "x");
  assert.equal(serial.lib, "libx.so");
  assert.equal(serial.tokenSerial, "0123");
  assert.deepEqual(serial.pin, { type: "command", argv: ["pass", "show", "hsm"] });
  assert.deepEqual(parseHsmConfig(yaml("lib: x", "slot: 0x10", "pin_command: pass show hsm"), "x").pin, serial.pin);
  assert.equal(parseHsmConfig(yaml("lib: x", "slot: 0x10"), "x").slot, 16);
  assert.deepEqual(parseHsmConfig(yaml("lib: x", "slot: 1", "pin_credential: hsm.pin"), "x").pin, {
    type: "credential",
    name: "hsm.pin",
  });
});

Deno.test("every mistake names its line and column", () => {
  const table: [string, RegExp, string, RegExp?][] = [
    [yaml(`lib: ${LIB}`, "token: x", "pin: 9876"), /the key "pin" is not allowed/, "6:3", /pin_env/],
    [yaml(`lib: ${LIB}`, "token: x", "user_pin: 9876"), /the key "user_pin" is not allowed/, "6:3"],
    [yaml(`lib: ${LIB}`, "tokne: x"), /unknown key "tokne"/, "5:3", /"token"/],
    [yaml(`lib: ${LIB}`, "token: x", "slot: 0"), /more than one token selector: token, slot/, "6:3"],
    [yaml(`lib: ${LIB}`, "slot: 0", "pin_env: A", "pin_file: b"), /more than one PIN source/, "7:3"],
    [yaml(`lib: ${LIB}`), /no token selector/, "1:1", /token, token_serial, slot/],
    [yaml("token: x"), /"lib" is missing/, "1:1"],
    [yaml("lib:", "token: x"), /lib must be text/, "4:"],
    [yaml(`lib: ${LIB}`, "token: 1234"), /token must be text/, "5:10", /quotes/],
    [yaml(`lib: ${LIB}`, "slot: first"), /slot must be a whole number/, "5:9"],
    [yaml(`lib: ${LIB}`, "slot: -1"), /slot must be a whole number/, "5:9"],
    [yaml(`lib: ${LIB}`, "slot: 0", "sessions: 0"), /sessions must be a whole number from 1/, "6:13"],
    [yaml(`lib: ${LIB}`, "slot: 0", "user_type: 1"), /user_type must be text/, "6:14"],
    [yaml(`lib: ${LIB}`, "slot: 0", "init_string:"), /init_string must be text, and not empty/, "6:"],
    [yaml(`lib: ${LIB}`, "slot: 0", "logout_after_use: yes please"), /must be true or false/, "6:21"],
    [yaml(`lib: ${LIB}`, "slot: 0", 'pin_env: "9876"'), /must be the name of an environment variable/, "6:12"],
    [yaml(`lib: ${LIB}`, "slot: 0", "pin_env: 9876"), /pin_env must be text/, "6:12"],
    [yaml(`lib: ${LIB}`, "slot: 0", "pin_command: echo $PIN"), /not run by a shell/, "6:16", /list/],
    [yaml(`lib: ${LIB}`, "slot: 0", "pin_command: []"), /list of texts/, "6:16"],
    [yaml(`lib: ${LIB}`, "slot: 0", "pin_credential: ../x"), /name of a systemd credential/, "6:19"],
    [yaml(`lib: ${LIB}`, "lib: again", "slot: 0"), /the key "lib" is there twice/, "5:"],
    [yaml(`lib: &a ${LIB}`, "token: *a"), /must not be an alias/, "5:10"],
    ["type: cng\npkcs11: {lib: x, slot: 0}\n", /type "cng" is unknown/, "1:7"],
    ["type: pkcs11\n", /"pkcs11" is missing/, "1:1"],
    ["type: pkcs11\npkcs11: x\n", /pkcs11 must be a mapping/, "2:9"],
    ["type: pkcs11\npkcs12: {}\n", /unknown key "pkcs12"/, "2:1", /"pkcs11"/],
    ["", /must be a mapping/, ""],
    ["- a\n", /must be a mapping/, "1:1"],
    ["type: [pkcs11\n", /./, ":"],
    ["a: \u0000\n", /./, ""],
    ["a: 1\n---\nb: 2\n", /./, ""],
  ];
  for (const [text, message, place, hint] of table) {
    assert.throws(() => parseHsmConfig(text, "hsm.yaml"), (error: unknown) => {
      assert.ok(error instanceof InputError, `${text}: ${error}`);
      assert.equal(error.exit, EXIT.INPUT);
      assert.match(error.message, message);
      assert.ok(error.message.includes(`hsm.yaml${place === "" || place === ":" ? "" : `:${place}`}`), error.message);
      if (hint) assert.match(error.hint ?? "", hint);
      assert.ok(!`${error.message}${error.hint}`.includes("9876"), "the PIN is not repeated");
      return true;
    }, text);
  }
});

Deno.test("a file that is missing, a folder, or too long is an input error", async () => {
  await assert.rejects(loadHsmConfig("/nonexistent/hsm.yaml"), /no such file/);
  await assert.rejects(loadHsmConfig("/"), InputError);
  assert.throws(() => parseHsmConfig("a".repeat(70_000), "x"), /longer than/);
  assert.throws(() => parseHsmConfig("[".repeat(60_000), "x"), InputError);
});
