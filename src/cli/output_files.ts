import { OperationError, UsageError } from "../errors.ts";
import type { Command, Flag, Input } from "./command.ts";
import { AUDIT_LOG, isOutput } from "./input.ts";
import { absolutePath } from "./providers.ts";

/** Larger files hold more than a key, in bytes. */
const MAX_KEY_BYTES = 1024 * 1024;

/** A file that the command line names. */
interface NamedFile {
  /** `--out`, or the argument's name. */
  readonly what: string;
  readonly path: string;
  readonly flag?: Flag;
}

/**
 * What no --force allows, told before anything is made: an output in the place of a file that the command reads or of its
 * other output, and one that is not a private key in the place of a private key.
 * @throws {UsageError} `usage.same_file`; {OperationError} `file.private_key`.
 */
export async function checkOutputs(
  command: Pick<Command, "args" | "flags">,
  input: Input,
  { cwd }: { readonly cwd: string },
): Promise<void> {
  const outputs = filesOf(command.flags.filter(isOutput), input);
  if (outputs.length === 0) return;
  const inputs = inputsOf(command, input);
  for (const [i, output] of outputs.entries()) {
    const others = output.flag?.mayReplaceInput ? [] : inputs;
    for (const other of [...others, ...outputs.slice(0, i)]) {
      if (await isSameFile(output.path, other.path, cwd)) throw sameFile(output, other);
    }
    if (!output.flag?.privateKey) await refusePrivateKey(output.path, cwd);
  }
}

/**
 * Refuses to replace a private key by something else; a relative path starts at `cwd`.
 * @throws {OperationError} `file.private_key`.
 */
export async function refusePrivateKey(path: string, cwd = "."): Promise<void> {
  if (!await holdsPrivateKey(await absolutePath(path, cwd))) return;
  throw new OperationError(`Cannot write "${path}": there is a private key in that file, and it would be lost`, {
    code: "file.private_key",
    object: path,
    hint: "Choose another name; --force does not allow this",
  });
}

/** Whether two paths lead to the same file, which need not be there yet. */
export async function isSameFile(one: string, other: string, cwd: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => realFile(path, cwd)));
  return a!.path === b!.path || (a!.inode !== undefined && a!.inode === b!.inode);
}

async function realFile(path: string, cwd: string): Promise<{ path: string; inode?: string }> {
  const found = await absolutePath(path, cwd);
  const info = await Deno.stat(found).catch(() => undefined);
  if (info) return info.ino === null ? { path: found } : { path: found, inode: `${info.dev}:${info.ino}` };
  const at = found.lastIndexOf("/");
  const folder = await Deno.realPath(found.slice(0, at) || "/").catch(() => found.slice(0, at));
  return { path: `${folder}/${found.slice(at + 1)}` };
}

async function holdsPrivateKey(path: string): Promise<boolean> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info?.isFile || info.size === 0 || info.size > MAX_KEY_BYTES) return false;
  const file = await Deno.readFile(path).catch(() => undefined);
  if (!file) return false;
  try {
    const { findPrivateKey, mayHoldPrivateKey } = await import("../keys/container.ts");
    if (mayHoldPrivateKey(file)) {
      // of PEM the label says it, whatever is below
      return file[0] !== 0x30 || succeeds(() => findPrivateKey(file));
    }
    const { decodeCoseKey, looksLikeCoseKey } = await import("../cose/cose_key.ts");
    return looksLikeCoseKey(file) && succeeds(() => decodeCoseKey(file).pkcs8!.fill(0));
  } finally {
    file.fill(0);
  }
}

function succeeds(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

function inputsOf({ args = [], flags }: Pick<Command, "args" | "flags">, input: Input): NamedFile[] {
  const named = args.filter(({ complete }) => complete === "file").flatMap(({ name }) =>
    input.rest(name).map((path) => ({ what: name.toUpperCase(), path }))
  );
  const read = [...flags, AUDIT_LOG].filter((flag) => flag.complete === "file" && !isOutput(flag));
  const secrets = flags.filter(({ name }) => name.endsWith("passphrase")).flatMap((flag) =>
    input.list(flag.name).filter((source) => source.startsWith("file:"))
      .map((source) => ({ what: `--${flag.name}`, path: source.slice("file:".length) }))
  );
  return [...named, ...filesOf(read, input), ...secrets].filter(({ path }) => path !== "" && path !== "-");
}

function filesOf(flags: readonly Flag[], input: Input): NamedFile[] {
  return flags.flatMap((flag) => input.list(flag.name).map((path) => ({ what: `--${flag.name}`, path, flag })))
    .filter(({ path }) => path !== "");
}

function sameFile(output: NamedFile, other: NamedFile): UsageError {
  const isBoth = other.flag !== undefined && isOutput(other.flag);
  return new UsageError(
    `Cannot use ${output.what} "${output.path}": it is the same file as ${other.what}` +
      (isBoth ? ", and one would replace the other" : ", which would be lost"),
    { code: "usage.same_file", hint: "Choose another name; --force does not allow this" },
  );
}
