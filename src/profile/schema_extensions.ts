import type { KeyUsageBit } from "../alg/registry.ts";
import { isDottedOid, oidByName, oidNames } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import { suggest } from "../errors.ts";
import { type SanKind, sanName, type SubtreeKind, subtreeName } from "./general_names.ts";
import type { Fields, Reader } from "./reader.ts";
import { readCustom } from "./schema_custom.ts";
import { readQcStatements } from "./schema_qc.ts";
import type { Located } from "./tree.ts";
import { checkNotice, checkOid, checkUriText } from "./text_checks.ts";
import type { ProfileExtensions, ProfileSubtrees } from "./types.ts";

const KEYS = [
  ...["basicConstraints", "keyUsage", "extKeyUsage", "subjectAltName", "certificatePolicies", "crlDistributionPoints"],
  ...["authorityInfoAccess", "nameConstraints", "ocspNoCheck", "qcStatements", "custom"],
];

/** Bits in the order of RFC 5280 section 4.2.1.3, with the other spellings that are read. */
const KEY_USAGES: Readonly<Record<KeyUsageBit, readonly string[]>> = {
  digitalSignature: [],
  nonRepudiation: ["contentCommitment"],
  keyEncipherment: [],
  dataEncipherment: [],
  keyAgreement: [],
  keyCertSign: ["certSign"],
  cRLSign: [],
  encipherOnly: [],
  decipherOnly: [],
};

/** The `extensions` section. */
export function readExtensions(reader: Reader, node: Located | undefined): ProfileExtensions {
  const all = node && reader.fields(node, "extensions", { keys: KEYS });
  if (!all) return {};
  const read = {
    basicConstraints: readBasicConstraints(all),
    keyUsage: readKeyUsage(reader, all),
    extKeyUsage: readExtKeyUsage(reader, all),
    subjectAltName: readSubjectAltName(all),
    certificatePolicies: readPolicies(reader, all),
    crlDistributionPoints: readDistributionPoints(all),
    authorityInfoAccess: readInfoAccess(all),
    nameConstraints: readNameConstraints(all),
    ocspNoCheck: readNoCheck(all),
    qcStatements: readQcStatements(reader, all),
    custom: readCustom(reader, all),
  };
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined));
}

function readBasicConstraints(all: Fields): ProfileExtensions["basicConstraints"] {
  const fields = all.fields("basicConstraints", {
    keys: ["critical", "ca", "pathLen"],
    older: { path_len: "pathLen", pathLenConstraint: "pathLen" },
  });
  if (!fields) return undefined;
  const ca = fields.boolean("ca") ?? false;
  const pathLen = fields.integer("pathLen", { min: 0, max: 255 });
  if (pathLen !== undefined && !ca) {
    fields.complain("pathLen", "pathLen stands only with ca: true (RFC 5280 section 4.2.1.9)");
  }
  return { critical: fields.boolean("critical") ?? true, ca, ...(pathLen === undefined ? {} : { pathLen }) };
}

function readKeyUsage(reader: Reader, all: Fields): ProfileExtensions["keyUsage"] {
  const fields = all.fields("keyUsage", { keys: ["critical", "values"] });
  if (!fields) return undefined;
  const names = Object.entries(KEY_USAGES) as [KeyUsageBit, readonly string[]][];
  const find = (text: string) =>
    names.find(([bit, others]) => [bit, ...others].some((name) => flatten(name) === flatten(text)))?.[0];
  const found = namedValues(reader, fields, { find, names: names.map(([bit]) => bit) });
  const values = names.map(([bit]) => bit).filter((bit) => found.includes(bit));
  return { critical: fields.boolean("critical") ?? true, values };
}

function readExtKeyUsage(reader: Reader, all: Fields): ProfileExtensions["extKeyUsage"] {
  const fields = all.fields("extKeyUsage", { keys: ["critical", "values"] });
  if (!fields) return undefined;
  const find = (text: string) => isDottedOid(text) ? text : oidByName(text.replace(/[_-]/g, ""), "purpose");
  const values = namedValues(reader, fields, { find, names: oidNames("purpose") });
  return { critical: fields.boolean("critical") ?? false, values };
}

/** How `values` are found by name. */
interface NamedValues<T> {
  readonly find: (text: string) => T | undefined;
  readonly names: readonly string[];
}

/** Values that must be known by name, each once; none at all is a mistake. */
function namedValues<T extends string>(reader: Reader, fields: Fields, known: NamedValues<T>): T[] {
  const out: T[] = [];
  const items = fields.items("values");
  if (items.length === 0) fields.complain("values", `${fields.path("values")} is empty`);
  for (const item of items) {
    const text = reader.text(item.node, item.path);
    const value = text === undefined ? undefined : known.find(text);
    if (text === undefined) continue;
    if (value === undefined) {
      const near = suggest(text, known.names);
      const hint = near ? `did you mean "${near}"?` : `known: ${known.names.join(", ")}`;
      reader.complain(item.node.at, `${item.path}: unknown value "${shorten(text)}" (${hint})`);
    } else if (out.includes(value)) {
      reader.complain(item.node.at, `${item.path}: "${shorten(text)}" comes twice`);
    } else {
      out.push(value);
    }
  }
  return out;
}

function readSubjectAltName(all: Fields): ProfileExtensions["subjectAltName"] {
  const kinds: readonly SanKind[] = ["dns", "ip", "email", "uri"];
  const fields = all.fields("subjectAltName", {
    keys: ["critical", ...kinds, "dns_include_cn"],
    older: { dnsIncludeCn: "dns_include_cn" },
  });
  if (!fields) return undefined;
  const critical = fields.boolean("critical");
  const dnsIncludeCn = fields.boolean("dns_include_cn") ?? false;
  if (!kinds.some((kind) => fields.has(kind)) && !dnsIncludeCn) {
    all.complain("subjectAltName", "subjectAltName has no names: state dns, ip, email or uri");
  }
  const read = (kind: SanKind) => fields.checkedTemplates(kind, (text) => sanName(kind, text));
  return {
    ...(critical === undefined ? {} : { critical }),
    dns: read("dns"),
    ip: read("ip"),
    email: read("email"),
    uri: read("uri"),
    dnsIncludeCn,
  };
}

function readPolicies(reader: Reader, all: Fields): ProfileExtensions["certificatePolicies"] {
  const fields = all.fields("certificatePolicies", { keys: ["critical", "policies"] });
  if (!fields) return undefined;
  const policies: NonNullable<ProfileExtensions["certificatePolicies"]>["policies"][number][] = [];
  const items = fields.items("policies");
  if (items.length === 0) fields.complain("policies", `${fields.path("policies")} is empty`);
  for (const item of items) {
    const policy = reader.fields(item.node, item.path, {
      keys: ["oid", "cps", "userNotice"],
      older: { user_notice: "userNotice" },
    });
    if (!policy) continue;
    policy.require("oid");
    const oid = policy.checkedTemplate("oid", checkOid);
    const cps = policy.checkedTemplate("cps", checkUriText);
    const userNotice = policy.checkedTemplate("userNotice", checkNotice);
    if (oid && policies.some((other) => other.oid.text === oid.text)) {
      policy.complainValue("oid", `policy "${oid.text}" comes twice (RFC 5280 section 4.2.1.4)`);
    } else if (oid) {
      policies.push({ oid, ...(cps ? { cps } : {}), ...(userNotice ? { userNotice } : {}) });
    }
  }
  return { critical: fields.boolean("critical") ?? false, policies };
}

function readDistributionPoints(all: Fields): ProfileExtensions["crlDistributionPoints"] {
  const fields = all.fields("crlDistributionPoints", { keys: ["critical", "urls"] });
  if (!fields) return undefined;
  if (fields.items("urls").length === 0) fields.complain("urls", `${fields.path("urls")} is empty`);
  return {
    critical: fields.boolean("critical") ?? false,
    urls: fields.checkedTemplates("urls", checkUriText),
  };
}

function readInfoAccess(all: Fields): ProfileExtensions["authorityInfoAccess"] {
  const fields = all.fields("authorityInfoAccess", {
    keys: ["critical", "ocsp", "caIssuers"],
    older: { ca_issuers: "caIssuers" },
  });
  if (!fields) return undefined;
  if (fields.boolean("critical")) {
    fields.complainValue("critical", "authorityInfoAccess is never critical (RFC 5280 section 4.2.2.1)");
  }
  if (!fields.has("ocsp") && !fields.has("caIssuers")) {
    all.complain("authorityInfoAccess", "authorityInfoAccess has no addresses: state ocsp or caIssuers");
  }
  return {
    ocsp: fields.checkedTemplates("ocsp", checkUriText),
    caIssuers: fields.checkedTemplates("caIssuers", checkUriText),
  };
}

function readNameConstraints(all: Fields): ProfileExtensions["nameConstraints"] {
  const fields = all.fields("nameConstraints", { keys: ["critical", "permitted", "excluded"] });
  if (!fields) return undefined;
  if (!fields.has("permitted") && !fields.has("excluded")) {
    all.complain(
      "nameConstraints",
      "nameConstraints is empty: state permitted or excluded (RFC 5280 section 4.2.1.10)",
    );
  }
  return {
    critical: fields.boolean("critical") ?? true,
    permitted: readSubtrees(fields, "permitted"),
    excluded: readSubtrees(fields, "excluded"),
  };
}

function readSubtrees(parent: Fields, key: string): ProfileSubtrees {
  const kinds: readonly SubtreeKind[] = ["dns", "ip", "email", "uri", "directory"];
  const fields = parent.fields(key, { keys: kinds });
  const read = (kind: SubtreeKind) => fields ? fields.checkedTemplates(kind, (text) => subtreeName(kind, text)) : [];
  return {
    dns: read("dns"),
    ip: read("ip"),
    email: read("email"),
    uri: read("uri"),
    directory: read("directory"),
  };
}

function readNoCheck(all: Fields): ProfileExtensions["ocspNoCheck"] {
  const fields = all.fields("ocspNoCheck", { keys: ["critical"] });
  return fields && { critical: fields.boolean("critical") ?? false };
}

function flatten(text: string): string {
  return text.replace(/[_-]/g, "").toLowerCase();
}
