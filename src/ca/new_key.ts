import type { KeyRow, SchemeRow } from "../alg/find.ts";
import { withArticle } from "../errors.ts";
import { fileError, pathExists, syncFolder } from "../files.ts";
import type { Key, KeyProvider, KeyRef } from "../keys/types.ts";
import { parentFolder } from "../store/layout.ts";
import { checkInterrupted, type Deps } from "./deps.ts";

/** One key to make. */
export interface KeyWish {
  readonly provider: KeyProvider;
  readonly row: KeyRow;
  readonly ref: KeyRef;
  /** What it must be able to sign with; the row's default without one. */
  readonly scheme?: SchemeRow;
  /** Told the names of a token key before it exists; what it returns is called when the key is gone again. */
  readonly announce?: (ref: KeyRef) => Promise<() => Promise<void>>;
  /** Replaces a key file that exists; without meaning for a token. */
  readonly overwrite?: boolean;
}

/** A key just made. */
export interface NewKey {
  readonly key: Key;
  /** Where it is once published; the key itself may still lie under another name. */
  readonly ref: KeyRef;
  /** Puts a replacing key file in its place. */
  publish(): Promise<void>;
}

/**
 * Makes a key and puts on `undo` how to unmake it: in a token it is destroyed, or when that fails named with the command
 * that deletes it; a file goes. A file that is replaced stays until `publish`. With several keys `prepareKey` goes first,
 * for all of them.
 * @throws what `prepare` and `generate` of the provider throw; {InterruptedError}.
 */
export async function makeKey(wish: KeyWish, deps: Deps, undo: AsyncDisposableStack): Promise<NewKey> {
  const { provider, row, ref } = wish;
  if (ref.type === "software" && await isReplacement(wish)) return await makeReplacement(wish, ref.path, deps, undo);
  await prepareKey(wish);
  checkInterrupted(deps);
  deps.progress(`Generating ${withArticle(row.label)} key`);
  const announced: (() => Promise<void>)[] = [];
  const announce = wish.announce && (async (names: KeyRef) => void announced.push(await wish.announce!(names)));
  try {
    const key = await provider.generate(row, ref, { announce });
    undo.defer(async () => {
      if (await removeKey(provider, key, deps)) await retract(announced);
    });
    return { key, ref: key.ref, publish: () => Promise.resolve() };
  } catch (error) {
    // the provider has left nothing behind, or names it in its error
    await retract(announced);
    throw error;
  }
}

/** Throws what making the key would, and makes nothing. */
export async function prepareKey(wish: KeyWish): Promise<void> {
  if (await isReplacement(wish)) return;
  await wish.provider.prepare(wish.row, wish.ref, wish.scheme);
}

async function isReplacement({ ref, overwrite = false }: KeyWish): Promise<boolean> {
  return ref.type === "software" && overwrite && await pathExists(ref.path);
}

async function makeReplacement(wish: KeyWish, path: string, deps: Deps, undo: AsyncDisposableStack): Promise<NewKey> {
  const { provider, row } = wish;
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  undo.defer(() => Deno.remove(temporary).catch(() => {}));
  checkInterrupted(deps);
  deps.progress(`Generating ${withArticle(row.label)} key`);
  const key = await provider.generate(row, { type: "software", path: temporary });
  return {
    key,
    ref: { type: "software", path },
    async publish() {
      deps.warn(`The private key "${path}" is replaced`);
      try {
        await Deno.rename(temporary, path);
        await syncFolder(parentFolder(path));
      } catch (cause) {
        throw fileError("write", path, cause);
      }
    },
  };
}

/** Without it the journal says that there may be a key, and whoever looks finds none: no reason to fail. */
async function retract(announced: readonly (() => Promise<void>)[]): Promise<void> {
  for (const undone of announced) await undone().catch(() => {});
}

async function removeKey(provider: KeyProvider, key: Key, deps: Deps): Promise<boolean> {
  try {
    await provider.delete(key.ref);
    return true;
  } catch {
    deps.warn(`The new key ${keyInWords(key.ref)} could not be removed; delete it with: ${deleteCommand(key.ref)}`);
    return false;
  }
}

/** A key for messages. */
export function keyInWords(ref: KeyRef): string {
  if (ref.type === "software") return `"${ref.path}"`;
  return `"${ref.label ?? ref.keyId}" in the token of ${ref.config}`;
}

/** The command line that deletes a key. */
export function deleteCommand(ref: KeyRef): string {
  if (ref.type === "software") return `rm ${ref.path}`;
  const label = ref.label === undefined ? "" : ` --key-label "${ref.label}"`;
  const id = ref.keyId === undefined ? "" : ` --key-id ${ref.keyId}`;
  return `qpki key delete --hsm-config ${ref.config}${label}${id} --yes`;
}
