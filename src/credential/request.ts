import { encodePem, equalBytes } from "../bytes.ts";
import { checkInterrupted, type Deps } from "../ca/deps.ts";
import { InputError, OperationError } from "../errors.ts";
import { existsError, pathExists, writeFileDurably } from "../files.ts";
import type { Key, KeyProvider, ProviderRequest } from "../keys/types.ts";
import type { KeyMode } from "../store/meta.ts";
import { buildCsr } from "../x509/csr.ts";
import { encodeExtensions } from "../x509/extensions/mod.ts";
import { encodeName } from "../x509/name.ts";
import { attestationProblem } from "../x509/possession.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import { type RequestedKey, type RequestKey, requestKeys, signersOf } from "./request_keys.ts";
import type { RequestContent } from "./request_names.ts";

/** Who states possession of a key that cannot sign (RFC 9883). */
export interface AttestationWish {
  /** Signature certificate of the same holder. */
  readonly certificate: Certificate;
  /** Its key. */
  readonly key: RequestKey;
  /** Whether the request holds the certificate. */
  readonly include: boolean;
}

/** One request to make. */
export interface CsrRequest {
  readonly content: RequestContent;
  readonly mode: KeyMode;
  /** One, or a classical and a post-quantum one. */
  readonly keys: readonly RequestKey[];
  readonly attestation?: AttestationWish;
  /** File to write; without one the caller prints the request. */
  readonly out?: { readonly path: string; readonly overwrite: boolean };
}

/** A request that was made. */
export interface CsrResult {
  readonly csr: Csr;
  readonly pem: string;
  readonly keys: readonly RequestedKey[];
}

/**
 * Makes a certificate request: opens or makes the keys, signs, verifies, writes. When it fails or is interrupted, keys that
 * were made for it are gone, or named with the command that deletes them.
 * @throws {OperationError} `file.exists`, `sign.key_mismatch`; {InputError} `key.algorithm_mismatch`, `possession.foreign`;
 * what providers throw.
 */
export async function createRequest(request: CsrRequest, deps: Deps): Promise<CsrResult> {
  const { out, content, mode } = request;
  if (out && !out.overwrite && await pathExists(out.path)) throw existsError(out.path);
  await using providers = new AsyncDisposableStack();
  const open = async (wanted: ProviderRequest): Promise<KeyProvider> => providers.use(await deps.openProvider(wanted));
  await using undo = new AsyncDisposableStack();
  // before there is a key
  const attesting = request.attestation && await attestingKey(request.attestation, content, open);
  const made = await requestKeys(request.keys, { mode, deps, open, undo });
  const { holder } = made;
  const spec = { ...content, spki: holder.spki };
  const { signer, altSigner } = attesting ? { ...signersOf(attesting), altSigner: undefined } : signersOf(holder);
  const csr = await buildCsr(
    request.attestation ? { ...spec, possession: request.attestation } : spec,
    signer,
    altSigner,
  );
  const pem = encodePem("CERTIFICATE REQUEST", csr.der);
  checkInterrupted(deps);
  await made.publish();
  if (out) await writeFileDurably(out.path, pem, { overwrite: out.overwrite });
  undo.move();
  return { csr, pem, keys: made.keys };
}

async function attestingKey(
  { certificate, key: wish }: AttestationWish,
  { subject, extensions }: RequestContent,
  open: (request: ProviderRequest) => Promise<KeyProvider>,
): Promise<Key> {
  const names = { subject: encodeName(subject), extensions: encodeExtensions(extensions ?? {}) };
  const reason = attestationProblem(names, certificate);
  if (reason !== undefined) {
    throw new InputError(`Cannot make the certificate request: ${reason}`, { code: "possession.foreign" });
  }
  const key = await (await open(wish.provider)).open(wish.ref);
  if (equalBytes(key.spki, certificate.spki)) return key;
  throw new OperationError("Cannot make the certificate request: the attesting key is not that of its certificate", {
    code: "sign.key_mismatch",
    hint: "Name the key of the certificate in --attest-cert with --attest-key or --attest-key-label",
  });
}
