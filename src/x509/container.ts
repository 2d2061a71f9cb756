import { type Bytes, decodePem, looksLikePem, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";

/** What is looked for in a file. */
export interface ContainerRequest {
  /** PEM labels that count, the one we write first. */
  readonly labels: readonly string[];
  /** For messages: `certificate`, `certificate request`, `CRL`. */
  readonly what: string;
  /** Code of every error. */
  readonly code: string;
  /** Path for messages. */
  readonly file?: string;
}

/** Most PEM blocks of interest in one file. */
const MAX_BLOCKS = 100_000;

/**
 * DER of each object in a file that is PEM (other blocks are skipped) or DER itself.
 * @throws {InputError} when the file is empty, its PEM is damaged, or it has no block of these labels.
 */
export function openContainer(content: Uint8Array, request: ContainerRequest): Bytes[] {
  if (isDer(content) || !looksLikePem(content)) {
    if (content.length === 0) throw containerError(request, "the file is empty");
    if (content[0] !== 0x30) throw containerError(request, "the file is neither PEM nor DER");
    return [plainBytes(content)];
  }
  const blocks = pemBlocks(content, request);
  const wanted = blocks.filter(({ label }) => request.labels.includes(label));
  if (wanted.length === 0) {
    const labels = [...new Set(blocks.map(({ label }) => label))].slice(0, 8).join(", ");
    throw containerError(request, `the file has no "${request.labels[0]}" block, only ${labels || "other text"}`);
  }
  if (wanted.length > MAX_BLOCKS) throw containerError(request, `the file has ${wanted.length} blocks`);
  return wanted.map(({ bytes }) => bytes);
}

/** A SEQUENCE of more than 127 bytes, which no text begins with; DER may well hold what looks like a PEM line. */
function isDer(content: Uint8Array): boolean {
  return content[0] === 0x30 && content.length > 1 && content[1]! >= 0x80;
}

/** As {@link openContainer} where exactly one object may be in the file. */
export function openSingle(content: Uint8Array, request: ContainerRequest): Bytes {
  const found = openContainer(content, request);
  if (found.length > 1) throw containerError(request, `the file has ${found.length} of them where one is expected`);
  return found[0]!;
}

function pemBlocks(content: Uint8Array, request: ContainerRequest) {
  try {
    return decodePem(new TextDecoder("latin1").decode(content));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^Cannot [^:]*: /, "") : String(cause);
    throw containerError(request, reason, cause);
  }
}

/** Adds the file's path to an error about what it holds. */
export function inFile<T>(file: string | undefined, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (file === undefined || !(cause instanceof InputError) || cause.file !== undefined) throw cause;
    const message = cause.message.replace(/^Cannot read ([^:]*):/, `Cannot read $1 in "${file}":`);
    throw new InputError(message, {
      code: cause.code,
      file,
      cause,
      ...(cause.offset === undefined ? {} : { offset: cause.offset }),
    });
  }
}

function containerError(request: ContainerRequest, reason: string, cause?: unknown): InputError {
  const where = request.file === undefined ? "" : ` in "${request.file}"`;
  return new InputError(`Cannot read a ${request.what}${where}: ${reason}`, {
    code: request.code,
    ...(request.file === undefined ? {} : { file: request.file }),
    ...(cause === undefined ? {} : { cause }),
  });
}
