import { type KeyRow, keyRows, type SchemeRow } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import type {
  CompleteDriver,
  ConstantRef,
  KemDialect,
  KeyDialect,
  MechanismParameter,
  TemplatePair,
} from "./driver.ts";
import { constantNumber } from "./names.ts";

/** How a token does one row, complete: what the row says, and where the driver says otherwise. */
export interface RowDialect {
  /** CKK_ number that new keys get. */
  readonly keyType: number;
  /** Every CKK_ number under which the token shows such keys. */
  readonly keyTypes: readonly number[];
  readonly generate: number;
  /** Parameter of the generation mechanism. */
  readonly parameter: MechanismParameter | undefined;
  /** CKP_ number; undefined for a row without parameter set. */
  readonly parameterSet: number | undefined;
  /** CKA_EC_PARAMS in hex, where it is not the curve's OID. */
  readonly ecParams: string | undefined;
  /** Undefined for a family that cannot be made. */
  readonly templates: Required<TemplatePair> | undefined;
  readonly kem: RowKem | undefined;
  /** Number of the mechanism of a scheme, or undefined when PKCS#11 has none for it. */
  sign(scheme: SchemeRow): number | undefined;
}

/** Decapsulation with keys of one row, complete. */
export interface RowKem extends Required<Omit<KemDialect, "mechanism" | "parameter">>, Pick<KemDialect, "parameter"> {
  readonly mechanism: number;
}

/** The ways in which keys of `row` are done with this driver, the preferred one first; none when PKCS#11 has none. */
export function dialectsOf(driver: CompleteDriver, row: KeyRow): RowDialect[] {
  const stated = driver.keys[row.name] ?? {};
  const list = Array.isArray(stated) ? stated as readonly KeyDialect[] : [stated as KeyDialect];
  return list.flatMap((own) => completeDialect(driver, row, own) ?? []);
}

/** The way in which a key in the token with this CKK_ number is used, or undefined when it is no key of the row. */
export function dialectOfKey(driver: CompleteDriver, row: KeyRow, type: number | undefined): RowDialect | undefined {
  return dialectsOf(driver, row).find(({ keyTypes }) => type !== undefined && keyTypes.includes(type));
}

/** The rows whose keys the token shows under this CKK_ number. */
export function rowsOfKeyType(driver: CompleteDriver, type: number): KeyRow[] {
  return keyRows().filter((row) => dialectOfKey(driver, row, type) !== undefined);
}

/** Their families, each once. */
export function familiesOf(rows: readonly KeyRow[]): Family[] {
  return [...new Set(rows.map(({ family }) => family))];
}

function completeDialect(driver: CompleteDriver, row: KeyRow, own: KeyDialect): RowDialect | undefined {
  const type = own.keyType ?? row.pkcs11?.keyType;
  const generate = own.generate ?? row.pkcs11?.generate;
  if (type === undefined || generate === undefined) return undefined;
  const keyType = constantNumber(type);
  return {
    keyType,
    keyTypes: [keyType, ...(own.shownAs ?? []).map(constantNumber)],
    generate: constantNumber(generate),
    parameter: own.parameter,
    parameterSet: optionalNumber(own.parameterSet ?? row.pkcs11?.parameterSet),
    ecParams: own.ecParams,
    get templates() {
      return patchTemplates(driver.templates[row.family], own.templates);
    },
    kem: completeKem(driver, row, own.kem),
    sign: ({ name, mechanism }) => optionalNumber(own.sign ?? driver.schemes[name] ?? mechanism ?? undefined),
  };
}

function patchTemplates(
  base: Required<TemplatePair> | undefined,
  own: TemplatePair | undefined,
): Required<TemplatePair> | undefined {
  return base && { public: { ...base.public, ...own?.public }, private: { ...base.private, ...own?.private } };
}

function completeKem(driver: CompleteDriver, row: KeyRow, own: KemDialect | undefined): RowKem | undefined {
  const kem = { ...driver.kem, ...own };
  const mechanism = kem.mechanism ?? row.pkcs11?.encapsulate;
  return mechanism === undefined ? undefined : { ...kem, mechanism: constantNumber(mechanism) };
}

function optionalNumber(ref: ConstantRef | undefined): number | undefined {
  return ref === undefined ? undefined : constantNumber(ref);
}
