import { bitString, nullDer, oid, sequence } from "../asn1/der.ts";
import { OID_RSA_ENCRYPTION } from "../asn1/oid.ts";
import { describeSpki, spkiFingerprint } from "../keys/spki.ts";
import type { Bytes } from "../bytes.ts";
import type { Certificate } from "../x509/types.ts";
import type { CheckedSignature } from "../x509/verdict.ts";
import { signatureText } from "./signature_text.ts";
import { type DetectedObject, type ObjectType, TYPE_TITLES } from "./detect.ts";
import { columns } from "./output.ts";

/** What one object is, as JSON and for people. */
export interface Inspected {
  readonly json: Record<string, unknown>;
  readonly text: string;
}

type Describe = (object: DetectedObject, file: string) => Promise<Inspected>;

const DESCRIBE: Readonly<Record<ObjectType, Describe>> = {
  certificate: async ({ bytes }) => {
    const { describeCertificate, isSelfIssued, parseCertificate } = await import("../x509/certificate.ts");
    const certificate = parseCertificate(bytes);
    const description = await describeCertificate(certificate);
    // without its issuer nothing can be said of any other
    return isSelfIssued(certificate) ? withVerdict(description, await ownSignature(certificate)) : description;
  },
  csr: async ({ bytes }) => {
    const { describeCsr, parseCsr, verifyCsr } = await import("../x509/csr.ts");
    const csr = parseCsr(bytes);
    const description = await describeCsr(csr);
    const verdict = await verifyCsr(csr, { attestTrust: "caller" });
    return verdict.code === "possession.no_certificate" ? description : withVerdict(description, verdict);
  },
  crl: async ({ bytes }) => {
    const { describeCrl, parseCrl } = await import("../x509/crl.ts");
    return await describeCrl(parseCrl(bytes));
  },
  public_key: ({ bytes }) => describePublicKey(bytes),
  rsa_public_key: ({ bytes }) =>
    describePublicKey(sequence(sequence(oid(OID_RSA_ENCRYPTION), nullDer()), bitString(bytes))),
  private_key: describePrivateKey,
  encrypted_private_key: describePrivateKey,
  ec_private_key: describePrivateKey,
  rsa_private_key: describePrivateKey,
  pkcs12: describeNothing,
  cms: describeNothing,
  ocsp_response: describeNothing,
  cose: describeNothing,
};

/**
 * Describes a detected object. Secrets are not shown, and an encrypted key is not opened.
 * @throws {InputError} when its content is malformed beyond what detection saw.
 */
export async function inspectObject(object: DetectedObject, file: string): Promise<Inspected> {
  const { json, text } = object.legacyEncryption === undefined
    ? await DESCRIBE[object.type](object, file)
    : describeLegacy(object.legacyEncryption);
  const { type, encoding, label, note } = object;
  const title = note === undefined ? TYPE_TITLES[type] : `${TYPE_TITLES[type]}: ${note}`;
  return {
    json: {
      type,
      encoding,
      ...(label === undefined ? {} : { label }),
      ...(note === undefined ? {} : { note }),
      ...json,
    },
    text: `${title} (${encoding.toUpperCase()})\n${text}`.trimEnd(),
  };
}

/** Adds which signatures were checked, and with what result. */
function withVerdict(
  { json, text }: Inspected,
  { valid, reason, signatures }: { valid: boolean; reason?: string; signatures: readonly CheckedSignature[] },
): Inspected {
  const state = valid ? `valid (${signatures.map(signatureText).join(", ")})` : `INVALID: ${reason}`;
  return {
    json: { ...json, signature_valid: valid, signatures, ...(reason === undefined ? {} : { reason }) },
    text: `${text.trimEnd()}\n    Own Signature: ${state}\n`,
  };
}

async function ownSignature(certificate: Certificate) {
  const { checkIssued } = await import("../x509/alternative.ts");
  const { preTbsCertificate } = await import("../x509/pre_tbs.ts");
  const { checkedSignature, nameOf } = await import("../x509/verdict.ts");
  const verdict = await checkIssued(certificate, certificate, preTbsCertificate);
  const { valid, reason } = verdict;
  const signatures = valid ? [checkedSignature(nameOf(certificate), verdict)] : [];
  return { valid, signatures, ...(reason === undefined ? {} : { reason }) };
}

async function describePublicKey(spki: Bytes): Promise<Inspected> {
  const { description, row, rsa } = describeSpki(spki);
  const fingerprint = await spkiFingerprint(spki);
  return {
    json: {
      algorithm: row?.name ?? null,
      description,
      ...(rsa ? { modulus_bits: rsa.modulusBits, exponent: rsa.exponent.toString() } : {}),
      spki_sha256: fingerprint,
    },
    text: columns([["Algorithm:", description], ["SHA-256:", fingerprint]]),
  };
}

async function describePrivateKey({ bytes }: DetectedObject, file: string): Promise<Inspected> {
  const { describeKeyFile } = await import("../keys/key_files.ts");
  const info = await describeKeyFile(file, bytes);
  const encrypted = info.attributes["encrypted"] === true;
  const rows: [string, string][] = [["Algorithm:", encrypted ? "unknown: the key is encrypted" : info.description]];
  if (info.spkiSha256 !== undefined) rows.push(["SHA-256:", `${info.spkiSha256} (public key)`]);
  return {
    json: {
      algorithm: info.algorithm?.name ?? null,
      description: info.description,
      encrypted,
      spki_sha256: info.spkiSha256 ?? null,
    },
    text: columns(rows),
  };
}

function describeLegacy(cipher: string): Inspected {
  const hint = "old PEM encryption (RFC 1421), one round of MD5; rewrite it with: openssl pkcs8 -topk8";
  return {
    json: { algorithm: null, description: "encrypted", encrypted: true, legacy_cipher: cipher },
    text: columns([["Encryption:", `${cipher}, ${hint}`]]),
  };
}

function describeNothing({ bytes }: DetectedObject): Promise<Inspected> {
  return Promise.resolve({ json: { bytes: bytes.length }, text: columns([["Size:", `${bytes.length} bytes`]]) });
}
