import assert from "node:assert/strict";
import { UsageError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { Context } from "./command.ts";
import { aliased, CA_DIR, HSM_FLAGS, hsmConfigPath, hsmRef, keyRef } from "./flags.ts";
import { ParsedInput } from "./input.ts";

const COMMAND = { flags: [...HSM_FLAGS, aliased(CA_DIR, "dir")] };
const CONTEXT = { env: (name: string) => name === "HSM_CONFIG" ? "env.yaml" : undefined } as Context;

function parse(...argv: string[]): ParsedInput {
  return new ParsedInput(COMMAND, parseArguments(COMMAND, argv));
}

Deno.test("the hsm group names a key in a token", () => {
  assert.equal(hsmRef(parse(), CONTEXT), undefined);
  assert.deepEqual(hsmRef(parse("--hsm-config", "h.yaml"), CONTEXT), { type: "pkcs11", config: "h.yaml" });
  assert.deepEqual(
    hsmRef(parse("--hsm-config", "h.yaml", "--key-label", "a b", "--key-id", "0x0A:0b"), CONTEXT),
    { type: "pkcs11", config: "h.yaml", label: "a b", keyId: "0a0b" },
  );
});

Deno.test("HSM_CONFIG counts only where it is allowed", () => {
  assert.equal(hsmRef(parse(), CONTEXT, { env: true })?.config, "env.yaml");
  assert.equal(hsmRef(parse("--hsm-config", "h.yaml"), CONTEXT, { env: true })?.config, "h.yaml");
  assert.equal(hsmConfigPath(parse(), CONTEXT), undefined);
  assert.throws(() => hsmRef(parse("--key-label", "x"), CONTEXT), UsageError);
});

Deno.test("what does not go together is wrong usage", () => {
  const table: [string[], string | undefined, RegExp][] = [
    [["--key-label", "x"], undefined, /--key-label.*--hsm-config is missing/],
    [["--key-id", "01"], undefined, /--key-id.*--hsm-config is missing/],
    [["--hsm-config", "h", "--key-id", "xyz"], undefined, /--key-id "xyz".*hex/],
    [["--hsm-config", "h", "--key-id", ""], undefined, /--key-id/],
    [["--hsm-config", "h", "--key-label", ""], undefined, /label is empty/],
    [["--hsm-config", "", "--key-label", "x"], undefined, /path is empty/],
    [["--hsm-config", "h", "--key-label", "x"], "a.key", /both given/],
    [["--hsm-config", "h"], undefined, /--key-label and --key-id are both missing/],
    [[], undefined, /neither a key file nor --hsm-config/],
  ];
  for (const [argv, file, message] of table) {
    assert.throws(() => keyRef(file, parse(...argv), CONTEXT), (error: unknown) => {
      assert.ok(error instanceof UsageError, argv.join(" "));
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual(keyRef("a.key", parse(), CONTEXT), { type: "software", path: "a.key" });
});

Deno.test("an older spelling is read as the flag", () => {
  assert.equal(parse("--dir", "x").text("ca-dir"), "x");
  assert.equal(parse().text("ca-dir"), "./ca");
});
