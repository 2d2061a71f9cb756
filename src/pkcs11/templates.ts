import type { KeyRow } from "../alg/find.ts";
import { oid } from "../asn1/der.ts";
import { decodeHex } from "../bytes.ts";
import type { AttributeValue, Template } from "./attributes.ts";
import { dialectsOf, type RowDialect } from "./dialect.ts";
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

/** What a new key pair is to be. */
export interface NewKey {
  readonly names: KeyNames;
  /** False for a session key, which disappears with its session. */
  readonly token?: boolean;
  /** How the token makes it; the preferred way unless told. */
  readonly dialect?: RowDialect;
}

/**
 * Templates for a new key pair of `row`.
 * @throws {RangeError} for a family without templates: ask `requireMechanisms` first.
 */
export function keyTemplates(
  driver: CompleteDriver,
  row: KeyRow,
  { names, token = true, dialect = dialectsOf(driver, row)[0] }: NewKey,
): KeyTemplates {
  const pair = dialect?.templates;
  if (!dialect || !pair) throw new RangeError(`No key templates are written down for ${row.family}`);
  const facts = rowFacts(row, dialect, names);
  return { public: fillTemplate(pair.public, facts, token), private: fillTemplate(pair.private, facts, token) };
}

type Facts = ReadonlyMap<string, AttributeValue | undefined>;

function rowFacts(row: KeyRow, dialect: RowDialect, names: KeyNames): Facts {
  const { parameters } = row.spki;
  const curve = typeof parameters === "string" ? row.spki.oid : parameters.curve;
  return new Map<string, AttributeValue | undefined>([
    ["$label", names.label === undefined ? undefined : new TextEncoder().encode(names.label)],
    ["$id", names.id],
    ["$keyType", dialect.keyType],
    ["$ecParams", dialect.ecParams === undefined ? oid(curve) : decodeHex(dialect.ecParams)],
    ["$modulusBits", row.modulusBits],
    ["$publicExponent", PUBLIC_EXPONENT],
    ["$parameterSet", dialect.parameterSet],
  ]);
}

/** A template with the facts of the key in it, and without what is left out. */
export function fillTemplate(patch: TemplatePatch, facts: Facts = new Map(), token = false): Template {
  const template: Record<string, AttributeValue> = {};
  for (const [name, stated] of Object.entries(patch)) {
    const value = typeof stated === "string" && stated.startsWith("$") ? facts.get(stated) : stated;
    // a fact that is not there (a key without label) leaves its attribute out
    if (value !== null && value !== undefined) template[name] = name === "CKA_TOKEN" ? token : value;
  }
  return template;
}
