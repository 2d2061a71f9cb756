import { explainCertificate, type Explanation } from "../../../ca/explain.ts";
import { EXIT } from "../../../errors.ts";
import { pathExists, readFileBytes } from "../../../files.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCertificates } from "../../../x509/certificate.ts";
import { formatName } from "../../../x509/name.ts";
import type { Certificate } from "../../../x509/types.ts";
import type { Command, Context } from "../../command.ts";
import { CA_DIR, SERIAL_ARGUMENT } from "../../flags.ts";

/** `qpki cert explain SERIAL|FILE`. */
const command: Command = {
  summary: "Tell what caused each field of a certificate, and make its bytes again",
  details:
    "The journal of the CA keeps what a certificate was made from: profile with its SHA-256, values of the variables, " +
    "version of the program. The to-be-signed bytes are made again from that and compared; each field is traced to its " +
    "line of the profile. The exit status is 1 when the bytes are not the same.",
  args: [{ ...SERIAL_ARGUMENT, description: "serial number in hex, or a certificate file" }],
  flags: [CA_DIR],
  examples: ["qpki cert explain server.crt --ca-dir ./ca", "qpki cert explain server.crt --ca-dir ./ca --json"],
  async run(input, ctx) {
    const store = await CaStore.open(joinPath(ctx.cwd, input.text(CA_DIR.name)!));
    const certificate = await certificateOf(input.argument("serial")!, store, ctx);
    const explained = await explainCertificate(store, certificate, ctx);
    const data = explanationJson(explained);
    return {
      data,
      text: textOf(explained),
      ...(explained.identical && explained.journalled ? {} : { exit: EXIT.FAILED }),
    };
  },
};
export default command;

async function certificateOf(what: string, store: CaStore, ctx: Context): Promise<Certificate> {
  const path = joinPath(ctx.cwd, what);
  if (!/[/\\.]/.test(what) && !await pathExists(path)) return (await store.issued(what)).certificate;
  return readCertificates(await readFileBytes(path), what)[0]!;
}

function explanationJson(explained: Explanation) {
  const { certificate, record, intent, profile, profileUnchanged, identical, journalled, obstacle, fields } = explained;
  return {
    serial: certificate.serial,
    subject: formatName(certificate.subject),
    identical,
    journalled,
    ...(obstacle === undefined ? {} : { obstacle }),
    operation: record.op,
    time: record.time,
    tool: record.tool ?? null,
    profile: intent["profile"] ?? null,
    profile_sha256: intent["profile_sha256"] ?? null,
    profile_sha256_now: profile?.sha256 ?? null,
    profile_unchanged: profileUnchanged ?? null,
    tbs_sha256: intent.tbs_sha256,
    fields: fields.map(({ variables, ...field }) => ({
      ...field,
      variables: Object.entries(variables ?? {}).map(([name, value]) => ({ name, value })),
    })),
  };
}

function textOf(
  { record, intent, profile, profileUnchanged, identical, journalled, obstacle, fields }: Explanation,
): string {
  const lines = fields.map(({ field, value, cause, source, variables, same }) => {
    const mark = same === false ? "≠" : " ";
    const given = Object.entries(variables ?? {}).map(([name, one]) => `${name}=${valueText(one)}`).join(", ");
    const why = source === undefined ? cause : `${source} (${cause})`;
    return `${mark} ${field}: ${value}\n    ${why}${given === "" ? "" : `, with ${given}`}`;
  });
  return [
    `Certificate ${intent.serial}, "${record.op}" of ${record.time}, qpki ${record.tool ?? "(unknown)"}`,
    ...profileLines(intent, profile, profileUnchanged),
    ...lines,
    verdict({ identical, journalled, obstacle }),
  ].join("\n");
}

function profileLines(
  { profile: name, profile_sha256: then }: Explanation["intent"],
  profile: Explanation["profile"],
  isUnchanged: boolean | undefined,
): string[] {
  if (typeof name !== "string") return [];
  if (!profile) return [`Profile ${name}, SHA-256 ${String(then)}: not there any more`];
  if (isUnchanged !== false) return [`Profile ${name}, unchanged since (SHA-256 ${profile.sha256})`];
  return [`Profile ${name} HAS CHANGED since: SHA-256 ${profile.sha256} now, ${String(then)} then`];
}

function verdict(
  { identical, journalled, obstacle }: Pick<Explanation, "identical" | "journalled" | "obstacle">,
): string {
  if (!journalled) return "The certificate is NOT what was journalled before it was signed";
  if (obstacle !== undefined) return `Its bytes cannot be made again: ${obstacle}`;
  return identical
    ? "Made again from the journal: byte for byte the same"
    : "Made again from the journal: NOT the same, at the fields marked ≠";
}

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
