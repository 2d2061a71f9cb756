import type { KeyRow, SchemeWish } from "../alg/find.ts";
import type { KeyAlgorithmName, KeyUsageBit } from "../alg/registry.ts";
import { InputError } from "../errors.ts";
import type { Extension, ExtensionValues, Name, NameEncoding } from "../x509/types.ts";

/** A place in a file; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing wrong in a profile or variable file. */
export interface Mistake extends Position {
  /** What is wrong, with a suggestion where there is one. */
  readonly message: string;
}

/** A profile or variable file that cannot be used: every mistake, in file order (exit 4, code `profile.invalid`). */
export class ProfileError extends InputError {
  readonly mistakes: readonly Mistake[];

  constructor(what: string, file: string, mistakes: readonly Mistake[]) {
    const sorted = [...mistakes].sort((a, b) => a.line - b.line || a.column - b.column);
    const first = sorted[0] ?? { line: 1, column: 1, message: "unknown mistake" };
    super(message(what, file, sorted), {
      code: "profile.invalid",
      object: file,
      file,
      line: first.line,
      column: first.column,
    });
    this.mistakes = sorted;
  }
}

const MAX_LISTED = 50;

function message(what: string, file: string, mistakes: readonly Mistake[]): string {
  const lines = mistakes.slice(0, MAX_LISTED).map((m) => `${file}:${m.line}:${m.column}: ${m.message}`);
  if (lines.length === 1) return `Cannot read ${what} ${lines[0]}`;
  if (mistakes.length > MAX_LISTED) lines.push(`and ${mistakes.length - MAX_LISTED} more`);
  return `Cannot read ${what} "${file}": ${mistakes.length} mistakes\n  ${lines.join("\n  ")}`;
}

/** Outcome of a check: the value in its normal form, or why it is refused (a clause that starts in lower case). */
export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** Every type a variable may have. */
export const VARIABLE_TYPES = [
  "string",
  "integer",
  "boolean",
  "list",
  "ip_list",
  "dns_name",
  "dns_names",
  "email",
  "uri",
  "oid",
  "duration",
] as const;

/** Type of a variable. */
export type VariableType = typeof VARIABLE_TYPES[number];

/** Value of a variable in its normal form; a duration stays text. */
export type Value = string | number | boolean | readonly string[];

/** Values by variable name; a variable without a value is not in it. */
export type Values = ReadonlyMap<string, Value>;

/** One declared variable. Absent constraints do not constrain. */
export interface Variable {
  readonly name: string;
  readonly type: VariableType;
  /** Must be given; a default counts as given. */
  readonly required: boolean;
  readonly default?: Value;
  readonly description?: string;
  /** Regular expression that the whole value (each item of a list) must match. */
  readonly pattern?: string;
  readonly enum?: readonly string[];
  /** Characters. */
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly min?: number;
  readonly max?: number;
  /** As written, for example `1d`. */
  readonly minDuration?: string;
  readonly maxDuration?: string;
  /** Whether a name without a dot is a DNS name here. */
  readonly allowSingleLabel?: boolean;
  readonly wildcard?: {
    readonly allowed: boolean;
    /** A star stands for exactly one label (RFC 6125 section 6.4.3); always enforced. */
    readonly singleLabel: boolean;
    /** Refuses a star directly below a public suffix, for example `*.co.uk`. */
    readonly forbidPublicSuffix: boolean;
  };
  readonly constraints?: {
    readonly allowedSuffixes?: readonly string[];
    readonly deniedPrefixes?: readonly string[];
    /** CIDR. */
    readonly allowedRanges?: readonly string[];
    readonly allowedSchemes?: readonly string[];
    readonly allowedHosts?: readonly string[];
    readonly minItems?: number;
    readonly maxItems?: number;
  };
}

/** Text with `{{ name }}` references, checked against the declared variables. */
export interface Template {
  readonly text: string;
  /** Names in order of appearance, each once. */
  readonly variables: readonly string[];
}

/** One attribute of the subject, in the order written. */
export interface SubjectAttribute {
  /** Key as written in the profile. */
  readonly key: string;
  /** Dotted OID. */
  readonly type: string;
  readonly values: readonly Template[];
  readonly encoding?: NameEncoding;
}

/** One subtree list of name constraints. */
export interface ProfileSubtrees {
  readonly dns: readonly Template[];
  /** CIDR. */
  readonly ip: readonly Template[];
  readonly email: readonly Template[];
  readonly uri: readonly Template[];
  /** Names in text form, for example `O=Acme, C=FR`. */
  readonly directory: readonly Template[];
}

/** Extensions as a profile states them: validated, templates not filled in. */
export interface ProfileExtensions {
  readonly basicConstraints?: { readonly critical: boolean; readonly ca: boolean; readonly pathLen?: number };
  readonly keyUsage?: { readonly critical: boolean; readonly values: readonly KeyUsageBit[] };
  /** Dotted OIDs. */
  readonly extKeyUsage?: { readonly critical: boolean; readonly values: readonly string[] };
  readonly subjectAltName?: {
    /** Absent when not stated: critical then exactly when the subject is empty. */
    readonly critical?: boolean;
    readonly dns: readonly Template[];
    readonly ip: readonly Template[];
    readonly email: readonly Template[];
    readonly uri: readonly Template[];
    readonly dnsIncludeCn: boolean;
  };
  readonly certificatePolicies?: {
    readonly critical: boolean;
    readonly policies: readonly { readonly oid: Template; readonly cps?: Template; readonly userNotice?: Template }[];
  };
  readonly crlDistributionPoints?: { readonly critical: boolean; readonly urls: readonly Template[] };
  readonly authorityInfoAccess?: { readonly ocsp: readonly Template[]; readonly caIssuers: readonly Template[] };
  readonly nameConstraints?: {
    readonly critical: boolean;
    readonly permitted: ProfileSubtrees;
    readonly excluded: ProfileSubtrees;
  };
  readonly ocspNoCheck?: { readonly critical: boolean };
  readonly qcStatements?: {
    readonly critical: boolean;
    readonly qcCompliance: boolean | Template;
    readonly qcSscd: boolean | Template;
    /** Dotted OIDs. */
    readonly qcTypes: readonly string[];
    readonly qcPds: readonly { readonly url: Template; readonly language: Template }[];
    readonly qcRetentionPeriod?: number | Template;
    readonly qcLegislation: readonly Template[];
  };
  readonly custom?: readonly Extension[];
}

/** How the algorithms of a profile make one certificate. */
export type ProfileMode = "simple" | "catalyst" | "composite";

/** What a profile file says. */
export interface ParsedProfile {
  readonly name: string;
  readonly description: string;
  readonly mode: ProfileMode;
  /** As written: one, or two with the classical one first. */
  readonly algorithms: readonly KeyAlgorithmName[];
  /** Scheme that the issuer must sign with; absent leaves it to the CA. */
  readonly signature?: SchemeWish;
  /** A duration, or a template for one. */
  readonly validity: Template;
  readonly variables: Readonly<Record<string, Variable>>;
  readonly subject: readonly SubjectAttribute[];
  readonly extensions: ProfileExtensions;
  /** Where each key and item stands, by path: `extensions.keyUsage.values[0]`. */
  readonly positions: ReadonlyMap<string, Position>;
  /** File as named in messages. */
  readonly file: string;
  /** The YAML text. */
  readonly text: string;
}

/** Where a profile comes from; for one loaded by path, the path as given. */
export type ProfileSource = "default" | "custom" | "custom (overrides default)" | (string & Record<never, never>);

/** A profile that was loaded. */
export interface Profile extends ParsedProfile {
  readonly source: ProfileSource;
  /** SHA-256 of the file, lower-case hex. */
  readonly sha256: string;
}

/** One line of a listing. */
export interface ProfileSummary {
  readonly name: string;
  readonly source: ProfileSource;
  /** Path of the file. */
  readonly file: string;
  /** Absent when the file cannot be used; `error` then says why. */
  readonly profile?: Profile;
  readonly error?: InputError;
}

/** A profile with all values filled in: what a certificate is built from. */
export interface CompiledProfile {
  readonly name: string;
  readonly mode: ProfileMode;
  /** Rows of the key algorithms: one; Catalyst: the classical one, then the post-quantum one; composite: that of the pair. */
  readonly rows: readonly KeyRow[];
  readonly signature?: SchemeWish;
  readonly subject: Name;
  readonly validitySeconds: number;
  readonly extensions: ExtensionValues;
  readonly isCa: boolean;
  readonly pathLen?: number;
  /** What it was made from; absent where no profile file was. */
  readonly inputs?: ProfileInputs;
}

/** What a compiled profile was made from: enough to make it again. */
export interface ProfileInputs {
  /** Values that were given, before defaults; nothing in them is secret, for they are meant for certificates. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Duration that was given in place of the profile's. */
  readonly validity?: string;
  readonly source?: ProfileSource;
  /** SHA-256 of the profile's file, lower-case hex. */
  readonly sha256?: string;
}

/** One remark of the linter. */
export interface ProfileFinding {
  readonly severity: "error" | "warning";
  /** Stable name, for example `eku.time_stamping_alone`. */
  readonly rule: string;
  /** Clause that is violated, for example `RFC 3161 section 2.3`. */
  readonly reference: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}
