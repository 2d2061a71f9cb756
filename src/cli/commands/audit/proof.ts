import { makeProof } from "../../../audit/proof.ts";
import { logFiles } from "../../../audit/verify.ts";
import { UsageError } from "../../../errors.ts";
import { existsError, pathExists, writeFileDurably } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { normalizeSerial } from "../../../x509/serial.ts";
import { CHECKPOINT, checkpointFile, logPaths, LOGS } from "../../audit_input.ts";
import type { Command, Input } from "../../command.ts";
import { FORCE, OUT, required } from "../../flags.ts";

/** `qpki audit proof`. */
const command: Command = {
  summary: "Prove that an audit log has what was done to a certificate, without the log",
  details:
    "The proof holds the events about the certificate and a few hashes for each; with the checkpoint anybody can verify " +
    "it and needs nothing else of the log. Files that were rotated must be given from the certificate's on.",
  flags: [
    LOGS,
    required(CHECKPOINT),
    { name: "serial", value: "HEX", description: "serial number of the certificate" },
    { name: "seq", value: "N", description: "number of an event, instead of a certificate" },
    OUT,
    FORCE,
  ],
  examples: [
    "qpki audit proof --log audit.jsonl --seq 1 --checkpoint checkpoint.json --out proof.json",
  ],
  async run(input, ctx) {
    const wanted = wantedEvents(input);
    const out = input.text(OUT.name);
    if (out !== undefined && !input.on(FORCE.name) && await pathExists(joinPath(ctx.cwd, out))) throw existsError(out);
    const checkpoint = await checkpointFile(input.text(CHECKPOINT.name)!, ctx);
    const proof = await makeProof(await logFiles(logPaths(input, ctx)), wanted, checkpoint);
    const json = `${JSON.stringify(proof, null, 2)}\n`;
    if (out === undefined) return { data: proof, text: json };
    await writeFileDurably(joinPath(ctx.cwd, out), json, { overwrite: input.on(FORCE.name) });
    const events = proof.events.map(({ event: { seq, event, time } }) => ({ seq, event, time }));
    return {
      data: { file: out, log_id: proof.log_id, tree_size: proof.tree_size, events },
      text: [`Proof: ${out}`, ...events.map(({ seq, event, time }) => `  ${seq} ${time} ${event}`)].join("\n"),
    };
  },
};
export default command;

function wantedEvents(input: Input) {
  const [serial, seq] = [input.text("serial"), input.integer("seq", { min: 1 })];
  if (serial !== undefined && seq === undefined) return { serial: normalizeSerial(serial) };
  if (seq !== undefined && serial === undefined) return { seq };
  throw new UsageError("Cannot tell what is to be proved: one of --serial and --seq must be given", {
    code: "usage.audit",
  });
}
