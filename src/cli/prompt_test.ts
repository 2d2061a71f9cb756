import assert from "node:assert/strict";
import { findExecutable, testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { InterruptedError, UsageError } from "../errors.ts";
import { readConfirmation, readSecret, SecretLine, type Terminal } from "./prompt.ts";

class FakeTerminal implements Terminal {
  written = "";
  raw: boolean[] = [];
  #bytes: number[];
  constructor(typed: string | number[]) {
    this.#bytes = typeof typed === "string" ? [...new TextEncoder().encode(typed)] : typed;
  }
  read(into: Uint8Array): Promise<number | null> {
    const byte = this.#bytes.shift();
    if (byte === undefined) return new Promise(() => {});
    into[0] = byte;
    return Promise.resolve(1);
  }
  write(text: string): Promise<void> {
    this.written += text;
    return Promise.resolve();
  }
  setRaw(raw: boolean): void {
    this.raw.push(raw);
  }
  [Symbol.dispose](): void {}
}

function quiet(): AbortSignal {
  return new AbortController().signal;
}

Deno.test("a typed secret: editing keys work, nothing is echoed, the terminal is put back", async () => {
  const table: [string, string][] = [
    ["1234\r", "1234"],
    ["1234\n", "1234"],
    ["12\x7f34\r", "134"],
    ["\x7f\x7f9\r", "9"],
    ["wrong\x15right\r", "right"],
    ["pé\x7fi\r", "pi"],
    ["née€\r", "née€"],
    ["a\x1b[Db\x1bOAc\x1b[1;5Cd\r", "abcd"],
    ["a\x01\x02b\r", "ab"],
    ["a\x04b\r", "ab"],
    ["\r", ""],
    [`${"x".repeat(2000)}\r`, "x".repeat(1024)],
  ];
  for (const [typed, expected] of table) {
    const terminal = new FakeTerminal(typed);
    assert.equal((await readSecret(terminal, "PIN: ", quiet())).reveal(), expected);
    assert.equal(terminal.written, "PIN: \r\n");
    assert.deepEqual(terminal.raw, [true, false]);
  }
});

Deno.test("Ctrl-C, a closed terminal and a signal interrupt, and the terminal is put back", async () => {
  for (const typed of ["12\x03", "\x04", "\x1b\x03"]) {
    const terminal = new FakeTerminal(typed);
    await assert.rejects(readSecret(terminal, "PIN: ", quiet()), InterruptedError);
    assert.deepEqual(terminal.raw, [true, false]);
  }
  const controller = new AbortController();
  const terminal = new FakeTerminal("12");
  const answer = readSecret(terminal, "PIN: ", controller.signal);
  setTimeout(() => controller.abort(new InterruptedError()), 10);
  await assert.rejects(answer, InterruptedError);
  assert.deepEqual(terminal.raw, [true, false]);
  await assert.rejects(readSecret(new FakeTerminal("1\r"), "PIN: ", controller.signal), InterruptedError);
});

Deno.test("bytes that are not UTF-8 are refused, and a wiped line is empty", async () => {
  await assert.rejects(readSecret(new FakeTerminal([0xff, 0x0d]), "", quiet()), UsageError);
  const line = new SecretLine();
  for (const byte of [0x31, 0x32]) line.feed(byte);
  line.wipe();
  assert.equal(line.secret().reveal(), "");
});

Deno.test("a question is answered yes by y or yes alone", async () => {
  const table: [string, boolean][] = [
    ["y\n", true],
    ["YES\n", true],
    [" yes \n", true],
    ["\n", false],
    ["n\n", false],
    ["yesterday\n", false],
    ["yy\n", false],
  ];
  for (const [typed, expected] of table) {
    assert.equal(await readConfirmation(new FakeTerminal(typed), "Sure?", quiet()), expected, typed);
  }
});

const PTY_DRIVER = `
import os, pty, sys, time
typed, program = sys.argv[1].encode().decode("unicode_escape").encode(), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(program[0], program)
seen = b""
sent = False
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if not sent and b"PIN: " in seen:
        time.sleep(0.1)
        os.write(fd, typed)
        sent = True
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

const ASKER = `
import { processIo } from "./src/cli/io.ts";
import { TerminalPrompter } from "./src/cli/prompt.ts";
const prompter = new TerminalPrompter(processIo(Deno.exit), () => {});
try {
  const pin = await prompter.secret("PIN: ");
  await Deno.writeTextFile(Deno.args[0], JSON.stringify([prompter.interactive, pin.reveal()]));
} catch (error) {
  Deno.exit(error.exit ?? 99);
}
`;

testWith("on a real terminal the PIN is read without echo, and Ctrl-C ends with 130", {
  ...(findExecutable("python3") ? {} : { skip: "python3 is not on PATH" }),
}, async () => {
  using tmp = tempFolder();
  const root = new URL("../..", import.meta.url).pathname;
  const driver = tmp.write("drive.py", PTY_DRIVER);
  const asker = tmp.write("ask.ts", ASKER.replaceAll("./src/", `${root}src/`));
  async function drive(typed: string) {
    const { code, stdout } = await new Deno.Command("python3", {
      args: [driver, typed, Deno.execPath(), "run", "-A", "--no-check", asker, tmp.join("out")],
      stdin: "null",
    }).output();
    return { code, seen: new TextDecoder().decode(stdout) };
  }
  const { code, seen } = await drive("98\\x7f76\\r");
  assert.equal(code, 0, seen);
  assert.deepEqual(JSON.parse(tmp.read("out")), [true, "976"]);
  assert.equal(seen.replaceAll("\r", ""), "PIN: \n");
  assert.equal((await drive("98\\x03")).code, 130);
});
