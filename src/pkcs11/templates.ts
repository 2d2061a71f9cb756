import type { KeyRow } from "../alg/find.ts";
import { oid } from "../asn1/der.ts";
import { decodeHex } from "../bytes.ts";
import type { AttributeValue, Template } from "./attributes.ts";
import { constantNumber } from "./codec.ts";
import type { CompleteDriver, TemplatePatch } from "./driver.ts";

/** What a new key pair is called. */
export interface KeyNames {
  readonly label?: string | undefined;
  readonly id: Uint8Array;
}

/** Both templates of a new key pair. */
export interface KeyTemplates {
  readonly public: Template;
  readonly private: Template;
}

/** 65537, the only public exponent that new RSA keys get. */
const PUBLIC_EXPONENT = Uint8Array.of(1, 0, 1);

/** Number of a row's key type with this driver, or undefined when PKCS#11 has no such keys. */
export function keyType(driver: CompleteDriver, row: KeyRow): number | undefined {
  const ref = driver.keys[row.name]?.keyType ?? row.pkcs11?.keyType;
  return ref === undefined ? undefined : constantNumber(ref);
}

/** Number of a row's generation mechanism with this driver, or undefined when PKCS#11 has none. */
export function generationMechanism(driver: CompleteDriver, row: KeyRow): number | undefined {
  const ref = driver.keys[row.name]?.generate ?? row.pkcs11?.generate;
  return ref === undefined ? undefined : constantNumber(ref);
}

/**
 * Templates for a new key pair of `row`; a session key (`token: false`) disappears with its session.
 * @throws {RangeError} for a family without templates: ask `requireMechanisms` first.
 */
export function keyTemplates(
  driver: CompleteDriver,
  row: KeyRow,
  { names, token = true }: { names: KeyNames; token?: boolean },
): KeyTemplates {
  const pair = driver.templates[row.family];
  if (pair === undefined) throw new RangeError(`No key templates are written down for ${row.family}`);
  const facts = rowFacts(driver, row, names);
  return { public: fill(pair.public, facts, token), private: fill(pair.private, facts, token) };
}

type Facts = ReadonlyMap<string, AttributeValue | undefined>;

function rowFacts(driver: CompleteDriver, row: KeyRow, names: KeyNames): Facts {
  const dialect = driver.keys[row.name];
  const parameterSet = dialect?.parameterSet ?? row.pkcs11?.parameterSet;
  const { parameters } = row.spki;
  const curve = typeof parameters === "string" ? row.spki.oid : parameters.curve;
  return new Map<string, AttributeValue | undefined>([
    ["$label", names.label === undefined ? undefined : new TextEncoder().encode(names.label)],
    ["$id", names.id],
    ["$keyType", keyType(driver, row)],
    ["$ecParams", dialect?.ecParams === undefined ? oid(curve) : decodeHex(dialect.ecParams)],
    ["$modulusBits", row.modulusBits],
    ["$publicExponent", PUBLIC_EXPONENT],
    ["$parameterSet", parameterSet === undefined ? undefined : constantNumber(parameterSet)],
  ]);
}

function fill(patch: TemplatePatch, facts: Facts, token: boolean): Template {
  const template: Record<string, AttributeValue> = {};
  for (const [name, stated] of Object.entries(patch)) {
    const value = typeof stated === "string" && stated.startsWith("$") ? facts.get(stated) : stated;
    // a fact that is not there (a key without label) leaves its attribute out
    if (value !== null && value !== undefined) template[name] = name === "CKA_TOKEN" ? token : value;
  }
  return template;
}
