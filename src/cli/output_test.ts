import assert from "node:assert/strict";
import { InputError, InterruptedError, OperationError, QpkiError, TokenError, UsageError } from "../errors.ts";
import type { Io, Stream } from "./io.ts";
import { asTold, Output, type OutputOptions } from "./output.ts";

interface Screen extends Io {
  out: string;
  err: string;
}

function screen(options: { terminal?: boolean; vars?: Record<string, string>; fail?: Error } = {}): Screen {
  function stream(name: "out" | "err"): Stream {
    return {
      terminal: options.terminal ?? false,
      write(text) {
        if (options.fail) return Promise.reject(options.fail);
        io[name] += text;
        return Promise.resolve();
      },
    };
  }
  const io: Screen = {
    out: "",
    err: "",
    env: (name) => options.vars?.[name],
    cwd: "/",
    now: () => new Date(0),
    stdout: stream("out"),
    stderr: stream("err"),
    signal: new AbortController().signal,
  };
  return io;
}

const PLAIN: OutputOptions = { json: false, quiet: false, debug: false };

async function errorText(error: unknown, options: Partial<OutputOptions> = {}): Promise<[number, string]> {
  const io = screen();
  const output = new Output(io, { ...PLAIN, ...options });
  const status = output.error(error);
  await output.flush();
  assert.equal(io.out, "");
  return [status, io.err];
}

Deno.test("an error is message, place, causes and hint, with its exit status", async () => {
  const low = new TokenError("Cannot log in", {
    functionName: "C_Login",
    rv: 0xa0,
    rvName: "CKR_PIN_INCORRECT",
    code: "pin.incorrect",
  });
  const table: [unknown, number, string][] = [
    [
      new OperationError('Cannot make CA "x": no key', { cause: low, hint: "Check the PIN" }),
      1,
      'error: Cannot make CA "x": no key\n  cause: Cannot log in\nhint: Check the PIN\n',
    ],
    [low, 3, "error: Cannot log in\n  cause: C_Login: CKR_PIN_INCORRECT (0xa0)\n"],
    [new UsageError("Unknown flag"), 2, "error: Unknown flag\n"],
    [
      new InputError("Cannot read profile", { file: "a.yaml", line: 3, column: 7 }),
      4,
      "error: Cannot read profile\n  at: a.yaml:3:7\n",
    ],
    [new InputError("Bad a.yaml:3:7", { file: "a.yaml", line: 3, column: 7 }), 4, "error: Bad a.yaml:3:7\n"],
    [new InputError("Bad DER", { file: "a.crt", offset: 12 }), 4, "error: Bad DER\n  at: a.crt, byte 12\n"],
    [new InterruptedError(), 130, "error: Interrupted\n"],
    [new DOMException("aborted", "AbortError"), 130, "error: Interrupted\n"],
  ];
  for (const [error, status, text] of table) assert.deepEqual(await errorText(error), [status, text]);
});

Deno.test("causes that are no error of ours or of the system stay hidden, stacks too", async () => {
  const error = new OperationError("Cannot do it", { cause: new TypeError("x is undefined") });
  assert.deepEqual(await errorText(error), [1, "error: Cannot do it\n"]);
  const [, debug] = await errorText(error, { debug: true });
  assert.match(debug, /output_test\.ts/);
  assert.match(debug, /caused by TypeError: x is undefined/);
  const system = await Deno.readFile("/nonexistent").catch((cause) => new OperationError("Cannot do it", { cause }));
  assert.match((await errorText(system))[1], /cause: No such file or directory \(os error 2\)/);
});

Deno.test("a bug says that it is one; what the system refuses is none", async () => {
  const [status, text] = await errorText(new TypeError("x is undefined"));
  assert.equal(status, 1);
  assert.match(text, /^error: Internal error \(this is a bug\): TypeError: x is undefined\nhint: .*QPKI_DEBUG=1/);
  assert.ok(!text.includes("at "), "no stack");
  const raw = await Deno.readFile("/nonexistent").catch((error) => error);
  assert.equal(asTold(raw).code, "system");
  assert.ok(asTold("text") instanceof QpkiError);
});

Deno.test("with --json an error is one line of JSON on stderr", async () => {
  const [status, text] = await errorText(
    new InputError("Cannot read", { code: "x.y", file: "f", line: 1, hint: "h", cause: new UsageError("deep") }),
    { json: true },
  );
  assert.equal(status, 4);
  assert.equal(text.split("\n").length, 2);
  assert.deepEqual(JSON.parse(text), {
    error: { code: "x.y", message: "Cannot read", exit: 4, hint: "h", file: "f", line: 1, causes: ["deep"] },
  });
});

Deno.test("a result is text or its data, never both", async () => {
  const result = { data: { a: 1n, b: Uint8Array.of(1, 255) }, text: "hello" };
  const plain = screen();
  await new Output(plain, PLAIN).result(result);
  assert.equal(plain.out, "hello\n");
  const json = screen();
  await new Output(json, { ...PLAIN, json: true }).result(result);
  assert.deepEqual(JSON.parse(json.out), { a: "1", b: "01ff" });
});

Deno.test("a reader that went away is no error, a full disk is", async () => {
  const gone = new Output(screen({ fail: new Deno.errors.BrokenPipe("gone") }), PLAIN);
  await gone.result({ data: null, text: "x" });
  gone.warn("nobody reads this");
  await gone.flush();
  const full = new Output(screen({ fail: new Error("No space left on device (os error 28)") }), PLAIN);
  await assert.rejects(full.result({ data: null, text: "x" }), /standard output.*no space left/);
});

Deno.test("colour and progress appear on a terminal only, and go with NO_COLOR, CI and --quiet", async () => {
  async function show(vars: Record<string, string>, quiet: boolean, terminal = true): Promise<string> {
    const io = screen({ terminal, vars });
    const output = new Output(io, { ...PLAIN, quiet });
    output.progress("Working");
    output.warn("careful");
    await output.flush();
    return io.err;
  }
  assert.equal(
    await show({}, false),
    "\r\x1b[K\x1b[2mWorking …\x1b[0m\r\x1b[K\x1b[33mwarning:\x1b[0m careful\n",
  );
  assert.equal(await show({ NO_COLOR: "1" }, false), "\r\x1b[KWorking …\r\x1b[Kwarning: careful\n");
  for (
    const plain of [show({ CI: "true" }, false), show({}, true), show({}, false, false), show({ TERM: "dumb" }, false)]
  ) {
    assert.equal(await plain, "warning: careful\n");
  }
});

Deno.test("a second without a sign of life shows what is under way, unless a question was asked", async () => {
  const io = screen({ terminal: true, vars: { NO_COLOR: "1" } });
  const slow = new Output(io, PLAIN);
  slow.expect("qpki key generate");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await slow.flush();
  assert.equal(io.err, "\r\x1b[Kqpki key generate …\r\x1b[K");
  const asking = screen({ terminal: true });
  const output = new Output(asking, PLAIN);
  output.expect("qpki key generate");
  output.endProgress();
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await output.flush();
  assert.equal(asking.err, "");
});
