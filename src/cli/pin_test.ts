import assert from "node:assert/strict";
import { Secret } from "../bytes.ts";
import { InterruptedError, TokenError } from "../errors.ts";
import { readPin } from "./pin.ts";
import { type TempFolder, tempFolder } from "../../tests/support/tmp.ts";
import type { PinSpec, PinWorld } from "./pin.ts";

function world(more: Partial<PinWorld> & { vars?: Record<string, string>; typed?: string } = {}): PinWorld {
  return {
    env: (name) => more.vars?.[name],
    prompter: {
      interactive: more.typed !== undefined,
      secret: () => Promise.resolve(new Secret(more.typed ?? "")),
      confirm: () => Promise.resolve(false),
    },
    signal: more.signal ?? new AbortController().signal,
    ...(more.commandTimeoutMs === undefined ? {} : { commandTimeoutMs: more.commandTimeoutMs }),
  };
}

function pinFile(tmp: TempFolder, content: string | Uint8Array, mode: number): string {
  const path = tmp.write(`${crypto.randomUUID()}/pin`, content);
  Deno.chmodSync(path, mode);
  return path;
}

Deno.test("each source gives the PIN", async () => {
  using tmp = tempFolder();
  const path = pinFile(tmp, "43 21\r\nignored\n", 0o600);
  const folder = path.replace(/\/pin$/, "");
  const table: [PinSpec | undefined, PinWorld, string][] = [
    [{ type: "env", name: "HSM_PIN" }, world({ vars: { HSM_PIN: " 1 " } }), " 1 "],
    [{ type: "file", path }, world(), "43 21"],
    [{ type: "file", path: pinFile(tmp, "4321", 0o400) }, world(), "4321"],
    [{ type: "credential", name: "pin" }, world({ vars: { CREDENTIALS_DIRECTORY: folder } }), "43 21"],
    [{ type: "command", argv: ["printf", "%s\\nsecond", "$HOME;x"] }, world(), "$HOME;x"],
    [undefined, world({ typed: "typed" }), "typed"],
  ];
  for (const [spec, from, expected] of table) {
    assert.equal((await readPin(spec, 'token "t"', from)).reveal(), expected, spec?.type);
  }
});

Deno.test("each source fails with what to do, and without what it read", async () => {
  using tmp = tempFolder();
  const open = pinFile(tmp, "4321\n", 0o640);
  const table: [string, PinSpec | undefined, PinWorld, string, RegExp, RegExp?][] = [
    [
      "unset",
      { type: "env", name: "HSM_PIN" },
      world(),
      "pin.missing",
      /HSM_PIN \(pin_env\) is not set/,
      /export HSM_PIN/,
    ],
    ["empty", { type: "env", name: "HSM_PIN" }, world({ vars: { HSM_PIN: "" } }), "pin.missing", /is empty/],
    ["no name", { type: "env", name: "" }, world(), "pin.source", /no name of a variable/],
    ["no name", { type: "env", name: "A=B" }, world(), "pin.source", /no name of a variable/],
    ["no name", { type: "env", name: "A\0B" }, world(), "pin.source", /no name of a variable/],
    ["NUL", { type: "file", path: pinFile(tmp, "1\x002\n", 0o600) }, world(), "pin.source", /NUL byte/],
    ["NUL in a path", { type: "file", path: "a\0b" }, world(), "pin.source", /./],
    ["NUL in a command", { type: "command", argv: ["a\0b"] }, world(), "pin.source", /./],
    ["nobody", undefined, world(), "pin.missing", /no terminal to ask on/, /pin_env/],
    ["nothing typed", undefined, world({ typed: "" }), "pin.missing", /no PIN was typed/],
    ["open file", { type: "file", path: open }, world(), "pin.source", /open to others \(mode 0640\)/, /chmod 600/],
    ["no file", { type: "file", path: "/nonexistent" }, world(), "pin.source", /no such file/],
    ["folder", { type: "file", path: "/proc/self" }, world(), "pin.source", /./],
    [
      "empty file",
      { type: "file", path: pinFile(tmp, "\n4321", 0o600) },
      world(),
      "pin.source",
      /first line is empty/,
    ],
    ["binary", { type: "file", path: pinFile(tmp, new Uint8Array([0xff]), 0o600) }, world(), "pin.source", /UTF-8/],
    ["long", { type: "file", path: pinFile(tmp, "1".repeat(2000), 0o600) }, world(), "pin.source", /longer/],
    [
      "no systemd",
      { type: "credential", name: "p" },
      world(),
      "pin.source",
      /CREDENTIALS_DIRECTORY/,
      /LoadCredential=p/,
    ],
    [
      "no program",
      { type: "command", argv: ["/nonexistent"] },
      world(),
      "pin.source",
      /"\/nonexistent".*no such program/,
    ],
    ["status", { type: "command", argv: ["sh", "-c", "echo 4321; exit 3"] }, world(), "pin.source", /"sh".*status 3/],
    ["silent", { type: "command", argv: ["true"] }, world(), "pin.source", /"true".*first line is empty/],
    [
      "late",
      { type: "command", argv: ["sleep", "20"] },
      world({ commandTimeoutMs: 100 }),
      "pin.source",
      /"sleep".*no answer within 0.1 s/,
    ],
  ];
  for (const [name, spec, from, code, message, hint] of table) {
    await assert.rejects(readPin(spec, 'token "t"', from), (error: unknown) => {
      assert.ok(error instanceof TokenError, name);
      assert.equal(error.code, code, name);
      assert.match(error.message, message, name);
      if (hint) assert.match(error.hint ?? "", hint, name);
      assert.ok(!Deno.inspect(error).includes("4321"), name);
      return true;
    }, name);
  }
});

Deno.test("Ctrl-C ends a pin_command", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new InterruptedError()), 50);
  await assert.rejects(
    readPin({ type: "command", argv: ["sleep", "20"] }, "t", world({ signal: controller.signal })),
    InterruptedError,
  );
});
