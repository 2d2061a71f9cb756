import { readChain } from "../../../audit/chain.ts";
import { type Checkpoint, makeCheckpoint } from "../../../audit/checkpoint.ts";
import { audited } from "../../../audit/trail.ts";
import { OperationError } from "../../../errors.ts";
import { existsError, pathExists, writeFileDurably } from "../../../files.ts";
import { syncHasher } from "../../../keys/digest.ts";
import { spkiFingerprint } from "../../../keys/spki.ts";
import type { Key, KeyRef } from "../../../keys/types.ts";
import { joinPath } from "../../../store/layout.ts";
import { LOG, logPaths } from "../../audit_input.ts";
import type { Command, Context, Input } from "../../command.ts";
import { FORCE, HSM_FLAGS, hsmRef, KEY, keyRef, OUT, PASSPHRASE, required } from "../../flags.ts";

/** `qpki audit checkpoint`. */
const command: Command = {
  summary: "Write down where an audit log stands, signed",
  details:
    "The checkpoint has the number and hash of the last event, the root of the Merkle tree (RFC 9162) over all lines, " +
    "and the time. It is signed with a key in a file or in a token; without one it proves only what the place proves " +
    "where it is kept. Keep it where nobody who can write the log can: audit verify then finds that events were cut " +
    "off or the log was written anew. The log is verified first.",
  flags: [LOG, { ...required(OUT), description: "checkpoint to write" }, KEY, PASSPHRASE, ...HSM_FLAGS, FORCE],
  examples: [
    "qpki audit checkpoint --log audit.jsonl --key auditor.key --out new-checkpoint.json",
    "qpki audit checkpoint --log audit.jsonl --hsm-config hsm.yaml --key-label root-ca-key --out new-checkpoint.json",
  ],
  async run(input, ctx) {
    const [log] = logPaths(input, ctx);
    const out = input.text(OUT.name)!;
    const target = joinPath(ctx.cwd, out);
    if (!input.on(FORCE.name) && await pathExists(target)) throw existsError(out);
    const checkpoint = await audited(ctx.audit, { event: "audit.checkpoint", details: { log } }, {
      async work() {
        const made = await signed(log, input, ctx);
        await writeFileDurably(target, `${JSON.stringify(made, null, 2)}\n`, { overwrite: input.on(FORCE.name) });
        return made;
      },
      facts: ({ seq, hash, root }) => ({ details: { log, out: target, seq, hash, root } }),
    });
    const { signature, ...statement } = checkpoint;
    const signer = signature ? await spkiFingerprint(Uint8Array.fromBase64(signature.public_key)) : undefined;
    const text = [
      `Checkpoint: ${out}`,
      `Events:     ${checkpoint.seq}`,
      `Root:       ${checkpoint.root}`,
      `Signed by:  ${signer === undefined ? "nobody" : `SPKI SHA-256 ${signer} (${signature!.scheme})`}`,
    ].join("\n");
    return { data: { file: out, ...statement, signer: signer ?? null, scheme: signature?.scheme ?? null }, text };
  },
};
export default command;

async function signed(log: string, input: Input, ctx: Context): Promise<Checkpoint> {
  const ref = input.text(KEY.name) !== undefined || hsmRef(input, ctx)
    ? keyRef(input.text(KEY.name), input, ctx)
    : undefined;
  if (!ref) return await atHead(log, ctx);
  const passphrase = ctx.passphrase(input.text(PASSPHRASE.name), `Passphrase of ${describe(ref)}`);
  const request = ref.type === "pkcs11" ? { type: ref.type, config: ref.config } : { type: ref.type, passphrase };
  await using provider = await ctx.openProvider(request);
  return await atHead(log, ctx, await provider.open(ref));
}

async function atHead(log: string, ctx: Context, key?: Key): Promise<Checkpoint> {
  ctx.progress("Reading the audit log");
  const { chain, problem } = await readChain([log], await syncHasher("SHA-256"));
  if (!problem) return await makeCheckpoint(chain, ctx.now(), key);
  const line = problem.line === undefined ? "" : `, line ${problem.line}`;
  throw new OperationError(`Cannot make a checkpoint of "${log}"${line}: ${problem.message}`, {
    code: "audit.broken",
    object: log,
    hint: `See: qpki audit verify --log ${log}`,
  });
}

function describe(ref: KeyRef): string {
  return ref.type === "software" ? ref.path : "the key";
}
