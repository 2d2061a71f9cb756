import { encodeHex } from "../bytes.ts";
import { algorithmName, algorithmText } from "./algorithm.ts";
import { CborFloat, CborSimple, CborTag, type CborValue } from "./cbor.ts";
import { CLAIM, claimName, type Claims, instant, timeClaim } from "./cwt.ts";
import { certificatesOf, type Headers, LABEL, LABEL_NAMES, labelName } from "./headers.ts";
import { diagnose } from "./diag.ts";

/** Headers and claims for people and for JSON. */

/** What a certificate is called, from its DER; whoever can read certificates says so. */
export type CertificateNames = (der: Uint8Array) => string;

const CERTIFICATE_LABELS: ReadonlySet<CborValue> = new Set([LABEL.X5CHAIN, LABEL.X5BAG]);
const TIMES: ReadonlySet<CborValue> = new Set([CLAIM.EXP, CLAIM.NBF, CLAIM.IAT]);

/** Any item as JSON: byte strings in hex, keys of maps as text, tags as an object. */
export function jsonOf(value: CborValue): unknown {
  if (value instanceof Uint8Array) return encodeHex(value);
  if (value instanceof CborFloat) return value.value;
  if (value instanceof CborSimple) return { simple: value.value };
  if (value instanceof CborTag) return { tag: value.tag, value: jsonOf(value.value) };
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [keyText(key), jsonOf(one)]));
  return value === undefined ? null : value;
}

function keyText(key: CborValue): string {
  return typeof key === "string" ? key : diagnose(key);
}

/** One bucket as JSON, names for labels that have one. */
export function headersJson(map: Headers["protected"], names: CertificateNames): Record<string, unknown> {
  return Object.fromEntries(
    [...map].map(([label, value]) => {
      const name = typeof label === "number" ? LABEL_NAMES[label]?.replaceAll(/[ -]/g, "_") : undefined;
      return [name ?? keyText(label), headerJson(label, value, names)];
    }),
  );
}

function headerJson(label: CborValue, value: CborValue, names: CertificateNames): unknown {
  if (CERTIFICATE_LABELS.has(label)) {
    return certificatesOf(value).map((der) => ({ subject: names(der), der: der.toBase64() }));
  }
  return label === LABEL.ALG ? { id: jsonOf(value), name: algorithmName(value) } : jsonOf(value);
}

/** Both buckets as lines. */
export function headersText({ protected: signed, unprotected }: Headers, names: CertificateNames): [string, string][] {
  const line = (note: string) => ([label, value]: [CborValue, CborValue]): [string, string] => [
    `${labelName(label)}${note}`,
    headerText(label, value, names),
  ];
  return [...[...signed].map(line("")), ...[...unprotected].map(line(", unprotected"))];
}

function headerText(label: CborValue, value: CborValue, names: CertificateNames): string {
  if (label === LABEL.ALG) return algorithmText(value);
  if (CERTIFICATE_LABELS.has(label)) return certificatesOf(value).map(names).join("; ");
  if (value instanceof Uint8Array) return encodeHex(value);
  return typeof value === "string" ? value : oneLine(value);
}

/** Claims as JSON: registered ones by name, times in seconds. */
export function claimsJson(claims: Claims): Record<string, unknown> {
  return Object.fromEntries([...claims].map(([label, value]) => [claimName(label), jsonOf(value)]));
}

/** Claims as lines, times readable. */
export function claimsText(claims: Claims): [string, string][] {
  return [...claims].map(([label, value]): [string, string] => {
    const time = TIMES.has(label) ? timeClaim(claims, label as number) : undefined;
    const text = time === undefined ? typeof value === "string" ? value : oneLine(value) : instant(time);
    return [claimName(label), text];
  });
}

function oneLine(value: CborValue): string {
  return diagnose(value).replaceAll(/\s*\n\s*/g, " ");
}
