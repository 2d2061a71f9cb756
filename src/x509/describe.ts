import { oidName } from "../asn1/oid.ts";
import { encodeHex } from "../bytes.ts";
import { QpkiError } from "../errors.ts";
import { sha256Hex } from "../keys/digest.ts";
import { describeAlgorithm } from "../keys/scheme.ts";
import { describeSpki, spkiFingerprint } from "../keys/spki.ts";
import { fingerprint, isCa } from "./certificate_fields.ts";
import { requestedAlternative } from "./csr_attributes.ts";
import { colonHex } from "./extensions/key_identifiers.ts";
import { decodeExtension } from "./extensions/mod.ts";
import { formatName } from "./name_text.ts";
import { possessionStatement } from "./possession.ts";
import { formatTime } from "./time_text.ts";
import type { Certificate, Crl, Csr, Extension } from "./types.ts";

/** Text for people and JSON for programs, of certificates, requests and CRLs. */

/** One object described; JSON keys are snake_case and stable. */
export interface Description {
  readonly json: Record<string, unknown>;
  /** Lines, with a final newline. */
  readonly text: string;
}

/** Describes a certificate. Malformed extensions and unknown algorithms are shown as they are, never thrown. */
export async function describeCertificate(certificate: Certificate): Promise<Description> {
  const key = await describeKey(certificate.spki);
  const digest = await fingerprint(certificate);
  const json = {
    version: certificate.version,
    serial: certificate.serial,
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    not_before: formatTime(certificate.notBefore),
    not_after: formatTime(certificate.notAfter),
    public_key: key.json,
    signature_algorithm: algorithmText(certificate.signatureAlgorithm),
    is_ca: saysCa(certificate),
    extensions: certificate.extensions.map(extensionJson),
    fingerprint_sha256: digest,
  };
  const lines = [
    "Certificate:",
    `    Version: ${certificate.version}`,
    `    Serial Number: ${certificate.serial}`,
    `    Signature Algorithm: ${json.signature_algorithm}`,
    `    Issuer: ${json.issuer}`,
    `    Not Before: ${json.not_before}`,
    `    Not After : ${json.not_after}`,
    `    Subject: ${json.subject}`,
    ...key.lines,
    ...extensionLines("Extensions", certificate.extensions),
    `    Fingerprint (SHA-256): ${colonHex(Uint8Array.fromHex(digest))}`,
  ];
  return { json, text: joined(lines) };
}

function saysCa(certificate: Certificate): boolean {
  return readable(() => isCa(certificate)) ?? false;
}

/** What `read` returns; undefined for what is malformed. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof QpkiError) return undefined;
    throw error;
  }
}

/** Describes a request. */
export async function describeCsr(csr: Csr): Promise<Description> {
  const key = await describeKey(csr.spki);
  const more = await describeParts(csr);
  const json = {
    subject: formatName(csr.subject),
    public_key: key.json,
    signature_algorithm: algorithmText(csr.signatureAlgorithm),
    ...more.json,
    attributes: csr.attributes.map(({ oid, values }) => ({
      oid,
      name: oidName(oid) ?? oid,
      values: values.map(encodeHex),
    })),
    extensions: csr.extensions.map(extensionJson),
    sha256: await sha256Hex(csr.der),
  };
  const names = json.attributes.map(({ name }) => name);
  const lines = [
    "Certificate Request:",
    `    Subject: ${json.subject}`,
    ...key.lines,
    `    Signature Algorithm: ${json.signature_algorithm}`,
    ...more.lines,
    ...(names.length === 0 ? [] : [`    Attributes: ${names.join(", ")}`]),
    ...extensionLines("Requested Extensions", csr.extensions),
  ];
  return { json, text: joined(lines) };
}

/** The alternative key of a request, and its statement of possession. */
async function describeParts(csr: Csr): Promise<{ json: Record<string, unknown>; lines: string[] }> {
  const { spki, algorithm } = readable(() => requestedAlternative(csr)) ?? {};
  const key = spki && await describeKey(spki, "Alternative Public Key");
  const scheme = algorithm && algorithmText(algorithm);
  const statement = readable(() => possessionStatement(csr));
  const signer = statement && `certificate ${statement.serial} of ${formatName(statement.issuer)}`;
  const included = statement?.certificate !== undefined;
  return {
    json: {
      ...(key ? { alternative_public_key: key.json } : {}),
      ...(scheme === undefined ? {} : { alternative_signature_algorithm: scheme }),
      ...(statement
        ? { possession: { issuer: formatName(statement.issuer), serial: statement.serial, included } }
        : {}),
    },
    lines: [
      ...(key?.lines ?? []),
      ...(scheme === undefined ? [] : [`    Alternative Signature Algorithm: ${scheme}`]),
      ...(signer === undefined ? [] : [`    Possession Stated By: ${signer}${included ? " (included)" : ""}`]),
    ],
  };
}

/** Describes a CRL with all its entries. */
export async function describeCrl(crl: Crl): Promise<Description> {
  const json = {
    issuer: formatName(crl.issuer),
    this_update: formatTime(crl.thisUpdate),
    next_update: crl.nextUpdate === undefined ? null : formatTime(crl.nextUpdate),
    crl_number: crl.number ?? null,
    signature_algorithm: algorithmText(crl.signatureAlgorithm),
    extensions: crl.extensions.map(extensionJson),
    revoked_count: crl.revoked.length,
    revoked: crl.revoked.map(({ serial, revocationDate, reason }) => ({
      serial,
      revocation_date: formatTime(revocationDate),
      reason: reason ?? null,
    })),
    sha256: await sha256Hex(crl.der),
  };
  const lines = [
    "Certificate Revocation List:",
    `    Issuer: ${json.issuer}`,
    `    This Update: ${json.this_update}`,
    `    Next Update: ${json.next_update ?? "none"}`,
    ...(crl.number === undefined ? [] : [`    CRL Number: ${crl.number}`]),
    `    Signature Algorithm: ${json.signature_algorithm}`,
    ...extensionLines("Extensions", crl.extensions),
    `    Revoked Certificates: ${crl.revoked.length}`,
    ...json.revoked.map((entry) =>
      `        ${entry.serial}  ${entry.revocation_date}${entry.reason === null ? "" : `  ${entry.reason}`}`
    ),
  ];
  return { json, text: joined(lines) };
}

async function describeKey(
  spki: Uint8Array,
  title = "Public Key",
): Promise<{ json: Record<string, unknown>; lines: string[] }> {
  const algorithm = keyText(spki);
  const hash = await spkiFingerprint(spki);
  return {
    json: { algorithm, spki_sha256: hash },
    lines: [`    ${title}: ${algorithm}`, `        SHA-256: ${hash}`],
  };
}

function keyText(spki: Uint8Array): string {
  try {
    return describeSpki(spki).description;
  } catch (error) {
    if (error instanceof QpkiError) return `invalid (${error.message})`;
    throw error;
  }
}

function algorithmText(der: Uint8Array): string {
  try {
    return describeAlgorithm(der);
  } catch (error) {
    if (error instanceof QpkiError) return `invalid (${encodeHex(der)})`;
    throw error;
  }
}

function extensionJson(extension: Extension): Record<string, unknown> {
  const { name, json } = decodeExtension(extension);
  return { oid: extension.oid, name, critical: extension.critical, value: json };
}

function extensionLines(title: string, extensions: readonly Extension[]): string[] {
  if (extensions.length === 0) return [];
  return [
    `    ${title}:`,
    ...extensions.flatMap((extension) => {
      const { name, text } = decodeExtension(extension);
      return [`        ${name}:${extension.critical ? " critical" : ""}`, ...text.map((line) => `            ${line}`)];
    }),
  ];
}

function joined(lines: readonly string[]): string {
  return lines.join("\n") + "\n";
}
