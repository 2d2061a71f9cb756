import { rotateLog } from "../../../audit/rotate.ts";
import { joinPath } from "../../../store/layout.ts";
import { LOG, logPaths } from "../../audit_input.ts";
import { auditActor } from "../../audit_trail.ts";
import type { Command, Flag } from "../../command.ts";

/** Not --out: an archive is never written over. */
const ARCHIVE: Flag = {
  name: "archive",
  value: "FILE",
  description: "where the events so far go, on the same file system",
  complete: "file",
};

/** `qpki audit rotate`. */
const command: Command = {
  summary: "Begin a new file of an audit log, the chain carried over",
  details:
    "The events so far go to the file that --archive names, or to one called after their numbers beside the log. The new file " +
    "begins with the last hash and the tree of the old one: numbers, checkpoints and proofs go on. Other commands wait " +
    "meanwhile and then write to the new file. Tools that rename or truncate the log would break it off instead.",
  flags: [LOG, ARCHIVE],
  examples: ["qpki audit rotate --log audit.jsonl"],
  async run(input, ctx) {
    const [log] = logPaths(input, ctx);
    const out = input.text(ARCHIVE.name);
    const stamp = { time: ctx.now().toISOString(), actor: auditActor("audit rotate", ctx) };
    const archive = out === undefined ? {} : { archive: joinPath(ctx.cwd, out) };
    const rotated = await rotateLog(log, { ...archive, stamp, notice: (text) => ctx.warn(text) });
    return {
      data: { log, ...rotated },
      text: `Rotated: events ${rotated.first_seq} to ${rotated.last_seq} are in ${rotated.archive}`,
    };
  },
};
export default command;
