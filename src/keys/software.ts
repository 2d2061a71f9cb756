import { type KeyRow, requireAllowed, type SchemeRow } from "../alg/find.ts";
import { type Bytes, encodeHex, plainBytes, type Secret, wipe } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { existsError, fileError, pathExists, readFileBytes, syncFolder, writeFileDurably } from "../files.ts";
import { backEndOf } from "./back_end.ts";
import type { SignFunction } from "./back_end_types.ts";
import { proveKey, requireCiphertext } from "./kem.ts";
import { describeKeyFile, inFile, listKeyFiles } from "./key_files.ts";
import { piecesSigner } from "./pieces.ts";
import { decodePrivateKey, type EncodeOptions, encodePrivateKey, type Passphrase } from "./pkcs8.ts";
import { formOf, type KeyForm, type PrivateKey } from "./private_key.ts";
import { encodeSpki } from "./spki.ts";
import type {
  Key,
  KeyInfo,
  KeyProvider,
  KeyRef,
  PassphraseSource,
  Signer,
  SignerOptions,
  SoftwareKeyRef,
} from "./types.ts";
import { requireContext } from "./verify.ts";

/** Private keys in files. */

/** A private key in memory. Disposing wipes the secret; its signers stop working. */
export class SoftwareKey implements Key, Disposable {
  readonly algorithm: KeyRow;
  readonly spki: Bytes;
  readonly ref: SoftwareKeyRef;
  readonly #key: PrivateKey;
  readonly #prepared = new Map<string, Promise<SignFunction>>();
  #closed = false;

  /** `path` is where the key is or will be stored; empty for a key that has no file yet. */
  constructor(key: PrivateKey, path = "") {
    this.algorithm = key.row;
    this.spki = encodeSpki(key.row, key.publicKey);
    this.ref = { type: "software", path };
    this.#key = key;
  }

  /** Whether its file has the seed or, where no seed is known, the expanded key; undefined where there is one form only. */
  get form(): KeyForm | undefined {
    return formOf(this.#key);
  }

  /** @throws {InputError} `scheme.mismatch`, `scheme.none`, `context.invalid`: see `Key`. */
  signer(scheme: SchemeRow, { context }: SignerOptions = {}): Signer {
    requireAllowed(this.algorithm, scheme);
    requireContext(scheme, context);
    const signPieces = piecesSigner(this.#key, scheme, context ? { context } : {});
    return {
      algorithm: this.algorithm,
      scheme,
      spki: this.spki,
      sign: async (message) => {
        const sign = await this.#prepare(scheme, context);
        return await sign(plainBytes(message));
      },
      ...(signPieces ? { signPieces: (pieces) => this.#whileOpen(() => signPieces(pieces)) } : {}),
    };
  }

  async #whileOpen(sign: () => Promise<Bytes>): Promise<Bytes> {
    this.#mustBeOpen();
    return await sign();
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new OperationError("Cannot sign: the key has been closed", { code: "key.closed" });
  }

  #prepare(scheme: SchemeRow, context: Uint8Array = new Uint8Array()): Promise<SignFunction> {
    this.#mustBeOpen();
    const name = `${scheme.name} ${encodeHex(context)}`;
    let prepared = this.#prepared.get(name);
    if (!prepared) {
      prepared = backEndOf(this.algorithm).signer!(this.#key, scheme, context.length > 0 ? { context } : {});
      this.#prepared.set(name, prepared);
    }
    return prepared;
  }

  /** Shared secret of a ciphertext, for a KEM. @throws {InputError} `ciphertext.invalid`, `algorithm.unsupported`. */
  async decapsulate(ciphertext: Uint8Array): Promise<Bytes> {
    if (this.#closed) throw new OperationError("Cannot decapsulate: the key has been closed", { code: "key.closed" });
    const { decapsulate } = backEndOf(this.algorithm);
    if (!decapsulate) {
      throw new InputError(`Cannot decapsulate with a key of type ${this.algorithm.label}: it is for signatures`, {
        code: "algorithm.unsupported",
      });
    }
    requireCiphertext(this.algorithm, ciphertext);
    return await decapsulate(this.#key, plainBytes(ciphertext));
  }

  /** The key file as PEM: PKCS#8, encrypted when a passphrase is given. */
  async toPem(passphrase?: Secret): Promise<string> {
    return new TextDecoder().decode(await this.encode(passphrase ? { passphrase } : {}));
  }

  /** The key file as bytes, PEM or DER. */
  encode(options: EncodeOptions = {}): Promise<Bytes> {
    if (this.#closed) throw new OperationError("Cannot write the key: it has been closed", { code: "key.closed" });
    return encodePrivateKey(this.#key, options);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const prepared of this.#prepared.values()) prepared.then((sign) => sign.wipe?.(), () => {});
    this.#prepared.clear();
    wipe(this.#key.material);
  }
}

/**
 * A new key pair in memory, proved by a signature or, for a KEM, an encapsulation. `path` is where the caller is going to store it.
 * @throws {OperationError} `key.proof_failed`.
 */
export async function generateSoftwareKey(row: KeyRow, path = ""): Promise<SoftwareKey> {
  const key = new SoftwareKey(await backEndOf(row).generate(row), path);
  try {
    await proveKey(key);
    return key;
  } catch (error) {
    key[Symbol.dispose]();
    throw error;
  }
}

/**
 * The private key of a file's content (PKCS#8, SEC1, PKCS#1; PEM or DER).
 * @throws {InputError} as `decodePrivateKey`.
 */
export async function openSoftwareKey(file: Uint8Array, passphrase?: Passphrase, path = ""): Promise<SoftwareKey> {
  const { key } = await decodePrivateKey(file, passphrase);
  return new SoftwareKey(key, path);
}

/** Settings of {@link softwareProvider}. */
export interface SoftwareProviderOptions {
  /** Asked when a key turns out to be encrypted, and for the encryption of new ones: none means they stay plain. */
  readonly passphrase?: PassphraseSource;
  /** Folder that relative paths start from and that `list` searches; the process's folder unless told. */
  readonly cwd?: string;
}

/** Keys in files: 0600, never overwritten, written durably. */
export function softwareProvider(options: SoftwareProviderOptions = {}): KeyProvider {
  return new SoftwareProvider(options);
}

class SoftwareProvider implements KeyProvider {
  readonly type = "software";
  readonly #options: SoftwareProviderOptions;
  readonly #open = new Set<SoftwareKey>();

  constructor(options: SoftwareProviderOptions) {
    this.#options = options;
  }

  async open(ref: KeyRef): Promise<Key> {
    const { path } = softwareRef(ref);
    const file = await this.#read(path);
    try {
      return this.#keep(await openSoftwareKey(file, this.#options.passphrase, path));
    } catch (error) {
      throw inFile(path, error);
    } finally {
      wipe(file);
    }
  }

  async prepare(row: KeyRow, ref: KeyRef, scheme?: SchemeRow): Promise<void> {
    const path = this.#resolve(softwareRef(ref).path);
    if (scheme) requireAllowed(row, scheme);
    if (await pathExists(path)) throw existsError(path);
    try {
      await Deno.stat(folderOf(path));
    } catch (cause) {
      throw fileError("write", path, cause);
    }
  }

  async generate(row: KeyRow, ref: KeyRef): Promise<Key> {
    await this.prepare(row, ref);
    const { path } = softwareRef(ref);
    const passphrase = await this.#options.passphrase?.();
    const key = this.#keep(await generateSoftwareKey(row, path));
    const file = await key.encode(passphrase ? { passphrase } : {});
    try {
      await writeFileDurably(this.#resolve(path), file, { mode: 0o600 });
    } finally {
      wipe(file);
    }
    return key;
  }

  list(): Promise<KeyInfo[]> {
    return listKeyFiles(this.#options.cwd ?? ".");
  }

  async delete(ref: KeyRef): Promise<KeyInfo> {
    const { path } = softwareRef(ref);
    const info = await describeKeyFile(path, await this.#read(path));
    const resolved = this.#resolve(path);
    try {
      await Deno.remove(resolved);
      await syncFolder(folderOf(resolved));
    } catch (cause) {
      throw fileError("delete", path, cause);
    }
    return info;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const key of this.#open) key[Symbol.dispose]();
    this.#open.clear();
    return Promise.resolve();
  }

  #keep(key: SoftwareKey): SoftwareKey {
    this.#open.add(key);
    return key;
  }

  async #read(path: string): Promise<Bytes> {
    try {
      return await readFileBytes(this.#resolve(path));
    } catch (cause) {
      if (!(cause instanceof InputError) || cause.code !== "file.not_found") throw cause;
      throw new InputError(`Cannot open key "${path}": no such file`, {
        code: "key.not_found",
        file: path,
        object: path,
        cause,
      });
    }
  }

  #resolve(path: string): string {
    const { cwd } = this.#options;
    return cwd === undefined || /^([\\/]|[A-Za-z]:)/.test(path) ? path : `${cwd}/${path}`;
  }
}

function softwareRef(ref: KeyRef): SoftwareKeyRef {
  if (ref.type === "software") return ref;
  throw new InputError(`Cannot open a key in a token as a file`, { code: "key.wrong_provider" });
}

function folderOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "." : path.slice(0, at) || "/";
}
