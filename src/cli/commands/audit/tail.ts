import { encodeHex, shorten } from "../../../bytes.ts";
import { type AuditedKey, hashedBytes, type LoggedEvent, readEvent } from "../../../audit/event.ts";
import { OpenLog } from "../../../audit/lines.ts";
import { EXIT, InputError } from "../../../errors.ts";
import { digest } from "../../../keys/digest.ts";
import { LOG, logPaths } from "../../audit_input.ts";
import type { Command } from "../../command.ts";

/** `qpki audit tail`. */
const command: Command = {
  summary: "Show the last events of an audit log",
  details: "Reads the end of the file only. Each event is checked by its own hash; whether the chain holds is for " +
    "audit verify to say.",
  flags: [
    LOG,
    { name: "lines", short: "n", value: "N", default: "10", description: "how many events" },
  ],
  examples: ["qpki audit tail --log audit.jsonl", "qpki audit tail --log audit.jsonl -n 50 --json"],
  async run(input, ctx) {
    const [path] = logPaths(input, ctx);
    const count = input.integer("lines", { min: 1, max: 100_000 })!;
    using log = await OpenLog.open(path);
    const events: LoggedEvent[] = [];
    const texts: string[] = [];
    let damaged = 0;
    for (const line of await log.lastLines(count)) {
      const event = await intact(line);
      if (event) events.push(event);
      else damaged++;
      texts.push(event ? eventText(event) : `(damaged) ${shorten(new TextDecoder().decode(line))}`);
    }
    return { data: { log: path, events, damaged }, text: texts.join("\n"), ...(damaged ? { exit: EXIT.FAILED } : {}) };
  },
};
export default command;

async function intact(line: Uint8Array): Promise<LoggedEvent | undefined> {
  try {
    const event = readEvent(line);
    return encodeHex(await digest("SHA-256", hashedBytes(event))) === event.hash ? event : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function eventText(event: LoggedEvent): string {
  const { seq, time, user, host, command, result, error, rv } = event;
  const facts = [
    event.ca && `ca=${event.ca.folder}`,
    event.credential && `credential=${event.credential}`,
    event.profile && `profile=${event.profile}`,
    event.serial && `serial=${event.serial}`,
    event.key && `key=${keyText(event.key)}`,
    event.count === undefined ? undefined : `count=${event.count}`,
    error && `error=${error}${rv === undefined ? "" : ` (${rv})`}`,
  ].filter((fact) => typeof fact === "string");
  const who = `${user ?? "?"}@${host ?? "?"}`;
  return [seq, time, who, `[${command ?? ""}]`, event.event, result, ...facts].map((word) => shorten(`${word}`, 200))
    .join(" ");
}

function keyText({ path, label, id }: AuditedKey): string {
  return path ?? [label, id].filter((part) => part !== undefined).join("/");
}
