import { OperationError } from "../errors.ts";
import { existsError, pathExists, syncFolder } from "../files.ts";
import { syncHasher } from "../keys/digest.ts";
import { readChain, writeSubtrees } from "./chain.ts";
import { sealEvent, type Stamp } from "./event.ts";
import { folderOf, LockedLog, writeError } from "./file.ts";
import { appendEvents, CONTINUED, ROTATED } from "./log.ts";
import { type Hash, leafHash } from "./merkle.ts";

/** What {@link rotateLog} did. */
export interface Rotation {
  /** Where the events so far are now. */
  readonly archive: string;
  readonly first_seq: number;
  readonly last_seq: number;
}

/**
 * Begins a new file of the log at `path`; the one so far goes to `archive` (`PATH.FIRST-LAST` without one). Nobody can write
 * meanwhile. The new file carries the chain and the tree on; a crash at any point leaves the old file where it is, or both
 * in their places.
 * @throws {OperationError} `audit.broken` when the log does not verify, `file.exists`, `audit.write`, `audit.locked`.
 */
export async function rotateLog(
  path: string,
  { archive, stamp, notice }: { archive?: string; stamp: Stamp; notice(text: string): void },
): Promise<Rotation> {
  const place = await Deno.realPath(path).catch((cause) => {
    throw writeError(path, cause);
  });
  const hash = await syncHasher("SHA-256");
  using log = await LockedLog.open(place);
  if ((await log.end()).torn) await appendEvents(log, [], { stamp, notice });
  const { tree, head, logId, first } = await readWhole(log, hash);
  // the next event is the last one of the old file
  const target = archive ?? `${place}.${first}-${head.seq + 1}`;
  if (await pathExists(target)) throw existsError(target);
  const name = target.slice(target.lastIndexOf("/") + 1);
  const last = await sealEvent({ event: ROTATED, result: "ok", details: { file: name } }, head, stamp);
  await log.append(`${last.line}\n`);
  tree.add(leafHash(hash, new TextEncoder().encode(last.line)));
  const facts = { log_id: logId, file: name, last_seq: last.seq, last_hash: last.hash, tree: writeSubtrees(tree) };
  const { line } = await sealEvent({ event: CONTINUED, result: "ok", details: facts }, last, stamp);
  await swap(place, target, `${line}\n`);
  return { archive: target, first_seq: first, last_seq: last.seq };
}

/** Both names at once, then the new file takes the old one's: at no moment is there no log. */
async function swap(path: string, archive: string, content: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const { mode, uid, gid } = await Deno.stat(path);
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: (mode ?? 0o640) & 0o777 });
    const bytes = new TextEncoder().encode(content);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    // those who could write to the log still can
    if (mode !== null) await Deno.chmod(temporary, mode & 0o777);
    if (uid !== null && gid !== null) await Deno.chown(temporary, uid, gid).catch(() => {});
    await file.sync();
    await Deno.link(path, archive);
    await Deno.rename(temporary, path);
    for (const folder of new Set([folderOf(path), folderOf(archive)])) await syncFolder(folder);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    throw writeError(path, cause);
  }
}

async function readWhole({ path, size }: LockedLog, hash: Hash) {
  const { chain, problem } = await readChain([{ path, size }], hash);
  const [file] = chain.files;
  if (!problem && file) return { tree: chain.tree, head: chain.head, logId: chain.logId!, first: file.first_seq };
  const line = problem?.line === undefined ? "" : `, line ${problem.line}`;
  throw new OperationError(`Cannot rotate the audit log "${path}"${line}: ${problem?.message ?? "it is empty"}`, {
    code: "audit.broken",
    object: path,
    hint: "Keep the file elsewhere as it is: a new log begins with the next command that records anything",
  });
}
