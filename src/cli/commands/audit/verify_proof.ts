import type { AuditEvent } from "../../../audit/event.ts";
import { type Proof, type ProofVerdict, readProof, verifyProof } from "../../../audit/proof.ts";
import { EXIT } from "../../../errors.ts";
import { readFileBytes, readFileText } from "../../../files.ts";
import { sha256Hex } from "../../../keys/digest.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCertificates } from "../../../x509/certificate.ts";
import { CHECKPOINT, checkpointFile, SIGNER_FLAGS, trustedSigners } from "../../audit_input.ts";
import type { Command, Context } from "../../command.ts";
import { FILE_ARGUMENT, required } from "../../flags.ts";
import { columns } from "../../output.ts";

/** `qpki audit verify-proof`. */
const command: Command = {
  summary: "Verify a proof from an audit log against a checkpoint",
  details:
    "Needs neither the log nor the CA. With --certificate the events must be about that very certificate, one of them its " +
    "issue.",
  args: [{ ...FILE_ARGUMENT, description: "proof" }],
  flags: [
    required(CHECKPOINT),
    ...SIGNER_FLAGS,
    {
      name: "certificate",
      value: "FILE",
      description: "certificate that the proof must be about",
      complete: "file",
    },
  ],
  examples: ["qpki audit verify-proof proof.json --checkpoint checkpoint.json --cert auditor.crt"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const proof = readProof(await readFileText(joinPath(ctx.cwd, file)), file);
    const checkpoint = await checkpointFile(input.text(CHECKPOINT.name)!, ctx);
    const trusted = await trustedSigners(input, ctx);
    const verdict = await withCertificate(
      await verifyProof(proof, checkpoint, trusted),
      proof,
      { file: input.text("certificate"), ctx },
    );
    if (verdict.signer !== undefined && !trusted) {
      ctx.warn("Who signed the checkpoint was not checked: name the certificate or public key with --cert or --key");
    }
    const events = proof.events.map(({ event }) => event);
    const { valid, reason, signer } = verdict;
    const head = valid ? `VALID: in the log ${proof.log_id} at ${checkpoint.time}` : `INVALID: ${reason}`;
    const rows = valid ? events.map((event): [string, string] => [`Event ${event.seq}`, eventText(event)]) : [];
    return {
      data: {
        valid,
        reason: reason ?? null,
        log_id: proof.log_id,
        checkpoint_time: checkpoint.time,
        signer: signer ?? null,
        events,
      },
      text: `${head}\n${columns(rows)}`,
      ...(valid ? {} : { exit: EXIT.FAILED }),
    };
  },
};
export default command;

async function withCertificate(
  verdict: ProofVerdict,
  proof: Proof,
  { file, ctx }: { file: string | undefined; ctx: Context },
): Promise<ProofVerdict> {
  if (!verdict.valid || file === undefined) return verdict;
  const [certificate] = readCertificates(await readFileBytes(joinPath(ctx.cwd, file)), file);
  const sha256 = certificate && await sha256Hex(certificate.der);
  if (proof.events.some(({ event }) => event.certificate_sha256 === sha256)) return verdict;
  return { ...verdict, valid: false, reason: `no event is about the certificate in ${file}` };
}

function eventText(event: AuditEvent & { time: string }): string {
  const { time, event: name, result, serial, subject, profile } = event;
  return [time, name, result, serial && `serial=${serial}`, profile && `profile=${profile}`, subject]
    .filter((word) => word !== undefined).join(" ");
}
