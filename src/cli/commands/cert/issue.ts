import { attestOptions, checkNotRevoked } from "../../../ca/attest.ts";
import { checkCsr } from "../../../ca/csr_keys.ts";
import { takeNames, withNameFlags } from "../../../ca/csr_names.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { issueCertificate } from "../../../ca/issue.ts";
import { issuerName, openIssuers } from "../../../ca/issuers.ts";
import { encodePem } from "../../../bytes.ts";
import { OperationError } from "../../../errors.ts";
import { existsError, pathExists, readFileBytes, writeFileDurably } from "../../../files.ts";
import { compileProfile } from "../../../profile/compile.ts";
import { loadProfile } from "../../../profile/load.ts";
import { CaStore } from "../../../store/ca.ts";
import { issuedFiles, joinPath, parentFolder } from "../../../store/layout.ts";
import { fingerprint } from "../../../x509/certificate.ts";
import { readCsr } from "../../../x509/csr.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, Context, Flag, Input } from "../../command.ts";
import { CA_DIR, CA_PASSPHRASE, FORCE, OUT, PROFILE, required, VAR_FLAGS } from "../../flags.ts";
import { ATTEST_CERT, attestCertificates } from "../../attest_input.ts";
import { DAYS, givenValidity, givenVariables, VALIDITY } from "../../profile_input.ts";

const FLAGS: readonly Flag[] = [
  CA_DIR,
  required(PROFILE),
  { name: "csr", value: "FILE", required: true, description: "certificate request, PEM or DER", complete: "file" },
  OUT,
  ...VAR_FLAGS,
  { name: "cn", value: "NAME", description: "common name; wins over the request's" },
  { name: "dns", value: "NAME", repeat: true, description: "DNS name; wins over the request's names" },
  { name: "ip", value: "ADDRESS", repeat: true, description: "IP address; wins over the request's" },
  DAYS,
  VALIDITY,
  ATTEST_CERT,
  CA_PASSPHRASE,
  FORCE,
];

/** `qpki cert issue`. */
const command: Command = {
  summary: "Issue a certificate for a request",
  details:
    "The request's signatures and keys are checked against the profile: a Catalyst profile takes a request with an " +
    "alternative key, a composite one a composite key, and a key that cannot sign (ML-KEM) needs a statement of " +
    "possession (RFC 9883) by the holder of a certificate of this CA. The request's names are taken only where the " +
    "profile has a place for them and the operator gave none; everything else in it is ignored, and named in a " +
    "warning. Without --out the certificate is printed.",
  flags: FLAGS,
  examples: [
    "qpki cert issue --ca-dir ./ca --profile ec/tls-server --csr server.csr --out server.crt",
    "qpki cert issue --ca-dir ./ca --profile ec/tls-server --csr server.csr --cn www.example.org --dns www.example.org",
  ],
  async run(input, ctx) {
    const folder = joinPath(ctx.cwd, input.text(CA_DIR.name)!);
    const out = await outputPath(input, ctx);
    const store = await CaStore.open(folder);
    const profile = await loadProfile(input.text(PROFILE.name)!, { caDir: folder, cwd: ctx.cwd });
    const csrFile = input.text("csr")!;
    const csr = readCsr(await readFileBytes(joinPath(ctx.cwd, csrFile)), csrFile);
    const flags = { dns: input.list("dns"), ip: input.list("ip"), ...cnFlag(input) };
    const given = withNameFlags(profile, await givenVariables(input, ctx), flags);
    const names = takeNames(profile, csr, given);
    const compiled = compileProfile(profile, names.given, givenValidity(input, FLAGS));
    const attest = { given: await attestCertificates(input, ctx), at: ctx.now() };
    const keys = await checkCsr(csr, compiled, await attestOptions(store, csr, attest));
    const { attestation } = keys;
    if (attestation) await checkNotRevoked(store, attestation.certificate);
    for (const warning of keys.warnings) ctx.warn(warning);
    if (names.ignored.length > 0) ctx.warn(`Not taken from the request: ${names.ignored.join(", ")}`);
    const passphrase = ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key", {
      flag: CA_PASSPHRASE.name,
    });
    await using issuers = await openIssuers(store, [compiled], { deps: ctx, passphrase });
    const ca = issuers.for(compiled);
    const certificate = await issueCertificate(ca, {
      profile: compiled,
      spki: keys.spki,
      alternativeSpki: keys.alternativeSpki,
    }, ctx);
    const pem = encodePem("CERTIFICATE", certificate.der);
    const stored = `${input.text(CA_DIR.name)}/${issuedFiles(certificate.serial)[0]}`;
    if (out !== undefined) {
      await writeFileDurably(out, pem, { overwrite: input.on(FORCE.name) }).catch((error) => {
        ctx.warn(`The certificate was issued and is in ${stored}`);
        throw error;
      });
    }
    const data = {
      serial: certificate.serial,
      subject: formatName(certificate.subject),
      issuer: formatName(certificate.issuer),
      profile: profile.name,
      signed_with: ca.identity.name,
      not_before: formatInstant(certificate.notBefore),
      not_after: formatInstant(certificate.notAfter),
      fingerprint: await fingerprint(certificate),
      path: stored,
      ...(out === undefined ? { pem } : { out: input.text(OUT.name)! }),
      ...(attestation ? { attestation: attestation.statement } : {}),
      ignored: names.ignored,
    };
    if (out === undefined) return { data, text: pem };
    const text = [
      `Certificate issued: ${input.text(OUT.name)}`,
      `  Serial:      ${data.serial}`,
      `  Subject:     ${data.subject}`,
      `  Valid until: ${data.not_after}`,
      ...(issuerName(ca) === undefined ? [] : [`  Signed with: ${data.signed_with}`]),
      ...(attestation ? [`  Attestation: ${attestation.statement}`] : []),
      `  Recorded in: ${stored}`,
    ].join("\n");
    return { data, text };
  },
};
export default command;

function cnFlag(input: Input): { cn?: string } {
  const cn = input.text("cn");
  return cn === undefined ? {} : { cn };
}

/** Told before anything is signed: a certificate must not be issued and then have no place to go. */
async function outputPath(input: Input, ctx: Context): Promise<string | undefined> {
  const out = input.text(OUT.name);
  if (out === undefined) return undefined;
  const path = joinPath(ctx.cwd, out);
  if (!input.on(FORCE.name) && await pathExists(path)) throw existsError(out);
  if (!await pathExists(parentFolder(path))) {
    throw new OperationError(`Cannot write "${out}": there is no folder "${parentFolder(out)}"`, {
      code: "file.write",
      object: out,
    });
  }
  return path;
}
