/**
 * Object identifiers by name. The first name of a row is the one that is printed; further ones are read as well.
 * Sources: X.520 and RFC 4519 (attributes), RFC 5280 (extensions, purposes), RFC 5480/5758/8410/4055/8017 (algorithms),
 * RFC 9881, RFC 9909, RFC 9935 and draft-ietf-lamps-pq-composite-sigs-19 (post-quantum), RFC 8018 and RFC 7914 (key encryption), ETSI EN 319 412-5 (qualified certificates), RFC 2985 (request attributes).
 */

type OidRow = readonly [dotted: string, ...names: readonly [string, ...string[]]];

/** Attribute types of distinguished names: X.520 short name first where there is one. */
const ATTRIBUTES: readonly OidRow[] = [
  ["2.5.4.3", "CN", "commonName"],
  ["2.5.4.4", "SN", "surname"],
  ["2.5.4.5", "serialNumber"],
  ["2.5.4.6", "C", "country", "countryName"],
  ["2.5.4.7", "L", "locality", "localityName"],
  ["2.5.4.8", "ST", "state", "stateOrProvinceName", "S"],
  ["2.5.4.9", "street", "streetAddress"],
  ["2.5.4.10", "O", "organization", "organizationName"],
  ["2.5.4.11", "OU", "organizationalUnit", "organizationalUnitName"],
  ["2.5.4.12", "title"],
  ["2.5.4.13", "description"],
  ["2.5.4.15", "businessCategory"],
  ["2.5.4.17", "postalCode"],
  ["2.5.4.41", "name"],
  ["2.5.4.42", "GN", "givenName"],
  ["2.5.4.43", "initials"],
  ["2.5.4.44", "generationQualifier"],
  ["2.5.4.45", "x500UniqueIdentifier"],
  ["2.5.4.46", "dnQualifier"],
  ["2.5.4.65", "pseudonym"],
  ["2.5.4.97", "organizationIdentifier"],
  ["0.9.2342.19200300.100.1.1", "UID", "userId"],
  ["0.9.2342.19200300.100.1.25", "DC", "domainComponent"],
  ["1.2.840.113549.1.9.1", "emailAddress", "E", "email"],
  ["1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL", "jurisdictionLocality"],
  ["1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST", "jurisdictionState"],
  ["1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC", "jurisdictionCountry"],
];

/** Certificate and CRL extensions. */
const EXTENSIONS: readonly OidRow[] = [
  ["2.5.29.9", "subjectDirectoryAttributes"],
  ["2.5.29.14", "subjectKeyIdentifier"],
  ["2.5.29.15", "keyUsage"],
  ["2.5.29.16", "privateKeyUsagePeriod"],
  ["2.5.29.17", "subjectAltName"],
  ["2.5.29.18", "issuerAltName"],
  ["2.5.29.19", "basicConstraints"],
  ["2.5.29.20", "cRLNumber"],
  ["2.5.29.21", "cRLReason", "reasonCode"],
  ["2.5.29.23", "holdInstructionCode"],
  ["2.5.29.24", "invalidityDate"],
  ["2.5.29.27", "deltaCRLIndicator"],
  ["2.5.29.28", "issuingDistributionPoint"],
  ["2.5.29.29", "certificateIssuer"],
  ["2.5.29.30", "nameConstraints"],
  ["2.5.29.31", "crlDistributionPoints", "cRLDistributionPoints"],
  ["2.5.29.32", "certificatePolicies"],
  ["2.5.29.33", "policyMappings"],
  ["2.5.29.35", "authorityKeyIdentifier"],
  ["2.5.29.36", "policyConstraints"],
  ["2.5.29.37", "extKeyUsage"],
  ["2.5.29.46", "freshestCRL"],
  ["2.5.29.54", "inhibitAnyPolicy"],
  ["2.5.29.56", "noRevAvail"],
  ["2.5.29.72", "subjectAltPublicKeyInfo"],
  ["2.5.29.73", "altSignatureAlgorithm"],
  ["2.5.29.74", "altSignatureValue"],
  ["1.3.6.1.5.5.7.1.1", "authorityInfoAccess"],
  ["1.3.6.1.5.5.7.1.3", "qcStatements"],
  ["1.3.6.1.5.5.7.1.11", "subjectInfoAccess"],
  ["1.3.6.1.5.5.7.1.24", "tlsFeature"],
  ["1.3.6.1.5.5.7.48.1.5", "ocspNoCheck"],
  ["1.3.6.1.4.1.11129.2.4.2", "signedCertificateTimestampList"],
  ["1.3.6.1.4.1.11129.2.4.3", "ctPoison"],
  ["1.3.6.1.4.1.311.20.2", "microsoftCertificateTemplateName"],
  ["1.3.6.1.4.1.311.21.7", "microsoftCertificateTemplate"],
  ["2.16.840.1.113730.1.1", "netscapeCertType"],
  ["2.16.840.1.113730.1.13", "netscapeComment"],
];

/** Extended key usages. */
const PURPOSES: readonly OidRow[] = [
  ["2.5.29.37.0", "anyExtendedKeyUsage", "any"],
  ["1.3.6.1.5.5.7.3.1", "serverAuth"],
  ["1.3.6.1.5.5.7.3.2", "clientAuth"],
  ["1.3.6.1.5.5.7.3.3", "codeSigning"],
  ["1.3.6.1.5.5.7.3.4", "emailProtection"],
  ["1.3.6.1.5.5.7.3.5", "ipsecEndSystem"],
  ["1.3.6.1.5.5.7.3.6", "ipsecTunnel"],
  ["1.3.6.1.5.5.7.3.7", "ipsecUser"],
  ["1.3.6.1.5.5.7.3.8", "timeStamping"],
  ["1.3.6.1.5.5.7.3.9", "ocspSigning", "OCSPSigning"],
  ["1.3.6.1.5.5.7.3.17", "ipsecIKE"],
  ["1.3.6.1.5.5.7.3.21", "sshClient"],
  ["1.3.6.1.5.5.7.3.22", "sshServer"],
  ["1.3.6.1.5.5.7.3.36", "documentSigning"],
  ["1.3.6.1.5.2.3.5", "kdcAuthentication", "pkinitKDC"],
  ["1.3.6.1.4.1.311.10.3.4", "microsoftEncryptedFileSystem"],
  ["1.3.6.1.4.1.311.10.3.12", "microsoftDocumentSigning"],
  ["1.3.6.1.4.1.311.20.2.2", "smartcardLogon"],
];

/** Access methods, policies and policy qualifiers. */
const POLICIES: readonly OidRow[] = [
  ["2.5.29.32.0", "anyPolicy"],
  ["1.3.6.1.5.5.7.2.1", "id-qt-cps"],
  ["1.3.6.1.5.5.7.2.2", "id-qt-unotice"],
  ["1.3.6.1.5.5.7.48.1", "ocsp"],
  ["1.3.6.1.5.5.7.48.2", "caIssuers"],
  ["1.3.6.1.5.5.7.48.1.1", "ocspBasic"],
  ["2.23.140.1.1", "extendedValidation"],
  ["2.23.140.1.2.1", "domainValidated"],
  ["2.23.140.1.2.2", "organizationValidated"],
  ["2.23.140.1.2.3", "individualValidated"],
  ["0.4.0.194112.1.0", "qcp-natural"],
  ["0.4.0.194112.1.1", "qcp-legal"],
  ["0.4.0.194112.1.2", "qcp-natural-qscd"],
  ["0.4.0.194112.1.3", "qcp-legal-qscd"],
  ["0.4.0.194112.1.4", "qevcp-w", "qcp-web"],
  ["0.4.0.194112.1.5", "qncp-w"],
];

/** Statements of qualified certificates (RFC 3739, ETSI EN 319 412-5). */
const QC_STATEMENTS: readonly OidRow[] = [
  ["0.4.0.1862.1.1", "qcCompliance", "etsi-qcs-QcCompliance"],
  ["0.4.0.1862.1.2", "qcLimitValue", "etsi-qcs-QcLimitValue"],
  ["0.4.0.1862.1.3", "qcRetentionPeriod", "etsi-qcs-QcRetentionPeriod"],
  ["0.4.0.1862.1.4", "qcSSCD", "qcSscd", "etsi-qcs-QcSSCD"],
  ["0.4.0.1862.1.5", "qcPDS", "qcPds", "etsi-qcs-QcPDS"],
  ["0.4.0.1862.1.6", "qcType", "etsi-qcs-QcType"],
  ["0.4.0.1862.1.7", "qcLegislation", "qcCClegislation", "etsi-qcs-QcCClegislation"],
  ["0.4.0.1862.1.6.1", "esign", "qct-esign"],
  ["0.4.0.1862.1.6.2", "eseal", "qct-eseal"],
  ["0.4.0.1862.1.6.3", "web", "qct-web"],
  ["1.3.6.1.5.5.7.11.2", "qcs-pkixQCSyntax-v2"],
];

/** Attributes of requests and other objects. */
const REQUEST_ATTRIBUTES: readonly OidRow[] = [
  ["1.2.840.113549.1.9.2", "unstructuredName"],
  ["1.2.840.113549.1.9.3", "contentType"],
  ["1.2.840.113549.1.9.4", "messageDigest"],
  ["1.2.840.113549.1.9.5", "signingTime"],
  ["1.2.840.113549.1.9.7", "challengePassword"],
  ["1.2.840.113549.1.9.8", "unstructuredAddress"],
  ["1.2.840.113549.1.9.14", "extensionRequest"],
  ["1.2.840.113549.1.9.20", "friendlyName"],
  ["1.2.840.113549.1.9.21", "localKeyId"],
  ["1.3.6.1.4.1.22112.2.1", "privateKeyPossessionStatement", "statementOfPossession"],
  ["1.2.840.113549.1.7.1", "data"],
  ["1.2.840.113549.1.7.2", "signedData"],
  ["1.2.840.113549.1.7.3", "envelopedData"],
  ["1.2.840.113549.1.7.6", "encryptedData"],
  ["1.2.840.113549.1.9.22.1", "x509Certificate"],
  ["1.2.840.113549.1.12.10.1.2", "pkcs8ShroudedKeyBag"],
  ["1.2.840.113549.1.12.10.1.3", "certBag"],
];

/** Public-key algorithms, signature algorithms, hashes and key encryption. */
const ALGORITHMS: readonly OidRow[] = [
  ["1.2.840.113549.1.1.1", "rsaEncryption"],
  ["1.2.840.113549.1.1.4", "md5WithRSAEncryption"],
  ["1.2.840.113549.1.1.5", "sha1WithRSAEncryption"],
  ["1.2.840.113549.1.1.7", "rsaesOaep"],
  ["1.2.840.113549.1.1.8", "mgf1"],
  ["1.2.840.113549.1.1.10", "rsassaPss"],
  ["1.2.840.113549.1.1.11", "sha256WithRSAEncryption"],
  ["1.2.840.113549.1.1.12", "sha384WithRSAEncryption"],
  ["1.2.840.113549.1.1.13", "sha512WithRSAEncryption"],
  ["1.2.840.113549.1.1.14", "sha224WithRSAEncryption"],
  ["1.2.840.10040.4.1", "dsa"],
  ["1.2.840.10040.4.3", "dsa-with-sha1"],
  ["2.16.840.1.101.3.4.3.2", "dsa-with-sha256"],
  ["1.2.840.10046.2.1", "dhPublicNumber"],
  ["1.2.840.10045.2.1", "ecPublicKey"],
  ["1.2.840.10045.3.1.1", "P-192", "prime192v1", "secp192r1"],
  ["1.2.840.10045.3.1.7", "P-256", "prime256v1", "secp256r1"],
  ["1.3.132.0.10", "secp256k1"],
  ["1.3.132.0.33", "P-224", "secp224r1"],
  ["1.3.132.0.34", "P-384", "secp384r1"],
  ["1.3.132.0.35", "P-521", "secp521r1"],
  ["1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"],
  ["1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"],
  ["1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"],
  ["1.2.840.10045.4.1", "ecdsa-with-SHA1"],
  ["1.2.840.10045.4.3.1", "ecdsa-with-SHA224"],
  ["1.2.840.10045.4.3.2", "ecdsa-with-SHA256"],
  ["1.2.840.10045.4.3.3", "ecdsa-with-SHA384"],
  ["1.2.840.10045.4.3.4", "ecdsa-with-SHA512"],
  ["1.3.101.110", "X25519"],
  ["1.3.101.111", "X448"],
  ["1.3.101.112", "Ed25519"],
  ["1.3.101.113", "Ed448"],
  ["2.16.840.1.101.3.4.3.17", "id-ml-dsa-44"],
  ["2.16.840.1.101.3.4.3.18", "id-ml-dsa-65"],
  ["2.16.840.1.101.3.4.3.19", "id-ml-dsa-87"],
  ["2.16.840.1.101.3.4.3.20", "id-slh-dsa-sha2-128s"],
  ["2.16.840.1.101.3.4.3.21", "id-slh-dsa-sha2-128f"],
  ["2.16.840.1.101.3.4.3.22", "id-slh-dsa-sha2-192s"],
  ["2.16.840.1.101.3.4.3.23", "id-slh-dsa-sha2-192f"],
  ["2.16.840.1.101.3.4.3.24", "id-slh-dsa-sha2-256s"],
  ["2.16.840.1.101.3.4.3.25", "id-slh-dsa-sha2-256f"],
  ["2.16.840.1.101.3.4.3.26", "id-slh-dsa-shake-128s"],
  ["2.16.840.1.101.3.4.3.27", "id-slh-dsa-shake-128f"],
  ["2.16.840.1.101.3.4.3.28", "id-slh-dsa-shake-192s"],
  ["2.16.840.1.101.3.4.3.29", "id-slh-dsa-shake-192f"],
  ["2.16.840.1.101.3.4.3.30", "id-slh-dsa-shake-256s"],
  ["2.16.840.1.101.3.4.3.31", "id-slh-dsa-shake-256f"],
  ["2.16.840.1.101.3.4.3.32", "id-hash-ml-dsa-44-with-sha512"],
  ["2.16.840.1.101.3.4.3.33", "id-hash-ml-dsa-65-with-sha512"],
  ["2.16.840.1.101.3.4.3.34", "id-hash-ml-dsa-87-with-sha512"],
  ["2.16.840.1.101.3.4.4.1", "id-alg-ml-kem-512"],
  ["2.16.840.1.101.3.4.4.2", "id-alg-ml-kem-768"],
  ["2.16.840.1.101.3.4.4.3", "id-alg-ml-kem-1024"],
  ["1.3.6.1.5.5.7.6.37", "id-MLDSA44-RSA2048-PSS-SHA256"],
  ["1.3.6.1.5.5.7.6.38", "id-MLDSA44-RSA2048-PKCS15-SHA256"],
  ["1.3.6.1.5.5.7.6.39", "id-MLDSA44-Ed25519-SHA512"],
  ["1.3.6.1.5.5.7.6.40", "id-MLDSA44-ECDSA-P256-SHA256"],
  ["1.3.6.1.5.5.7.6.41", "id-MLDSA65-RSA3072-PSS-SHA512"],
  ["1.3.6.1.5.5.7.6.42", "id-MLDSA65-RSA3072-PKCS15-SHA512"],
  ["1.3.6.1.5.5.7.6.43", "id-MLDSA65-RSA4096-PSS-SHA512"],
  ["1.3.6.1.5.5.7.6.44", "id-MLDSA65-RSA4096-PKCS15-SHA512"],
  ["1.3.6.1.5.5.7.6.45", "id-MLDSA65-ECDSA-P256-SHA512"],
  ["1.3.6.1.5.5.7.6.46", "id-MLDSA65-ECDSA-P384-SHA512"],
  ["1.3.6.1.5.5.7.6.47", "id-MLDSA65-ECDSA-brainpoolP256r1-SHA512"],
  ["1.3.6.1.5.5.7.6.48", "id-MLDSA65-Ed25519-SHA512"],
  ["1.3.6.1.5.5.7.6.49", "id-MLDSA87-ECDSA-P384-SHA512"],
  ["1.3.6.1.5.5.7.6.50", "id-MLDSA87-ECDSA-brainpoolP384r1-SHA512"],
  ["1.3.6.1.5.5.7.6.51", "id-MLDSA87-Ed448-SHAKE256"],
  ["1.3.6.1.5.5.7.6.52", "id-MLDSA87-RSA3072-PSS-SHA512"],
  ["1.3.6.1.5.5.7.6.53", "id-MLDSA87-RSA4096-PSS-SHA512"],
  ["1.3.6.1.5.5.7.6.54", "id-MLDSA87-ECDSA-P521-SHA512"],
  ["1.2.840.113549.2.5", "md5"],
  ["1.3.14.3.2.26", "sha1"],
  ["2.16.840.1.101.3.4.2.4", "sha224"],
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
  ["2.16.840.1.101.3.4.2.11", "shake128"],
  ["2.16.840.1.101.3.4.2.12", "shake256"],
  ["1.2.840.113549.2.7", "hmacWithSHA1"],
  ["1.2.840.113549.2.8", "hmacWithSHA224"],
  ["1.2.840.113549.2.9", "hmacWithSHA256"],
  ["1.2.840.113549.2.10", "hmacWithSHA384"],
  ["1.2.840.113549.2.11", "hmacWithSHA512"],
  ["1.2.840.113549.1.5.3", "pbeWithMD5AndDES-CBC"],
  ["1.2.840.113549.1.5.10", "pbeWithSHA1AndDES-CBC"],
  ["1.2.840.113549.1.5.12", "PBKDF2"],
  ["1.2.840.113549.1.5.13", "PBES2"],
  ["1.2.840.113549.1.12.1.3", "pbeWithSHA1And3-KeyTripleDES-CBC"],
  ["1.2.840.113549.1.12.1.6", "pbeWithSHA1And40BitRC2-CBC"],
  ["1.3.6.1.4.1.11591.4.11", "scrypt"],
  ["1.2.840.113549.3.7", "des-ede3-cbc"],
  ["1.3.14.3.2.7", "des-cbc"],
  ["2.16.840.1.101.3.4.1.2", "aes128-cbc"],
  ["2.16.840.1.101.3.4.1.22", "aes192-cbc"],
  ["2.16.840.1.101.3.4.1.42", "aes256-cbc"],
  ["2.16.840.1.101.3.4.1.6", "aes128-gcm"],
  ["2.16.840.1.101.3.4.1.26", "aes192-gcm"],
  ["2.16.840.1.101.3.4.1.46", "aes256-gcm"],
];

const GROUPS = {
  attribute: ATTRIBUTES,
  extension: EXTENSIONS,
  purpose: PURPOSES,
  policy: POLICIES,
  qcStatement: QC_STATEMENTS,
  requestAttribute: REQUEST_ATTRIBUTES,
  algorithm: ALGORITHMS,
} as const;

/** What an object identifier names. */
export type OidGroup = keyof typeof GROUPS;

const ALL: readonly OidRow[] = Object.values(GROUPS).flat();
const namesByDotted = indexByDotted();
const dottedByName = indexByName(ALL);
const dottedByNameInGroup = Object.fromEntries(
  Object.entries(GROUPS).map(([group, rows]) => [group, indexByName(rows)]),
) as Record<OidGroup, Map<string, string>>;

function indexByDotted(): Map<string, string> {
  const map = new Map<string, string>();
  for (const [dotted, name] of ALL) {
    if (map.has(dotted)) throw new Error(`The OID table has ${dotted} twice`);
    map.set(dotted, name);
  }
  return map;
}

function indexByName(rows: readonly OidRow[]): Map<string, string> {
  const map = new Map<string, string>();
  for (const [dotted, ...names] of rows) {
    for (const name of names) {
      const known = map.get(name.toLowerCase());
      if (known !== undefined && known !== dotted) throw new Error(`The OID table has "${name}" twice`);
      map.set(name.toLowerCase(), dotted);
    }
  }
  return map;
}

/** The name of a dotted OID that is in the table: `2.5.4.3` is `CN`. */
export function oidName(dotted: string): string | undefined {
  return namesByDotted.get(dotted);
}

/** The dotted OID of a name, in any case; with `group` only names of that group are looked at. */
export function oidByName(name: string, group?: OidGroup): string | undefined {
  const map = group === undefined ? dottedByName : dottedByNameInGroup[group];
  return map.get(name.toLowerCase());
}

/** Whether `text` is a dotted OID: first arc 0 to 2, second below 40 under 0 and 1, no leading zeros. */
export function isDottedOid(text: string): boolean {
  return /^([01]\.[1-3]?[0-9]|2\.(0|[1-9][0-9]{0,38}))(\.(0|[1-9][0-9]{0,38}))*$/.test(text) && text.length <= 256;
}

/** Every name of a group, for suggestions: the printed ones first. */
export function oidNames(group: OidGroup): string[] {
  const rows: readonly OidRow[] = GROUPS[group];
  return [...rows.map(([, name]) => name), ...rows.flatMap(([, , ...more]) => more)];
}

// Attribute types.
/** commonName (X.520). */
export const OID_AT_COMMON_NAME = "2.5.4.3";
/** countryName (X.520). */
export const OID_AT_COUNTRY = "2.5.4.6";
/** serialNumber (X.520). */
export const OID_AT_SERIAL_NUMBER = "2.5.4.5";
/** dnQualifier (X.520). */
export const OID_AT_DN_QUALIFIER = "2.5.4.46";
/** organizationName (X.520). */
export const OID_AT_ORGANIZATION = "2.5.4.10";
/** organizationalUnitName (X.520). */
export const OID_AT_ORGANIZATIONAL_UNIT = "2.5.4.11";
/** domainComponent (RFC 4519). */
export const OID_AT_DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25";
/** emailAddress (RFC 2985). */
export const OID_AT_EMAIL_ADDRESS = "1.2.840.113549.1.9.1";

// Extensions.
/** subjectKeyIdentifier (RFC 5280 section 4.2.1.2). */
export const OID_CE_SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
/** keyUsage (RFC 5280 section 4.2.1.3). */
export const OID_CE_KEY_USAGE = "2.5.29.15";
/** subjectAltName (RFC 5280 section 4.2.1.6). */
export const OID_CE_SUBJECT_ALT_NAME = "2.5.29.17";
/** issuerAltName (RFC 5280 section 4.2.1.7). */
export const OID_CE_ISSUER_ALT_NAME = "2.5.29.18";
/** basicConstraints (RFC 5280 section 4.2.1.9). */
export const OID_CE_BASIC_CONSTRAINTS = "2.5.29.19";
/** cRLNumber (RFC 5280 section 5.2.3). */
export const OID_CE_CRL_NUMBER = "2.5.29.20";
/** cRLReason (RFC 5280 section 5.3.1). */
export const OID_CE_CRL_REASON = "2.5.29.21";
/** invalidityDate (RFC 5280 section 5.3.2). */
export const OID_CE_INVALIDITY_DATE = "2.5.29.24";
/** deltaCRLIndicator (RFC 5280 section 5.2.4). */
export const OID_CE_DELTA_CRL_INDICATOR = "2.5.29.27";
/** issuingDistributionPoint (RFC 5280 section 5.2.5). */
export const OID_CE_ISSUING_DISTRIBUTION_POINT = "2.5.29.28";
/** certificateIssuer (RFC 5280 section 5.3.3). */
export const OID_CE_CERTIFICATE_ISSUER = "2.5.29.29";
/** nameConstraints (RFC 5280 section 4.2.1.10). */
export const OID_CE_NAME_CONSTRAINTS = "2.5.29.30";
/** crlDistributionPoints (RFC 5280 section 4.2.1.13). */
export const OID_CE_CRL_DISTRIBUTION_POINTS = "2.5.29.31";
/** certificatePolicies (RFC 5280 section 4.2.1.4). */
export const OID_CE_CERTIFICATE_POLICIES = "2.5.29.32";
/** policyMappings (RFC 5280 section 4.2.1.5). */
export const OID_CE_POLICY_MAPPINGS = "2.5.29.33";
/** authorityKeyIdentifier (RFC 5280 section 4.2.1.1). */
export const OID_CE_AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
/** policyConstraints (RFC 5280 section 4.2.1.11). */
export const OID_CE_POLICY_CONSTRAINTS = "2.5.29.36";
/** extKeyUsage (RFC 5280 section 4.2.1.12). */
export const OID_CE_EXT_KEY_USAGE = "2.5.29.37";
/** freshestCRL (RFC 5280 section 4.2.1.15). */
export const OID_CE_FRESHEST_CRL = "2.5.29.46";
/** inhibitAnyPolicy (RFC 5280 section 4.2.1.14). */
export const OID_CE_INHIBIT_ANY_POLICY = "2.5.29.54";
/** authorityInfoAccess (RFC 5280 section 4.2.2.1). */
export const OID_PE_AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
/** qcStatements (RFC 3739 section 3.2.6). */
export const OID_PE_QC_STATEMENTS = "1.3.6.1.5.5.7.1.3";
/** id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1). */
export const OID_PKIX_OCSP_NOCHECK = "1.3.6.1.5.5.7.48.1.5";

// Policies, qualifiers, access methods.
/** anyPolicy (RFC 5280 section 4.2.1.4). */
export const OID_ANY_POLICY = "2.5.29.32.0";
/** id-qt-cps (RFC 5280 section 4.2.1.4). */
export const OID_QT_CPS = "1.3.6.1.5.5.7.2.1";
/** id-qt-unotice (RFC 5280 section 4.2.1.4). */
export const OID_QT_UNOTICE = "1.3.6.1.5.5.7.2.2";
/** ocsp (RFC 5280 section 4.2.2.1). */
export const OID_AD_OCSP = "1.3.6.1.5.5.7.48.1";
/** caIssuers (RFC 5280 section 4.2.2.1). */
export const OID_AD_CA_ISSUERS = "1.3.6.1.5.5.7.48.2";

// Extended key usages.
/** anyExtendedKeyUsage (RFC 5280 section 4.2.1.12). */
export const OID_KP_ANY = "2.5.29.37.0";
/** serverAuth (RFC 5280 section 4.2.1.12). */
export const OID_KP_SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
/** clientAuth (RFC 5280 section 4.2.1.12). */
export const OID_KP_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
/** codeSigning (RFC 5280 section 4.2.1.12). */
export const OID_KP_CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
/** emailProtection (RFC 5280 section 4.2.1.12). */
export const OID_KP_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
/** timeStamping (RFC 5280 section 4.2.1.12). */
export const OID_KP_TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
/** ocspSigning (RFC 5280 section 4.2.1.12). */
export const OID_KP_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";

// Qualified certificate statements.
/** qcCompliance (ETSI EN 319 412-5). */
export const OID_QCS_COMPLIANCE = "0.4.0.1862.1.1";
/** qcLimitValue (ETSI EN 319 412-5). */
export const OID_QCS_LIMIT_VALUE = "0.4.0.1862.1.2";
/** qcRetentionPeriod (ETSI EN 319 412-5). */
export const OID_QCS_RETENTION_PERIOD = "0.4.0.1862.1.3";
/** qcSSCD (ETSI EN 319 412-5). */
export const OID_QCS_SSCD = "0.4.0.1862.1.4";
/** qcPDS (ETSI EN 319 412-5). */
export const OID_QCS_PDS = "0.4.0.1862.1.5";
/** qcType (ETSI EN 319 412-5). */
export const OID_QCS_TYPE = "0.4.0.1862.1.6";
/** qcLegislation (ETSI EN 319 412-5). */
export const OID_QCS_LEGISLATION = "0.4.0.1862.1.7";

// Attributes of requests.
/** extensionRequest (RFC 2985). */
export const OID_EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
/** privateKeyPossessionStatement, a request attribute (RFC 9883 section 3). */
export const OID_POSSESSION_STATEMENT = "1.3.6.1.4.1.22112.2.1";
/** challengePassword (RFC 2985). */
export const OID_CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7";
/** signedData (RFC 5652). */
export const OID_SIGNED_DATA = "1.2.840.113549.1.7.2";

// Algorithms.
/** rsaEncryption (RFC 8017). */
export const OID_RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
/** mgf1 (RFC 8017). */
export const OID_MGF1 = "1.2.840.113549.1.1.8";
/** rsassaPss (RFC 8017). */
export const OID_RSASSA_PSS = "1.2.840.113549.1.1.10";
/** ecPublicKey (RFC 5480). */
export const OID_EC_PUBLIC_KEY = "1.2.840.10045.2.1";
/** sha1. */
export const OID_SHA1 = "1.3.14.3.2.26";
/** sha256. */
export const OID_SHA256 = "2.16.840.1.101.3.4.2.1";
/** sha384. */
export const OID_SHA384 = "2.16.840.1.101.3.4.2.2";
/** sha512. */
export const OID_SHA512 = "2.16.840.1.101.3.4.2.3";
/** data (RFC 5652). */
export const OID_DATA = "1.2.840.113549.1.7.1";
/** encryptedData (RFC 5652). */
export const OID_ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
/** friendlyName (RFC 2985). */
export const OID_FRIENDLY_NAME = "1.2.840.113549.1.9.20";
/** localKeyId (RFC 2985). */
export const OID_LOCAL_KEY_ID = "1.2.840.113549.1.9.21";
/** x509Certificate, a type of certificate (RFC 7292). */
export const OID_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";
/** pkcs8ShroudedKeyBag (RFC 7292). */
export const OID_SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2";
/** certBag (RFC 7292). */
export const OID_CERT_BAG = "1.2.840.113549.1.12.10.1.3";
/** PBES2 (RFC 8018). */
export const OID_PBES2 = "1.2.840.113549.1.5.13";
/** PBKDF2 (RFC 8018). */
export const OID_PBKDF2 = "1.2.840.113549.1.5.12";
/** scrypt (RFC 7914). */
export const OID_SCRYPT = "1.3.6.1.4.1.11591.4.11";
/** hmacWithSHA1 (RFC 8018). */
export const OID_HMAC_SHA1 = "1.2.840.113549.2.7";
/** hmacWithSHA256 (RFC 8018). */
export const OID_HMAC_SHA256 = "1.2.840.113549.2.9";
/** hmacWithSHA384 (RFC 8018). */
export const OID_HMAC_SHA384 = "1.2.840.113549.2.10";
/** hmacWithSHA512 (RFC 8018). */
export const OID_HMAC_SHA512 = "1.2.840.113549.2.11";
/** aes128-cbc (NIST AES registry). */
export const OID_AES128_CBC = "2.16.840.1.101.3.4.1.2";
/** aes192-cbc (NIST AES registry). */
export const OID_AES192_CBC = "2.16.840.1.101.3.4.1.22";
/** aes256-cbc (NIST AES registry). */
export const OID_AES256_CBC = "2.16.840.1.101.3.4.1.42";
