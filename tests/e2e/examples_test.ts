/**
 * Every example in the help of every command is run as it stands, by a shell, in a folder where the things it names are
 * there; and every command that prints a result prints it as one JSON document when asked to.
 */
import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/commands/mod.ts";
import { describe } from "../support/cli.ts";
import { asks, obstacle, prepareExamples, runExample } from "../support/examples.ts";
import { shellWords } from "../support/in_process.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

/** Commands whose whole result is text for a shell or for people. */
const TEXT_ONLY: ReadonlySet<string> = new Set(["completion", "help"]);

testWith(
  "every example in the help runs as it stands, and every command has JSON",
  { needs: ["openssl"] },
  async (t) => {
    using tmp = tempFolder();
    await prepareExamples(tmp);
    for (const row of COMMANDS) {
      const { default: command } = await row.load();
      const name = row.path.join(" ");
      assert.ok(command.examples.length > 0, `${name} has no example`);
      const examples = [...command.examples];
      // what goes into a file by the shell's means, or shares its terminal with a question, shows no document
      const plain = examples.find((example) => !example.includes(" > ") && !asks(example));
      assert.ok(plain !== undefined, `${name} has no plain example`);
      const inJson = examples.some((example) => shellWords(example).includes("--json"));
      if (!inJson && !TEXT_ONLY.has(name)) examples.push(`${plain} --json`);
      for (const example of examples) {
        const reason = obstacle(example);
        await t.step({
          name: reason === undefined ? example : `${example} [skipped: ${reason}]`,
          ignore: reason !== undefined,
          fn: async () => {
            const result = await runExample({ tmp, name, example });
            const told = describe(example, result);
            assert.equal(result.code, 0, told);
            assert.doesNotMatch(result.stderr, /^error:/m, told);
            if (shellWords(example).includes("--json")) checkDocument(result.stdout, told);
          },
        });
      }
    }
  },
);

/** One JSON object and nothing else; its keys are snake_case, but for names that the standard spells (CKA_SIGN). */
function checkDocument(stdout: string, told: string): void {
  assert.ok(stdout.startsWith("{") && stdout.endsWith("}\n"), told);
  const wrong: string[] = [];
  JSON.parse(stdout, (key, value) => {
    const isIndex = /^\d*$/.test(key);
    if (!isIndex && !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(key) && !/^CKA_[A-Z_]+$/.test(key)) wrong.push(key);
    return value;
  });
  assert.deepEqual(wrong, [], told);
}
