import type { KeyRow, SchemeRow } from "../alg/find.ts";
import type { Bytes, Secret } from "../bytes.ts";

/**
 * Something that signs whole messages. Hashing, DER for ECDSA and DigestInfo are its business: `sign` returns exactly the
 * bytes that X.509 carries in a signature BIT STRING. A software key, a token key and a combination of two all are Signers.
 */
export interface Signer {
  readonly algorithm: KeyRow;
  readonly scheme: SchemeRow;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** Signature over `message`. @throws {TokenError} when a token fails. */
  sign(message: Uint8Array): Promise<Bytes>;
  /**
   * The same for a message that is given in pieces and never held as a whole; absent where scheme or token need it whole.
   * @throws {TokenError} when a token fails, and what the pieces throw.
   */
  readonly signPieces?: (pieces: Pieces) => Promise<Bytes>;
}

/** A message piece by piece, in order. */
export type Pieces = AsyncIterable<Uint8Array>;

/** A private key in a file; `path` is absolute or relative to the process's folder. */
export interface SoftwareKeyRef {
  readonly type: "software";
  readonly path: string;
}

/** A private key in a token. At least one of label, keyId and spkiSha256 selects it; all given ones must match. */
export interface Pkcs11KeyRef {
  readonly type: "pkcs11";
  /** Path of the hsm.yaml that leads to the token. */
  readonly config: string;
  /** CKA_LABEL. */
  readonly label?: string;
  /** CKA_ID in hex. */
  readonly keyId?: string;
  /** Name of the key's row: tells the two keys of a hybrid apart, which share a label. */
  readonly algorithm?: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex: what identifies the key for good; compared at every use. */
  readonly spkiSha256?: string;
  /** For a key to be made: other keys may have its label, namely those of earlier versions; its id tells it apart. */
  readonly sharesLabel?: boolean;
  /** For a key to be made: CKA_ID in hex of the other key of a hybrid, which may have its label. */
  readonly partnerId?: string;
}

/** Where a key is. A tagged union: no field belongs to two kinds. */
export type KeyRef = SoftwareKeyRef | Pkcs11KeyRef;

/** How a {@link Signer} signs besides its scheme. */
export interface SignerOptions {
  /**
   * Context string of ML-DSA (FIPS 204 section 5.2), application context of composite schemes; at most the scheme's
   * `contextBytes`. Certificates, CRLs and requests have none.
   */
  readonly context?: Uint8Array;
}

/** A private key that is open for use. */
export interface Key {
  readonly algorithm: KeyRow;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** Complete reference: for a token key with label, keyId and spkiSha256 as the token stores them. */
  readonly ref: KeyRef;
  /**
   * A signer with one scheme of this key. The scheme comes from the profile.
   * @throws {InputError} `scheme.mismatch` when the key's row does not allow the scheme, `scheme.none` when it signs
   * nothing (KEM), `context.invalid` when the scheme takes no such context.
   * @throws {TokenError} `mechanism.absent` when the token lacks the scheme's mechanism.
   */
  signer(scheme: SchemeRow, options?: SignerOptions): Signer;
  /**
   * Shared secret of a ciphertext; only keys of kind `kem` have it.
   * @throws {InputError} `ciphertext.invalid` when it has the wrong length. A wrong one of the right length gives another secret.
   */
  decapsulate?(ciphertext: Uint8Array): Promise<Bytes>;
}

/** One key in a listing. */
export interface KeyInfo {
  readonly ref: KeyRef;
  /** Undefined for a key whose algorithm has no row (weak, foreign). */
  readonly algorithm?: KeyRow;
  /** The algorithm in words, also where there is no row: `RSA 1024`. */
  readonly description: string;
  readonly spki?: Bytes;
  readonly spkiSha256?: string;
  /** Facts for people and JSON: for a token key its boolean attributes by their CKA name, for a file its format. */
  readonly attributes: Readonly<Record<string, string | boolean>>;
}

/** Asks for a passphrase when one turns out to be needed; undefined means there is none. */
export interface PassphraseSource {
  (): Promise<Secret | undefined>;
  /** What gives it, for hints: `--passphrase` unless told. */
  readonly given?: string;
}

/** How a key is made. */
export interface GenerateOptions {
  /** Told the names of a token key before it exists; when this throws no key is made. A key in a file is not told. */
  readonly announce?: ((ref: KeyRef) => Promise<void>) | undefined;
}

/** Where a provider's keys are and what opens it. */
export type ProviderRequest =
  | { readonly type: "software"; readonly passphrase?: PassphraseSource }
  | { readonly type: "pkcs11"; readonly config: string };

/** Small texts that live beside the keys, readable and removable only for those who may log in. */
export interface NoteStore {
  /** Every text of that name. @throws {TokenError} */
  read(name: string): Promise<string[]>;
  /** Adds a text, then removes those of that name that `isReplaced` picks. @throws {TokenError} */
  write(name: string, text: string, isReplaced: (text: string) => boolean): Promise<void>;
}

/** Keys of one kind: files, or one token behind one login. Closed by `await using` or `[Symbol.asyncDispose]`. */
export interface KeyProvider extends AsyncDisposable {
  readonly type: KeyRef["type"];
  /** Absent where texts cannot be kept from those who have the files. */
  readonly notes?: NoteStore | undefined;
  /**
   * Opens exactly one key. @throws `key.not_found`, `key.ambiguous` (lists the candidates with their public-key
   * fingerprints), `key.pin_mismatch` when the public key differs from `ref.spkiSha256`.
   */
  open(ref: KeyRef): Promise<Key>;
  /**
   * Whether a key of `row` could be made at `ref` and could sign with `scheme`; throws what `generate` would, and creates
   * nothing. @throws `key.exists`, `mechanism.absent`.
   */
  prepare(row: KeyRow, ref: KeyRef, scheme?: SchemeRow): Promise<void>;
  /**
   * Makes a key pair, durable when it returns and proved by a signature (a KEM by an encapsulation). Refuses a taken label, id or path before
   * generation; leaves nothing behind on failure.
   */
  generate(row: KeyRow, ref: KeyRef, options?: GenerateOptions): Promise<Key>;
  /** Every private key it can see. */
  list(): Promise<KeyInfo[]>;
  /** Destroys the one key that `ref` selects (both halves). */
  delete(ref: KeyRef): Promise<KeyInfo>;
}

/** Opens a provider by type. Only `cli` implements it; use cases are handed one. */
export type OpenProvider = (request: ProviderRequest) => Promise<KeyProvider>;
