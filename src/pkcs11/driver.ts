import type { KeyRow, SchemeRow } from "../alg/find.ts";
import type { Family, KeyAlgorithmName, SchemeName } from "../alg/registry.ts";
import { InputError } from "../errors.ts";
import type { AttributeValue } from "./attributes.ts";
import type { HintTable } from "./errors.ts";
import type { FunctionName } from "./ffi.ts";
import type { PARAMETER_STRUCTS, StructFields } from "./layout.ts";

/**
 * The contract of a driver: one vendor, one file, data first. What a driver leaves out comes from drivers/standard.ts,
 * which describes PKCS#11 3.2 as written. A plug-in is a module whose default export is a {@link Driver}.
 */

/** What a module says of itself, for {@link Driver.match}. */
export interface ModuleFacts {
  /** Path of the library as configured. */
  readonly path: string;
  readonly manufacturer: string;
  readonly description: string;
  /** Versions as `major.minor`. */
  readonly libraryVersion: string;
  readonly cryptokiVersion: string;
}

/**
 * Value in a key template: a constant's name, a boolean or number, bytes, or a fact of the key to be made:
 * `$label`, `$id`, `$keyType`, `$ecParams`, `$modulusBits`, `$publicExponent`, `$parameterSet`. Attributes of a vendor's own
 * are named by number, `0x80000001`.
 */
export type TemplateValue = AttributeValue;

/** Attributes to add or change; null leaves one out. */
export type TemplatePatch = Readonly<Record<string, TemplateValue | null>>;

/** Templates of the two halves of a key pair. */
export interface TemplatePair {
  readonly public?: TemplatePatch;
  readonly private?: TemplatePatch;
}

/** A mechanism, key type or parameter set: a constant's name, or the number of a vendor's own. */
export type ConstantRef = string | number;

/** How a token does one row, where it differs from the row and the standard. */
export interface KeyDialect {
  readonly keyType?: ConstantRef;
  /** Other key types under which the token shows these keys. */
  readonly shownAs?: readonly ConstantRef[];
  readonly generate?: ConstantRef;
  /** Parameter of the generation mechanism. */
  readonly parameter?: MechanismParameter;
  /** Mechanism of every scheme of the row. */
  readonly sign?: ConstantRef;
  readonly kem?: KemDialect;
  /** CKA_EC_PARAMS in hex, where the token wants another form than the OID. */
  readonly ecParams?: string;
  readonly parameterSet?: ConstantRef;
  /** Patches to the templates of the row's family. */
  readonly templates?: TemplatePair;
}

/** The bytes of a vendor's own record, or a structure of the standard by name or of the vendor by its fields. */
export type MechanismParameter = Uint8Array | StructParameter;

/** A C structure and its values. */
export interface StructParameter {
  readonly struct: keyof typeof PARAMETER_STRUCTS | StructFields;
  /** Numbers or constants' names; bytes (or null) for pointers. */
  readonly values: Readonly<Record<string, number | string | Uint8Array | null>>;
}

/** What a mechanism is given and what it returns. */
export interface SignMechanism {
  /**
   * `message`: all of it; `digest`: its hash; `digest-info`: the hash in a DigestInfo (RFC 8017 section 9.2);
   * `external-mu`: the 64 bytes that ML-DSA makes of key, context and message (FIPS 204 algorithm 7, line 6).
   */
  readonly input: "message" | "digest" | "digest-info" | "external-mu";
  /** `r-s`: both numbers side by side, for ECDSA; `raw`: the bytes that X.509 carries. */
  readonly output: "raw" | "r-s";
  /** Its parameter; absent or undefined means none. */
  parameter?(
    scheme: SchemeRow,
    row: KeyRow,
    options: { readonly context?: Uint8Array },
  ): MechanismParameter | undefined;
  /** Whether its parameter or its input carries a context. */
  readonly context?: boolean;
  /** The mechanism that signs with a context in its stead. */
  readonly withContext?: ConstantRef;
}

/** How a token takes part in key encapsulation. */
export interface KemDialect {
  /** C_DecapsulateKey, or C_DeriveKey for modules from before it; what is absent comes from the standard. */
  readonly call?: "decapsulate" | "derive";
  /** Mechanism for decapsulation. */
  readonly mechanism?: ConstantRef;
  /** Mechanism parameter for decapsulation; absent or undefined means none. */
  parameter?(row: KeyRow, ciphertext: Uint8Array): MechanismParameter | undefined;
  /** Forms of the secret, tried in order until the token takes one that the secret can be known by. */
  readonly secrets?: readonly SecretForm[];
}

/** What the shared secret becomes in the token: a session object. */
export interface SecretForm {
  readonly template: TemplatePatch;
  /**
   * How it is known: `value`: CKA_VALUE is read; `hmac`, `aes`: the token computes HMAC-SHA256 or enciphers one block, and
   * the answer is compared, because it does not give secrets away.
   */
  readonly check: "value" | "hmac" | "aes";
}

/** Departures from the standard that the core knows how to live with. */
export const QUIRKS = [
  "probe-length",
  "no-init-args",
  "no-finalize",
  "fickle-login",
  "write-sessions",
  "generate-flag",
  "exact-room",
  "one-attribute",
] as const;

/**
 * `probe-length`: asks for the length of a signature with a null buffer first. `no-init-args`: C_Initialize takes NULL
 * only. `no-finalize`: C_Finalize is never called, because the module does not survive it. `fickle-login`: C_Login fails
 * now and then without a reason and without counting a wrong PIN; only with it may the same PIN be given again. `write-sessions`: read-only
 * sessions are refused. `generate-flag`: mechanisms for key pairs are listed with CKF_GENERATE. `exact-room`: C_Sign wants
 * room for the signature and no more. `one-attribute`: C_GetAttributeValue fails as a whole for some attributes, so each is
 * asked for alone, and one that fails counts as absent.
 */
export type Quirk = typeof QUIRKS[number];

/** Operating systems as Deno names them. */
export type OsName = "linux" | "darwin" | "windows";

/** One vendor's deviations. Every field but `api` and `name` may be left out. */
export interface Driver {
  /** Version of this contract. */
  readonly api: 1;
  /** Lower-case name for `driver:` in hsm.yaml. */
  readonly name: string;
  /** Whether the module is one of this driver's. */
  match?(facts: ModuleFacts): boolean;
  /** Where the library is usually installed. */
  readonly libraryPaths?: Readonly<Partial<Record<OsName, readonly string[]>>>;
  /** Text for pReserved of C_Initialize, where hsm.yaml has none; only modules that document it take one. */
  readonly initString?: string;
  /** CKU_ numbers of further users, by the name that `user_type` of hsm.yaml gives them. */
  readonly userTypes?: Readonly<Record<string, ConstantRef>>;
  /** Exported symbols that stand in for functions that the module's list lacks. */
  readonly functions?: Readonly<Partial<Record<FunctionName, string>>>;
  /** Names of the vendor's own mechanisms by number (`0x80000001`), for people. */
  readonly names?: Readonly<Record<string, string>>;
  /**
   * Rows that the token does in its own way. Several ways: the first whose mechanisms the token lists makes new keys, and
   * a key that is there is used in the way of its key type.
   */
  readonly keys?: Readonly<Partial<Record<KeyAlgorithmName, KeyDialect | readonly KeyDialect[]>>>;
  /** Rows that the token refuses although its mechanisms seem to do them. */
  readonly refuses?: readonly KeyAlgorithmName[];
  /** Mechanism of a scheme, where it is not the one of the table. */
  readonly schemes?: Readonly<Partial<Record<SchemeName, ConstantRef>>>;
  /** Codecs by the mechanism's name, or `0x…` for a vendor's own. */
  readonly mechanisms?: Readonly<Record<string, SignMechanism>>;
  readonly kem?: KemDialect;
  /** Key templates by family: patches to those of the standard. */
  readonly templates?: Readonly<Partial<Record<Family, TemplatePair>>>;
  /** Attributes of either half, besides CKA_VALUE of the public one, that hold the raw public key, whole or in parts. */
  readonly publicValues?: readonly (readonly string[])[];
  /** Attributes of the vendor's own that say what CKA_PARAMETER_SET does. */
  readonly parameterSets?: readonly string[];
  /** Attributes that the token changes or hides and that are not compared after generation. */
  readonly notCompared?: readonly string[];
  /** Mechanisms that work although the token does not list them. */
  readonly unlisted?: readonly string[];
  /** What to do where the token lacks the mechanisms of a family. */
  readonly absent?: Readonly<Partial<Record<Family, string>>>;
  /** Most handles asked for in one C_FindObjects. */
  readonly findBatch?: number;
  readonly quirks?: readonly Quirk[];
  /** Return values of the vendor's own (`0x80000001`) after which session and login are gone. */
  readonly lost?: readonly string[];
  readonly hints?: HintTable;
}

type Filled =
  | ("keys" | "refuses" | "schemes" | "mechanisms" | "names" | "absent" | "userTypes" | "publicValues")
  | ("parameterSets" | "notCompared" | "unlisted" | "findBatch" | "quirks" | "lost" | "hints");

/** A driver with everything filled in. */
export interface CompleteDriver extends Omit<Driver, Filled | "kem" | "templates">, Required<Pick<Driver, Filled>> {
  readonly kem: Required<Pick<KemDialect, "call" | "secrets">> & KemDialect;
  /** A family without templates cannot be made in a token. */
  readonly templates: Readonly<Partial<Record<Family, Required<TemplatePair>>>>;
}

/** `driver` with everything it leaves out taken from `base`; templates are merged attribute by attribute. */
export function completeDriver(base: CompleteDriver, driver: Driver): CompleteDriver {
  const templates: Partial<Record<Family, Required<TemplatePair>>> = {};
  for (const family of Object.keys({ ...base.templates, ...driver.templates }) as Family[]) {
    const [standard, own] = [base.templates[family], driver.templates?.[family]];
    templates[family] = {
      public: { ...standard?.public, ...own?.public },
      private: { ...standard?.private, ...own?.private },
    };
  }
  return {
    ...driver,
    keys: { ...base.keys, ...driver.keys },
    schemes: { ...base.schemes, ...driver.schemes },
    mechanisms: { ...base.mechanisms, ...driver.mechanisms },
    kem: { ...base.kem, ...driver.kem },
    templates,
    names: { ...base.names, ...driver.names },
    userTypes: { ...base.userTypes, ...driver.userTypes },
    absent: { ...base.absent, ...driver.absent },
    refuses: driver.refuses ?? base.refuses,
    publicValues: driver.publicValues ?? base.publicValues,
    parameterSets: driver.parameterSets ?? base.parameterSets,
    notCompared: driver.notCompared ?? base.notCompared,
    unlisted: driver.unlisted ?? base.unlisted,
    findBatch: driver.findBatch ?? base.findBatch,
    quirks: driver.quirks ?? base.quirks,
    lost: driver.lost ?? base.lost,
    hints: { ...base.hints, ...driver.hints },
  };
}

type FieldCheck = (value: unknown) => boolean;

const FIELD_CHECKS: Readonly<Record<keyof Driver, FieldCheck>> = {
  api: (value) => value === 1,
  name: (value) => typeof value === "string" && /^[a-z0-9][a-z0-9._-]*$/.test(value),
  match: (value) => typeof value === "function",
  libraryPaths: isRecordOf(isTextList),
  initString: isText,
  userTypes: isRecordOf(isConstantRef),
  functions: isRecordOf(isText),
  names: isRecordOf(isText),
  keys: isRecordOf((value) => isRecord(value) || (Array.isArray(value) && value.every(isRecord))),
  refuses: isTextList,
  schemes: isRecordOf(isConstantRef),
  mechanisms: isRecordOf(isRecord),
  kem: isRecord,
  templates: isRecordOf(isRecord),
  publicValues: (value) => Array.isArray(value) && value.every(isTextList),
  parameterSets: isTextList,
  notCompared: isTextList,
  unlisted: isTextList,
  absent: isRecordOf(isText),
  findBatch: (value) => Number.isInteger(value) && (value as number) > 0,
  quirks: (value) => isTextList(value) && value.every((quirk) => (QUIRKS as readonly string[]).includes(quirk)),
  lost: isTextList,
  hints: isRecordOf(isText),
};

/**
 * Checks what a plug-in exports.
 * @throws {InputError} `driver.invalid`: another `api`, an unknown field, a name with a path separator, a wrong type.
 */
export function validateDriver(value: unknown, file: string): Driver {
  if (!isRecord(value)) throw invalid(file, "its default export is not a driver");
  if (value["api"] !== 1) throw invalid(file, `api is ${JSON.stringify(value["api"])}, this program has api 1`);
  for (const [field, content] of Object.entries(value)) {
    const check = Object.hasOwn(FIELD_CHECKS, field) ? FIELD_CHECKS[field as keyof Driver] : undefined;
    if (check === undefined) throw invalid(file, `unknown field "${field}"`);
    if (content !== undefined && !check(content)) throw invalid(file, `field "${field}" has a wrong value`);
  }
  if (value["name"] === undefined) throw invalid(file, 'field "name" is missing');
  return value as unknown as Driver;
}

function invalid(file: string, reason: string): InputError {
  return new InputError(`Cannot use driver "${file}": ${reason}`, { code: "driver.invalid", file });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isConstantRef(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number";
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isRecordOf(check: FieldCheck): FieldCheck {
  return (value) => isRecord(value) && Object.values(value).every(check);
}
