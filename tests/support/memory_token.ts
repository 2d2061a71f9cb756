import type { KeyRow, SchemeRow } from "../../src/alg/find.ts";
import type { Family } from "../../src/alg/registry.ts";
import { encodeHex, randomBytes } from "../../src/bytes.ts";
import { TokenError } from "../../src/errors.ts";
import { generateSoftwareKey } from "../../src/keys/software.ts";
import { spkiFingerprint } from "../../src/keys/spki.ts";
import type {
  GenerateOptions,
  Key,
  KeyInfo,
  KeyProvider,
  KeyRef,
  Pkcs11KeyRef,
  SignerOptions,
} from "../../src/keys/types.ts";

/** A token in memory that can be told to fail, for what no real one does when asked. Keys are told apart as in a real one. */
export class MemoryToken implements KeyProvider {
  readonly type = "pkcs11";
  readonly keys: Key[] = [];
  /** Families it has no mechanism for. */
  readonly lacks = new Set<Family>();
  failAt: "prepare" | "generate" | "delete" | undefined;
  /** Called after each key, for example to press Ctrl-C. */
  onGenerated: () => void = () => {};
  generated = 0;

  /** Labels of the keys, sorted. */
  get labels(): (string | undefined)[] {
    return this.keys.map(({ ref }) => (ref as Pkcs11KeyRef).label).sort();
  }

  open(ref: KeyRef): Promise<Key> {
    const found = this.keys.filter((key) => selects(ref as Pkcs11KeyRef, key.ref as Pkcs11KeyRef));
    if (found.length === 1) return Promise.resolve(found[0]!);
    const code = found.length === 0 ? "key.not_found" : "key.ambiguous";
    return Promise.reject(new TokenError(`Cannot open key: ${found.length} keys fit`, { code }));
  }

  prepare(row: KeyRow, ref: KeyRef, _scheme?: SchemeRow): Promise<void> {
    const { label, sharesLabel = false, partnerId } = ref as Pkcs11KeyRef;
    if (this.lacks.has(row.family)) {
      const details = { code: "mechanism.absent", hint: "Use another token" };
      return Promise.reject(
        new TokenError(`Cannot make a ${row.label} key: the token has no mechanism for it`, details),
      );
    }
    const taken = !sharesLabel &&
      this.keys.some(({ ref: other }) => {
        const { label: itsLabel, keyId } = other as Pkcs11KeyRef;
        return itsLabel === label && keyId !== partnerId;
      });
    if (this.failAt !== "prepare" && !taken) return Promise.resolve();
    return Promise.reject(new TokenError("Cannot make a key: it exists", { code: "key.exists" }));
  }

  async generate(row: KeyRow, ref: KeyRef, options: GenerateOptions = {}): Promise<Key> {
    await this.prepare(row, ref);
    if (this.failAt === "generate" && this.generated > 0) throw new TokenError("Cannot make a key: device error");
    const { label, config, keyId = encodeHex(randomBytes(8)) } = ref as Pkcs11KeyRef;
    await options.announce?.({ ...ref as Pkcs11KeyRef, keyId });
    const key = await generateSoftwareKey(row);
    const stored: Key = {
      algorithm: row,
      spki: key.spki,
      ref: { type: "pkcs11", config, label: label!, keyId, spkiSha256: await spkiFingerprint(key.spki) },
      signer: (scheme, options?: SignerOptions) => key.signer(scheme, options),
      ...(row.kind === "kem" ? { decapsulate: (ciphertext: Uint8Array) => key.decapsulate(ciphertext) } : {}),
    };
    this.keys.push(stored);
    this.generated++;
    this.onGenerated();
    return stored;
  }

  list(): Promise<KeyInfo[]> {
    return Promise.resolve(this.keys.map(info));
  }

  delete(ref: KeyRef): Promise<KeyInfo> {
    if (this.failAt === "delete") return Promise.reject(new TokenError("Cannot delete: device error"));
    const at = this.keys.findIndex((key) => selects(ref as Pkcs11KeyRef, key.ref as Pkcs11KeyRef));
    const [gone] = this.keys.splice(at, 1);
    return Promise.resolve(info(gone!));
  }

  async [Symbol.asyncDispose]() {}
}

function selects(wanted: Pkcs11KeyRef, own: Pkcs11KeyRef): boolean {
  return (wanted.label === undefined || wanted.label === own.label) &&
    (wanted.keyId === undefined || wanted.keyId === own.keyId) &&
    (wanted.spkiSha256 === undefined || wanted.spkiSha256 === own.spkiSha256);
}

function info({ algorithm, ref, spki }: Key): KeyInfo {
  return { ref, algorithm, description: algorithm.label, spki, attributes: {} };
}
