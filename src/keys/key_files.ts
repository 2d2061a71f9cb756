import { type Bytes, wipe } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { fileError, readFileBytes } from "../files.ts";
import { findPrivateKey, mayHoldPrivateKey } from "./container.ts";
import { checkEncrypted } from "./pbes2.ts";
import { decodePrivateKey, type Passphrase, type PrivateKeyFile } from "./pkcs8.ts";
import { encodeSpki, spkiFingerprint } from "./spki.ts";
import type { KeyInfo } from "./types.ts";

/** What key files say about themselves, and the search for them. */

/** Files larger than this are not searched for keys, in bytes. */
const MAX_SEARCHED_BYTES = 1024 * 1024;

/** Folders deeper than this below the start are not searched. */
const MAX_SEARCH_DEPTH = 32;

/** Folders that never hold an operator's keys. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([".git", "node_modules"]);

/**
 * Facts about a key file. An encrypted one is opened only with a passphrase; without it algorithm and public key stay
 * unknown. A key whose algorithm has no row is described in words.
 * @throws {InputError} when there is no readable private key in it.
 */
export async function describeKeyFile(path: string, file: Uint8Array, passphrase?: Passphrase): Promise<KeyInfo> {
  try {
    const container = findPrivateKey(file);
    const encrypted = container.format === "encrypted PKCS#8";
    const ref = { type: "software", path } as const;
    const attributes = { format: container.format, encoding: container.encoding, encrypted };
    if (encrypted && !passphrase) {
      checkEncrypted(container.der);
      return { ref, description: "encrypted", attributes };
    }
    const { form, ...facts } = await describeKey(file, passphrase);
    return { ref, ...facts, attributes: form ? { ...attributes, form } : attributes };
  } catch (error) {
    throw inFile(path, error);
  }
}

async function describeKey(
  file: Uint8Array,
  passphrase: Passphrase | undefined,
): Promise<Pick<KeyInfo, "algorithm" | "description" | "spki" | "spkiSha256"> & Pick<PrivateKeyFile, "form">> {
  try {
    const { key, form } = await decodePrivateKey(file, passphrase);
    wipe(key.material);
    const spki: Bytes = encodeSpki(key.row, key.publicKey);
    const facts = { algorithm: key.row, description: key.row.label, spki, spkiSha256: await spkiFingerprint(spki) };
    return form ? { ...facts, form } : facts;
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== "algorithm.unsupported") throw error;
    return { description: error.object ?? "unknown algorithm" };
  }
}

/**
 * Every private key file below `folder`, sorted by path; symbolic links to folders are not followed. A PEM file that
 * claims to hold a key and cannot be read is listed with the reason.
 * @throws {OperationError} when the folder itself cannot be read.
 */
export async function listKeyFiles(folder: string): Promise<KeyInfo[]> {
  const found: KeyInfo[] = [];
  for await (const path of searchedFiles(folder, MAX_SEARCH_DEPTH)) {
    const info = await describeCandidate(path);
    if (info) found.push(info);
  }
  return found;
}

async function* searchedFiles(folder: string, depth: number): AsyncGenerator<string> {
  for (const { name, isDirectory, isSymlink } of await entries(folder)) {
    const path = folder === "." ? name : `${folder.replace(/\/+$/, "")}/${name}`;
    if (isDirectory) {
      if (depth === 0 || SKIPPED_FOLDERS.has(name)) continue;
      try {
        yield* searchedFiles(path, depth - 1);
      } catch { /* a folder that may not be read below the one asked for */ }
    } else if (await isSearched(path, isSymlink)) {
      yield path;
    }
  }
}

async function entries(folder: string): Promise<Deno.DirEntry[]> {
  try {
    const all = await Array.fromAsync(Deno.readDir(folder));
    return all.sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (cause) {
    throw fileError("read folder", folder, cause);
  }
}

async function isSearched(path: string, isSymlink: boolean): Promise<boolean> {
  try {
    const { isFile, size } = await (isSymlink ? Deno.stat(path) : Deno.lstat(path));
    return isFile && size > 0 && size <= MAX_SEARCHED_BYTES;
  } catch {
    return false;
  }
}

async function describeCandidate(path: string): Promise<KeyInfo | undefined> {
  const file = await readFileBytes(path).catch(() => undefined);
  if (!file || !mayHoldPrivateKey(file)) return undefined;
  try {
    return await describeKeyFile(path, file);
  } catch (error) {
    // Any DER may look like a key at first; a PEM label says that it is one.
    if (!(error instanceof InputError) || file[0] === 0x30) return undefined;
    const reason = error.message.replace(/^[^:]*: /, "");
    return {
      ref: { type: "software", path },
      description: `unreadable (${reason})`,
      attributes: { error: error.code },
    };
  } finally {
    wipe(file);
  }
}

/** The same InputError saying which file it is about. */
export function inFile(path: string, error: unknown): unknown {
  if (!(error instanceof InputError) || error.file !== undefined) return error;
  return new InputError(error.message.replace(": ", () => ` in "${path}": `), {
    code: error.code,
    file: path,
    object: error.object ?? path,
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.offset === undefined ? {} : { offset: error.offset }),
  });
}
