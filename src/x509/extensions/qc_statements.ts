import {
  DerFields,
  type DerNode,
  expectSequence,
  ia5String,
  integer,
  oid,
  printableString,
  readOid,
  readSmallInteger,
  readString,
  sequence,
  sequenceOf,
} from "../../asn1/der.ts";
import {
  OID_PE_QC_STATEMENTS,
  OID_QCS_COMPLIANCE,
  OID_QCS_LEGISLATION,
  OID_QCS_PDS,
  OID_QCS_RETENTION_PERIOD,
  OID_QCS_SSCD,
  OID_QCS_TYPE,
  oidName,
} from "../../asn1/oid.ts";
import { type Bytes, encodeHex } from "../../bytes.ts";
import type { ExtensionValues } from "../types.ts";
import { type ExtensionCodec, extensionError, nonEmpty, readContent, type Shown } from "./codec.ts";
import { printable } from "./general_name.ts";
import { absoluteUri } from "./host_names.ts";

/** One QCStatement as read; `info` is the DER of statementInfo. */
export interface QcStatement {
  readonly oid: string;
  readonly info?: Bytes;
}

type Written = Omit<NonNullable<ExtensionValues["qcStatements"]>, "critical">;

/** qcStatements, RFC 3739 section 3.2.6 with the statements of ETSI EN 319 412-5. */
export const qcStatements: ExtensionCodec<readonly QcStatement[], Written> = {
  oid: OID_PE_QC_STATEMENTS,
  encode(value) {
    const statements = [
      ...(value.qcCompliance ? [sequence(oid(OID_QCS_COMPLIANCE))] : []),
      ...(value.qcRetentionYears === undefined ? [] : [retention(value.qcRetentionYears)]),
      ...(value.qcSscd ? [sequence(oid(OID_QCS_SSCD))] : []),
      ...(value.qcPds.length === 0 ? [] : [disclosure(value.qcPds)]),
      ...(value.qcTypes.length === 0 ? [] : [sequence(oid(OID_QCS_TYPE), sequenceOf(value.qcTypes.map(oid)))]),
      ...((value.qcLegislation ?? []).length === 0 ? [] : [legislation(value.qcLegislation!)]),
    ];
    if (statements.length === 0) throw extensionError("qcStatements", "it has no statement");
    return sequenceOf(statements);
  },
  decode(der) {
    return nonEmpty(expectSequence(readContent(der), "qcStatements"), "qcStatements").map((node) => {
      const fields = new DerFields(node, "QCStatement");
      const statement = readOid(fields.next("statementId"), "statementId");
      const info = fields.peek() === undefined ? undefined : fields.next("statementInfo").raw;
      fields.end();
      if (info !== undefined) READERS[statement]?.(readContent(info));
      return { oid: statement, ...(info === undefined ? {} : { info }) };
    });
  },
  show(statements) {
    const shown = statements.map(showStatement);
    return { json: shown.map(({ json }) => json), text: shown.flatMap(({ text }) => text) };
  },
};

function retention(years: number): Bytes {
  if (!Number.isSafeInteger(years) || years < 0) {
    throw extensionError("qcStatements", `the retention period ${years} is not a whole number of years`);
  }
  return sequence(oid(OID_QCS_RETENTION_PERIOD), integer(years));
}

function disclosure(locations: Written["qcPds"]): Bytes {
  return sequence(
    oid(OID_QCS_PDS),
    sequenceOf(locations.map(({ url, language }) => {
      if (!/^[a-z]{2}$/i.test(language)) {
        throw extensionError("qcStatements", `"${language}" is not a two-letter language (ISO 639-1)`);
      }
      return sequence(ia5String(absoluteUri(url)), printableString(language));
    })),
  );
}

function legislation(countries: readonly string[]): Bytes {
  for (const country of countries) {
    if (!/^[A-Z]{2}$/.test(country)) {
      throw extensionError("qcStatements", `"${country}" is not a two-letter country (ISO 3166-1, capitals)`);
    }
  }
  return sequence(oid(OID_QCS_LEGISLATION), sequenceOf(countries.map(printableString)));
}

/** statementInfo in words, for the statements that have one. */
const READERS: Readonly<Record<string, (node: DerNode) => string[]>> = {
  [OID_QCS_RETENTION_PERIOD]: (node) => [`${readSmallInteger(node, "retention period")} years`],
  [OID_QCS_TYPE]: (node) => expectSequence(node, "QcType").map((part) => nameOf(readOid(part))),
  [OID_QCS_LEGISLATION]: (node) => expectSequence(node, "QcCClegislation").map((part) => readString(part)),
  [OID_QCS_PDS]: (node) => qcPdsLocations(node).map(({ url, language }) => `${language}: ${url}`),
};

/** Locations of the PKI disclosure statements in the info of statement `.5`. @throws {InputError} `der.invalid`. */
export function qcPdsLocations(node: DerNode): { url: string; language: string }[] {
  return expectSequence(node, "PdsLocations").map((part) => {
    const fields = new DerFields(part, "PdsLocation");
    const url = readString(fields.next("url"), "url");
    const language = readString(fields.next("language"), "language");
    fields.end();
    return { url, language };
  });
}

function nameOf(dotted: string): string {
  return oidName(dotted) ?? dotted;
}

function showStatement({ oid: statement, info }: QcStatement): Shown {
  const name = nameOf(statement);
  if (info === undefined) return { json: { statement: name, oid: statement }, text: [name] };
  const read = READERS[statement];
  const values = read ? read(readContent(info)).map(printable) : [encodeHex(info)];
  return { json: { statement: name, oid: statement, values }, text: values.map((value) => `${name}: ${value}`) };
}
