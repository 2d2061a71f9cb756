import { UsageError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { commandHelp, nounHelp, programHelp } from "../help.ts";
import { locate } from "../locate.ts";
import { exitCodesText } from "../output.ts";
import { COMMANDS } from "./mod.ts";

/** Topics that are no command. */
const TOPICS: Readonly<Record<string, () => string>> = { "exit-codes": exitCodesText };

/** `qpki help [NOUN [VERB] | exit-codes]`. */
export default {
  summary: "Show help of a noun, of a command, or the exit statuses",
  args: [{ name: "topic", description: "noun and verb, or exit-codes", required: false, variadic: true }],
  flags: [],
  examples: ["qpki help exit-codes", "qpki help hsm", "qpki help hsm list"],
  async run(input) {
    const words = input.rest("topic");
    const text = await helpText(words);
    return { data: { topic: words.join(" "), text }, text };
  },
} satisfies Command;

async function helpText(words: readonly string[]): Promise<string> {
  const topic = words.length === 1 ? TOPICS[words[0]!] : undefined;
  if (topic) return topic();
  const call = locate(words, COMMANDS);
  if (call.kind === "program") return programHelp(COMMANDS);
  if (call.kind === "noun") return nounHelp(call.noun, COMMANDS);
  if (call.rest.length > 0) {
    throw new UsageError(`Unexpected word "${call.rest[0]}" after "${call.row.path.join(" ")}"`, {
      code: "usage.topic",
    });
  }
  return commandHelp(call.row, (await call.row.load()).default);
}
