import { defaultScheme, findKeyRow, findSchemeRow, type KeyRow, type SchemeRow } from "../../src/alg/find.ts";
import { generateSoftwareKey, type SoftwareKey } from "../../src/keys/software.ts";
import type { Signer } from "../../src/keys/types.ts";
import { parseCertificate, subjectKeyId } from "../../src/x509/certificate.ts";
import { buildCrl, type CrlSpec } from "../../src/x509/crl.ts";
import { lintTbs } from "../../src/x509/lint.ts";
import { encodeName, parseNameText } from "../../src/x509/name.ts";
import { generateSerial } from "../../src/x509/serial.ts";
import { signCertificate, signStructure } from "../../src/x509/sign.ts";
import { buildTbsCertificate, type TbsSpec } from "../../src/x509/tbs.ts";
import type { Certificate, Crl, ExtensionValues } from "../../src/x509/types.ts";

/** A small PKI in memory for tests: issuers with software keys, certificates with whatever extensions a test wants. */

/** A certificate with its key. */
export interface Holder {
  readonly certificate: Certificate;
  readonly key: SoftwareKey;
  readonly scheme: SchemeRow;
  /** Key and scheme of its alternative signatures (X.509 clause 9.8). */
  readonly alternative?: { readonly key: SoftwareKey; readonly scheme: SchemeRow };
}

/** What a test may state about a certificate; the rest has useful values. */
export interface IssueOptions extends Partial<Pick<TbsSpec, "serial" | "notBefore" | "notAfter" | "extensions">> {
  readonly name: string;
  /** Name of a key row; P-256 unless told. */
  readonly algorithm?: string;
  readonly key?: SoftwareKey;
  readonly scheme?: SchemeRow;
  /** Name of the key row of an alternative key. */
  readonly alternative?: string;
  readonly alternativeKey?: SoftwareKey;
  /** Who signs; nobody else for a root. */
  readonly issuer?: Holder;
  /** Sign although the lint has errors: for certificates that a verifier must refuse. */
  readonly unlinted?: boolean;
}

/** The time at which the certificates of tests are valid unless told otherwise: now, in whole seconds. */
export const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);

/** `days` from {@link NOW}. */
export function daysFromNow(days: number): Date {
  return new Date(NOW.getTime() + days * 86_400_000);
}

/** Extensions of a CA. */
export function caExtensions(pathLen?: number, more: ExtensionValues = {}): ExtensionValues {
  return {
    basicConstraints: { critical: true, ca: true, ...(pathLen === undefined ? {} : { pathLen }) },
    keyUsage: { critical: true, values: ["keyCertSign", "cRLSign"] },
    ...more,
  };
}

/** Extensions of a leaf with one DNS name. */
export function leafExtensions(dns = "host.test", more: ExtensionValues = {}): ExtensionValues {
  return {
    keyUsage: { critical: true, values: ["digitalSignature"] },
    subjectAltName: { critical: false, names: [{ type: "dns", value: dns }] },
    ...more,
  };
}

const keys = new Map<string, Promise<SoftwareKey>>();

/** A key of a row, made once for each `slot`: key generation is the slow part of these tests. */
export function testKey(algorithm: string, slot = ""): Promise<SoftwareKey> {
  const name = `${algorithm} ${slot}`;
  let key = keys.get(name);
  if (!key) {
    key = generateSoftwareKey(findKeyRow(algorithm));
    keys.set(name, key);
  }
  return key;
}

/** Issues a certificate, with an alternative signature where the issuer has an alternative key. Its keys are its own. */
export async function issue(options: IssueOptions): Promise<Holder> {
  const key = options.key ?? await testKey(options.algorithm ?? "ecdsa-p256", options.name);
  const alternative = await alternativeOf(options);
  const signerKey = options.issuer?.key ?? key;
  const signerAlternative = options.issuer ? options.issuer.alternative : alternative;
  const scheme = options.scheme ?? options.issuer?.scheme ?? defaultScheme(signerKey.algorithm);
  const issuer = options.issuer?.certificate;
  const subject = parseNameText(options.name);
  const authorityKeyId = issuer && subjectKeyId(issuer);
  const tbs = await buildTbsCertificate({
    serial: options.serial ?? generateSerial(),
    issuer: issuer?.subject ?? encodeName(subject),
    subject,
    notBefore: options.notBefore ?? daysFromNow(-1),
    notAfter: options.notAfter ?? daysFromNow(30),
    spki: key.spki,
    scheme,
    extensions: options.extensions ?? (issuer ? leafExtensions() : caExtensions()),
    ...(authorityKeyId ? { authorityKeyId } : {}),
    ...(signerAlternative
      ? { alternative: { scheme: signerAlternative.scheme, ...(alternative ? { spki: alternative.key.spki } : {}) } }
      : {}),
  });
  const signer = signerKey.signer(scheme);
  const altSigner = signerAlternative?.key.signer(signerAlternative.scheme);
  const certificate = options.unlinted
    ? parseCertificate(await signStructure(tbs.der, signer, { what: "certificate" }))
    : await signCertificate(lintTbs(tbs), signer, altSigner);
  const schemeOf = key.algorithm.kind === "kem" ? scheme : defaultScheme(key.algorithm);
  return { certificate, key, scheme: schemeOf, ...(alternative ? { alternative } : {}) };
}

async function alternativeOf({ alternativeKey, alternative, name }: IssueOptions): Promise<Holder["alternative"]> {
  const key = alternativeKey ?? (alternative ? await testKey(alternative, `${name} alternative`) : undefined);
  return key && { key, scheme: defaultScheme(key.algorithm) };
}

/** A CRL of a holder. */
export function crlOf(issuer: Holder, spec: Partial<CrlSpec> = {}): Promise<Crl> {
  return buildCrl(
    {
      issuer: issuer.certificate.subject,
      authorityKeyId: subjectKeyId(issuer.certificate)!,
      thisUpdate: daysFromNow(-1),
      nextUpdate: daysFromNow(7),
      number: "01",
      revoked: [],
      ...spec,
    },
    signerOf(issuer),
    altSignerOf(issuer),
  );
}

/** Default signer of a holder. */
export function signerOf(holder: Holder): Signer {
  return holder.key.signer(holder.scheme);
}

/** Signer of a holder's alternative key, if it has one. */
export function altSignerOf({ alternative }: Holder): Signer | undefined {
  return alternative?.key.signer(alternative.scheme);
}

/** Every scheme a row may sign with. */
export function schemesOf(row: KeyRow): SchemeRow[] {
  return row.schemes.map(findSchemeRow);
}
