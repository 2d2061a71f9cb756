import assert from "node:assert/strict";
import { Secret } from "../bytes.ts";
import { InputError, UsageError } from "../errors.ts";
import { type TempFolder, tempFolder } from "../../tests/support/tmp.ts";
import { passphraseSource, type PassphraseWorld } from "./passphrase.ts";

interface World extends PassphraseWorld {
  asked: string[];
  warnings: string[];
}

function world(options: { vars?: Record<string, string>; typed?: string[] } = {}): World {
  const asked: string[] = [];
  const warnings: string[] = [];
  const typed = [...options.typed ?? []];
  return {
    asked,
    warnings,
    env: (name) => options.vars?.[name],
    warn: (text) => warnings.push(text),
    prompter: {
      interactive: options.typed !== undefined,
      secret(question) {
        asked.push(question);
        return Promise.resolve(new Secret(typed.shift() ?? ""));
      },
      confirm: () => Promise.resolve(false),
    },
  };
}

function file(tmp: TempFolder, content: string, mode = 0o600): string {
  const path = tmp.write(`${crypto.randomUUID()}/pass`, content);
  Deno.chmodSync(path, mode);
  return path;
}

async function reveal(
  value: string | undefined,
  from: PassphraseWorld,
  question?: string,
): Promise<string | undefined> {
  return (await passphraseSource(value, from, question === undefined ? {} : { question })())?.reveal();
}

Deno.test("each form gives the passphrase", async () => {
  using tmp = tempFolder();
  const path = file(tmp, "first line\r\nsecond\n");
  assert.equal(await reveal("env:P", world({ vars: { P: "x:y" } })), "x:y");
  assert.equal(await reveal(`file:${path}`, world()), "first line");
  assert.equal(await reveal("-", world({ typed: ["typed"] })), "typed");
  assert.equal(await reveal("", world({ typed: ["typed"] })), undefined);
  assert.equal(await reveal(undefined, world({ typed: ["typed"] })), undefined);
  assert.equal(await reveal(undefined, world({ typed: ["typed"] }), "Passphrase of x"), "typed");
  assert.equal(await reveal(undefined, world(), "Passphrase of x"), undefined);
});

Deno.test("a literal works with a warning that does not repeat it; so does a file that others can read", async () => {
  using tmp = tempFolder();
  const from = world();
  assert.equal(await reveal("hunter2", from), "hunter2");
  assert.match(from.warnings.join(), /visible in the process list/);
  assert.ok(!from.warnings.join().includes("hunter2"));
  const loose = world();
  assert.equal(await reveal(`file:${file(tmp, "x", 0o644)}`, loose), "x");
  assert.match(loose.warnings.join(), /open to others/);
});

Deno.test("it is read once, when needed", async () => {
  const from = world({ typed: ["one", "two"] });
  const source = passphraseSource("-", from, { question: "Passphrase of a.key" });
  assert.deepEqual(from.asked, []);
  assert.equal((await source())?.reveal(), "one");
  assert.equal((await source())?.reveal(), "one");
  assert.deepEqual(from.asked, ["Passphrase of a.key: "]);
});

Deno.test("a new passphrase is asked for twice", async () => {
  const same = world({ typed: ["a", "a"] });
  assert.equal((await passphraseSource("-", same, { twice: true })())?.reveal(), "a");
  assert.equal(same.asked.length, 2);
  await assert.rejects(passphraseSource("-", world({ typed: ["a", "b"] }), { twice: true })(), /entries differ/);
});

/** The system's environment, which throws for a name that cannot be. */
function from(_source: "env"): World {
  return { ...world(), env: (name) => Deno.env.get(name) };
}

Deno.test("what cannot be read is told with the source", async () => {
  using tmp = tempFolder();
  const table: [string, World, RegExp, new () => never][] = [
    ["env:P", world(), /env:P: the variable is not set/, UsageError as never],
    ["env:P", world({ vars: { P: "" } }), /is empty/, UsageError as never],
    ["file:/nonexistent", world(), /no such file/, InputError as never],
    [`file:${file(tmp, "\n")}`, world(), /first line is empty/, InputError as never],
    ["fd:999", world(), /fd:999: the descriptor cannot be read/, InputError as never],
    ["fd:1", world(), /fd:1: the descriptor cannot be read/, InputError as never],
    ["env:", from("env"), /from env:: that is no name of a variable/, UsageError as never],
    ["env:A=B", from("env"), /from env:…: that is no name/, UsageError as never],
    ["env:A\0B", from("env"), /from env:…: that is no name/, UsageError as never],
    ["file:", world(), /from file: that is no name of a file/, UsageError as never],
    ["file:a\0b", world(), /no name of a file/, UsageError as never],
    [`file:${file(tmp, "")}`, world(), /first line is empty/, InputError as never],
    [`file:${file(tmp, "a\0b\n")}`, world(), /first line is not text/, InputError as never],
    ["fd:", world(), /not a file descriptor/, UsageError as never],
    ["fd:-1", world(), /not a file descriptor/, UsageError as never],
    ["fd:x", world(), /not a file descriptor/, UsageError as never],
    ["-", world(), /there is no terminal/, UsageError as never],
    ["-", world({ typed: [""] }), /empty passphrase/, UsageError as never],
  ];
  for (const [value, from, message, type] of table) {
    await assert.rejects(passphraseSource(value, from)(), (error: unknown) => {
      assert.ok(error instanceof type, value);
      assert.match((error as Error).message, message);
      return true;
    });
  }
});
