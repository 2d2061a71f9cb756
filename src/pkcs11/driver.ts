import type { KeyRow, SchemeRow } from "../alg/find.ts";
import type { Family, KeyAlgorithmName, SchemeName } from "../alg/registry.ts";
import { InputError } from "../errors.ts";
import type { AttributeValue } from "./attributes.ts";
import type { HintTable } from "./errors.ts";
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
 * `$label`, `$id`, `$keyType`, `$ecParams`, `$modulusBits`, `$publicExponent`, `$parameterSet`.
 */
export type TemplateValue = AttributeValue;

/** Attributes to add or change; null leaves one out. */
export type TemplatePatch = Readonly<Record<string, TemplateValue | null>>;

/** Templates of the two halves of a key pair. */
export interface TemplatePair {
  readonly public?: TemplatePatch;
  readonly private?: TemplatePatch;
}

/** A mechanism or key type: a constant's name, or the number of a vendor's own. */
export type ConstantRef = string | number;

/** How a token makes keys of one row, where it differs from the row. */
export interface KeyDialect {
  readonly keyType?: ConstantRef;
  readonly generate?: ConstantRef;
  /** CKA_EC_PARAMS in hex, where the token wants another form than the OID. */
  readonly ecParams?: string;
  /** CKP_ constant or number of the parameter set. */
  readonly parameterSet?: ConstantRef;
  /** Parameter of the generation mechanism. */
  readonly parameter?: MechanismParameter;
}

/** A mechanism parameter: a structure of the standard by name, or of the vendor by its fields, and its values. */
export interface MechanismParameter {
  readonly struct: keyof typeof PARAMETER_STRUCTS | StructFields;
  /** Numbers or constants' names; bytes (or null) for pointers. */
  readonly values: Readonly<Record<string, number | string | Uint8Array | null>>;
}

/** What a mechanism is given and what it returns. */
export interface SignMechanism {
  /** `message`: all of it; `digest`: its hash; `digest-info`: the hash in a DigestInfo (RFC 8017 section 9.2). */
  readonly input: "message" | "digest" | "digest-info";
  /** `r-s`: both numbers side by side, for ECDSA; `raw`: the bytes that X.509 carries. */
  readonly output: "raw" | "r-s";
  /** Its parameter; absent or undefined means none. */
  parameter?(scheme: SchemeRow, row: KeyRow): MechanismParameter | undefined;
}

/** Departures from the standard that the core knows how to live with. */
export const QUIRKS = ["probe-length", "no-init-args", "no-finalize", "fickle-login"] as const;

/**
 * `probe-length`: asks for the length of a signature with a null buffer first. `no-init-args`: C_Initialize takes NULL
 * only. `no-finalize`: C_Finalize is never called, because the module does not survive it. `fickle-login`: C_Login fails
 * now and then without a reason and without counting a wrong PIN; only with it may the same PIN be given again.
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
  /** Text for pReserved of C_Initialize; only modules that document it take one. */
  readonly initString?: string;
  /** Rows that the token makes in its own way. */
  readonly keys?: Readonly<Partial<Record<KeyAlgorithmName, KeyDialect>>>;
  /** Mechanism of a scheme, where it is not the one of the table. */
  readonly schemes?: Readonly<Partial<Record<SchemeName, ConstantRef>>>;
  /** Codecs by the mechanism's name, or `0x…` for a vendor's own. */
  readonly mechanisms?: Readonly<Record<string, SignMechanism>>;
  /** Key templates by family: patches to those of the standard. */
  readonly templates?: Readonly<Partial<Record<Family, TemplatePair>>>;
  /** Attributes that the token changes or hides and that are not compared after generation. */
  readonly notCompared?: readonly string[];
  /** Mechanisms that work although the token does not list them. */
  readonly unlisted?: readonly string[];
  /** Most handles asked for in one C_FindObjects. */
  readonly findBatch?: number;
  readonly quirks?: readonly Quirk[];
  readonly hints?: HintTable;
}

/** A driver with everything filled in. */
export interface CompleteDriver extends Driver {
  readonly keys: Readonly<Partial<Record<KeyAlgorithmName, KeyDialect>>>;
  readonly schemes: Readonly<Partial<Record<SchemeName, ConstantRef>>>;
  readonly mechanisms: Readonly<Record<string, SignMechanism>>;
  /** A family without templates cannot be made in a token. */
  readonly templates: Readonly<Partial<Record<Family, Required<TemplatePair>>>>;
  readonly notCompared: readonly string[];
  readonly unlisted: readonly string[];
  readonly findBatch: number;
  readonly quirks: readonly Quirk[];
  readonly hints: HintTable;
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
    templates,
    notCompared: driver.notCompared ?? base.notCompared,
    unlisted: driver.unlisted ?? base.unlisted,
    findBatch: driver.findBatch ?? base.findBatch,
    quirks: driver.quirks ?? base.quirks,
    hints: { ...base.hints, ...driver.hints },
  };
}

type FieldCheck = (value: unknown) => boolean;

const FIELD_CHECKS: Readonly<Record<keyof Driver, FieldCheck>> = {
  api: (value) => value === 1,
  name: (value) => typeof value === "string" && /^[a-z0-9][a-z0-9._-]*$/.test(value),
  match: (value) => typeof value === "function",
  libraryPaths: isRecordOf(isTextList),
  initString: (value) => typeof value === "string",
  keys: isRecordOf(isRecord),
  schemes: isRecordOf((value) => typeof value === "string" || typeof value === "number"),
  mechanisms: isRecordOf(isRecord),
  templates: isRecordOf(isRecord),
  notCompared: isTextList,
  unlisted: isTextList,
  findBatch: (value) => Number.isInteger(value) && (value as number) > 0,
  quirks: (value) => isTextList(value) && value.every((quirk) => (QUIRKS as readonly string[]).includes(quirk)),
  hints: isRecordOf((value) => typeof value === "string"),
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

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isRecordOf(check: FieldCheck): FieldCheck {
  return (value) => isRecord(value) && Object.values(value).every(check);
}
