import { encodeHex } from "../../../bytes.ts";
import type { LogVerdict } from "../../../audit/verify.ts";
import { logFiles, verifyLog } from "../../../audit/verify.ts";
import { EXIT } from "../../../errors.ts";
import { CHECKPOINT, checkpointFile, logPaths, LOGS, SIGNER_FLAGS, trustedSigners } from "../../audit_input.ts";
import type { Command } from "../../command.ts";
import { columns } from "../../output.ts";

/** Unfinished commands that are listed. */
const MAX_LISTED = 20;

/** `qpki audit verify`. */
const command: Command = {
  summary: "Verify an audit log: every event, the chain, and that nothing was cut off",
  details:
    "Every event states the hash of the one before, so that changed, missing, repeated and moved lines are found, and " +
    "told by file and line. Only a checkpoint shows that events at the end, or the whole log, were taken away: give " +
    "those that were kept elsewhere with --checkpoint, and who must have signed them with --cert or --key. Files that " +
    "were rotated belong to the same chain: name them all, or their folder.",
  flags: [LOGS, { ...CHECKPOINT, repeat: true }, ...SIGNER_FLAGS],
  examples: [
    "qpki audit verify --log audit.jsonl",
    "qpki audit verify --log audit.jsonl --checkpoint checkpoint.json --cert auditor.crt",
    "qpki audit verify --log ./logs",
  ],
  async run(input, ctx) {
    const files = await logFiles(logPaths(input, ctx));
    const given = await Promise.all(
      input.list(CHECKPOINT.name).map(async (file) => ({ file, checkpoint: await checkpointFile(file, ctx) })),
    );
    const trusted = await trustedSigners(input, ctx);
    ctx.progress("Reading the audit log");
    const verdict = await verifyLog(files, given, trusted);
    if (verdict.checkpoints.some(({ signer }) => signer !== undefined) && !trusted) {
      ctx.warn("Who signed the checkpoint was not checked: name the certificate or public key with --cert or --key");
    }
    return {
      data: verdictData(verdict),
      text: verdictText(verdict),
      ...(verdict.valid ? {} : { exit: EXIT.FAILED }),
    };
  },
};
export default command;

function verdictData({ valid, chain, events, problem, checkpoints, unfinished }: LogVerdict): Record<string, unknown> {
  return {
    valid,
    log_id: chain.logId ?? null,
    events,
    first_seq: chain.begin.head.seq + 1,
    last_seq: chain.head.seq,
    hash: chain.head.hash,
    root: encodeHex(chain.tree.root()),
    files: chain.files,
    problem: problem ?? null,
    recovered: chain.recovered,
    recovered_count: chain.recoveredCount,
    checkpoints,
    unfinished: unfinished.slice(0, MAX_LISTED),
    unfinished_count: unfinished.length,
  };
}

function verdictText({ valid, chain, events, problem, checkpoints, unfinished }: LogVerdict): string {
  const { head, begin } = chain;
  const place = problem?.file === undefined
    ? ""
    : `${problem.file}${problem.line === undefined ? "" : ` line ${problem.line}`}: `;
  const rows: [string, string][] = [["Log", chain.logId ?? "(none)"], ["Last event", `${head.seq} ${head.hash}`]];
  if (begin.head.seq > 0) rows.push(["Continues", `event ${begin.head.seq}, in a file that was not given`]);
  for (const { file, line, bytes } of chain.recovered) {
    rows.push(["Recovered", `${file}${line > 0 ? ` line ${line}` : ""}: ${bytes} bytes left half written`]);
  }
  for (const { file, seq, time, reason, signer } of checkpoints) {
    const by = signer === undefined ? "not signed" : `signed by SPKI SHA-256 ${signer}`;
    rows.push(["Checkpoint", `${file} (event ${seq}, ${time}): ${reason ?? `holds, ${by}`}`]);
  }
  for (const { command, seq } of unfinished.slice(0, MAX_LISTED)) {
    rows.push(["Unfinished", `${command} (from event ${seq}): interrupted, or under way`]);
  }
  const told = valid
    ? `VALID: ${events} events in ${chain.files.length} file${chain.files.length === 1 ? "" : "s"}`
    : `INVALID: ${place}${problem!.message}`;
  return `${told}\n${columns(rows)}`;
}
