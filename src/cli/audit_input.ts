import { type Checkpoint, readCheckpoint } from "../audit/checkpoint.ts";
import { type Bytes, decodePem, looksLikePem } from "../bytes.ts";
import { InputError, UsageError } from "../errors.ts";
import { readFileBytes, readFileText } from "../files.ts";
import { describeSpki } from "../keys/spki.ts";
import { joinPath } from "../store/layout.ts";
import { readCertificates } from "../x509/certificate.ts";
import { auditLogPath } from "./audit_trail.ts";
import type { Context, Flag, Input } from "./command.ts";
import { AUDIT_LOG, AUDIT_VARIABLE } from "./input.ts";

/** The log that a command is about. */
export const LOG: Flag = {
  name: "log",
  value: "FILE",
  description: `audit log; without it the one that --${AUDIT_LOG.name} or ${AUDIT_VARIABLE} name`,
  complete: "file",
};

/** Several files of one log. */
export const LOGS: Flag = {
  ...LOG,
  value: "FILE|DIR",
  repeat: true,
  description: `audit log, its rotated files as well, or a folder with them; ${
    LOG.description.replace("audit log; ", "")
  }`,
};

/** A checkpoint to compare with. */
export const CHECKPOINT: Flag = {
  name: "checkpoint",
  value: "FILE",
  description: "checkpoint of the log, kept elsewhere",
  complete: "file",
};

/** Who must have signed checkpoints; {@link trustedSigners} reads them. */
export const SIGNER_FLAGS: readonly Flag[] = [
  {
    name: "cert",
    value: "FILE",
    repeat: true,
    description: "certificate of the key that must have signed the checkpoint",
    complete: "file",
  },
  {
    name: "key",
    short: "k",
    value: "FILE",
    repeat: true,
    description: "public key that must have signed the checkpoint",
    complete: "file",
  },
];

/** Absolute paths of {@link LOG} or {@link LOGS}. @throws {UsageError} `usage.audit` when nothing names a log. */
export function logPaths(input: Input, ctx: Context): [string, ...string[]] {
  const given = input.list(LOG.name).map((path) => joinPath(ctx.cwd, path));
  const path = auditLogPath(input.text(AUDIT_LOG.name), ctx);
  const [first, ...others] = given.length > 0 ? given : path === undefined ? [] : [path];
  if (first !== undefined) return [first, ...others];
  throw new UsageError("Cannot tell which audit log is meant: --log is missing", {
    code: "usage.audit",
    hint: `Add --log FILE, or set ${AUDIT_VARIABLE}`,
  });
}

/** Reads a checkpoint that a flag names. @throws {InputError} `checkpoint.invalid`. */
export async function checkpointFile(path: string, ctx: Context): Promise<Checkpoint> {
  return readCheckpoint(await readFileText(joinPath(ctx.cwd, path)), path);
}

/** SubjectPublicKeyInfos of {@link SIGNER_FLAGS}; undefined when none is given. @throws {InputError} */
export async function trustedSigners(input: Input, ctx: Context): Promise<Bytes[] | undefined> {
  const signers: Bytes[] = [];
  for (const path of input.list("cert")) {
    const [first] = readCertificates(await readFileBytes(joinPath(ctx.cwd, path)), path);
    if (first) signers.push(first.spki);
  }
  for (const path of input.list("key")) signers.push(await readPublicKey(path, ctx));
  return signers.length === 0 ? undefined : signers;
}

async function readPublicKey(path: string, ctx: Context): Promise<Bytes> {
  const bytes = await readFileBytes(joinPath(ctx.cwd, path));
  const block = looksLikePem(bytes)
    ? decodePem(new TextDecoder().decode(bytes)).find(({ label }) => label === "PUBLIC KEY")
    : { bytes };
  if (!block) {
    throw new InputError(`Cannot read "${path}": it holds no public key`, {
      code: "key.invalid",
      file: path,
      hint: "Write one with: qpki key pub",
    });
  }
  describeSpki(block.bytes);
  return block.bytes;
}
