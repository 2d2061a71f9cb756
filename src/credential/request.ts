import { defaultScheme, type KeyRow } from "../alg/find.ts";
import { OID_AT_COMMON_NAME, OID_AT_COUNTRY, OID_AT_ORGANIZATION, OID_AT_ORGANIZATIONAL_UNIT } from "../asn1/oid.ts";
import { encodePem } from "../bytes.ts";
import { checkInterrupted, type Deps } from "../ca/deps.ts";
import { InputError } from "../errors.ts";
import { existsError, pathExists, writeFileDurably } from "../files.ts";
import type { Key, KeyProvider, KeyRef, ProviderRequest } from "../keys/types.ts";
import { buildCsr } from "../x509/csr.ts";
import { nameAttribute } from "../x509/name.ts";
import type { Csr, ExtensionValues, GeneralName, Name } from "../x509/types.ts";
import { makeKey, type NewKey } from "./new_key.ts";

/** What goes into a request: exactly what the operator wrote. */
export interface RequestContent {
  readonly subject: Name;
  readonly extensions?: ExtensionValues;
}

/** Names on a command line. */
export interface NameParts {
  readonly country?: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly commonName?: string;
  readonly dns: readonly string[];
  readonly ip: readonly string[];
  readonly email: readonly string[];
  readonly uri: readonly string[];
}

/**
 * Subject and subjectAltName from names; the subject runs from country to common name. Without a subject the
 * subjectAltName is critical (RFC 5280 section 4.2.1.6).
 * @throws {InputError} `name.invalid` for a value that the attribute cannot hold.
 */
export function contentFromNames(parts: NameParts): RequestContent {
  const attributes = [
    [OID_AT_COUNTRY, parts.country],
    [OID_AT_ORGANIZATION, parts.organization],
    [OID_AT_ORGANIZATIONAL_UNIT, parts.organizationalUnit],
    [OID_AT_COMMON_NAME, parts.commonName],
  ] as const;
  const subject = attributes.flatMap(([type, value]) => value === undefined ? [] : [[nameAttribute(type, value)]]);
  const names: GeneralName[] = (["dns", "ip", "email", "uri"] as const)
    .flatMap((type) => parts[type].map((value) => ({ type, value })));
  if (names.length === 0) return { subject };
  return { subject, extensions: { subjectAltName: { critical: subject.length === 0, names } } };
}

/** Where the key of a request comes from. */
export type RequestKey =
  /** A key that exists. */
  | { readonly kind: "existing"; readonly provider: ProviderRequest; readonly ref: KeyRef }
  /** A key that is made; a file at its path is replaced only with `overwrite`. */
  | { readonly kind: "new"; readonly provider: ProviderRequest; readonly ref: KeyRef; readonly overwrite?: boolean }
  /** A key in a token, made when there is none at `ref`. */
  | { readonly kind: "either"; readonly provider: ProviderRequest; readonly ref: KeyRef };

/** One request to make. */
export interface CsrRequest {
  readonly content: RequestContent;
  readonly key: RequestKey;
  /** Algorithm the key must have; needed to make one. */
  readonly row?: KeyRow;
  /** File to write; without one the caller prints the request. */
  readonly out?: { readonly path: string; readonly overwrite: boolean };
}

/** A request that was made. */
export interface CsrResult {
  readonly csr: Csr;
  readonly pem: string;
  readonly key: Key;
  /** Where the key is. */
  readonly keyRef: KeyRef;
  /** Whether the key was made for it. */
  readonly generated: boolean;
}

/**
 * Makes a certificate request: opens or makes the key, signs, verifies, writes. When it fails or is interrupted, a key that
 * was made for it is gone, or named with the command that deletes it.
 * @throws {OperationError} `file.exists`; {InputError} `key.algorithm_mismatch`; what providers throw.
 */
export async function createRequest(request: CsrRequest, deps: Deps): Promise<CsrResult> {
  const { out } = request;
  if (out && !out.overwrite && await pathExists(out.path)) throw existsError(out.path);
  await using provider = await deps.openProvider(request.key.provider);
  await using undo = new AsyncDisposableStack();
  const { key, ref, publish } = await requestKey(request, provider, { undo, deps });
  checkInterrupted(deps);
  const signer = key.signer(defaultScheme(key.algorithm));
  const csr = await buildCsr({ ...request.content, spki: key.spki }, signer);
  const pem = encodePem("CERTIFICATE REQUEST", csr.der);
  checkInterrupted(deps);
  await publish?.();
  if (out) await writeFileDurably(out.path, pem, { overwrite: out.overwrite });
  undo.move();
  return { csr, pem, key, keyRef: ref, generated: publish !== undefined };
}

async function requestKey(
  request: CsrRequest,
  provider: KeyProvider,
  { undo, deps }: { undo: AsyncDisposableStack; deps: Deps },
): Promise<{ key: Key; ref: KeyRef; publish?: NewKey["publish"] }> {
  const { key: source, row } = request;
  const { ref } = source;
  if (source.kind !== "new") {
    const key = await provider.open(ref).catch((error) => {
      if (source.kind === "either" && isNotFound(error)) return undefined;
      throw error;
    });
    if (key) {
      checkAlgorithm(key, row);
      return { key, ref: key.ref };
    }
  }
  if (!row) throw new Error("A key cannot be made without its algorithm");
  const overwrite = source.kind === "new" && source.overwrite === true;
  return await makeKey({ provider, row, ref, overwrite }, deps, undo);
}

function checkAlgorithm(key: Key, row: KeyRow | undefined): void {
  if (!row || row.name === key.algorithm.name) return;
  throw new InputError(`Cannot use the key for this request: it is ${key.algorithm.label}, not ${row.label}`, {
    code: "key.algorithm_mismatch",
    hint: "Name another key, or leave out --algorithm to take the key as it is",
  });
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "key.not_found";
}
