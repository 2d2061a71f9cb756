import { formatInstant } from "../../../ca/deps.ts";
import { type CertificateState, credentialState } from "../../../credential/status.ts";
import { pendingVersions } from "../../../credential/versions.ts";
import { pathExists } from "../../../files.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import { fingerprint } from "../../../x509/certificate.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command } from "../../command.ts";
import { CRED_DIR } from "../../flags.ts";
import {
  CREDENTIAL_VERSION,
  ID_ARGUMENT,
  revocationLookup,
  REVOKING_CA,
  signedWith,
  statusText,
  storageText,
} from "./_text.ts";

/** `qpki credential info ID`. */
const command: Command = {
  summary: "Show a credential: its certificates, its keys, its status",
  details:
    "The status is computed from the certificates, the CA's index and the time, and not taken from the metadata.",
  args: [ID_ARGUMENT],
  flags: [CRED_DIR, REVOKING_CA, {
    ...CREDENTIAL_VERSION,
    description: "version to show, for example v1 (the active one)",
  }],
  examples: [
    "qpki credential info alice",
    "qpki credential info server --version v2",
    "qpki credential info alice --cred-dir ./credentials --json",
  ],
  async run(input, ctx) {
    const credDir = joinPath(ctx.cwd, input.text(CRED_DIR.name)!);
    const store = await CredentialStore.open(credDir, input.argument("id")!);
    const lookup = revocationLookup(input, ctx);
    const wanted = input.text(CREDENTIAL_VERSION.name);
    const at = { now: ctx.now(), lookup, ...(wanted === undefined ? {} : { versionId: wanted }) };
    const state = await credentialState(store, at);
    const { meta } = store;
    const { version } = store.version(state.versionId);
    const waiting = pendingVersions(meta);
    const certificates = await Promise.all(state.certificates.map((one) => certificateJson(one, store)));
    const data = {
      id: meta.id,
      status: state.status,
      revocation_checked: state.revocationChecked,
      subject: version.subject ?? meta.subject,
      created: meta.created,
      version: state.versionId,
      active: meta.active,
      versions: Object.entries(meta.versions).map(([id, { status, profiles, algos, created }]) => ({
        id,
        status,
        profiles,
        algorithms: algos,
        created,
      })),
      ca: store.caFolderOf(state.versionId) ?? null,
      path: store.folder,
      certificates,
    };
    const lines = [
      `Credential: ${meta.id}`,
      `Status:     ${state.status}${state.revocationChecked ? "" : " (revocation not checked: no CA index at hand)"}`,
      `Version:    ${state.versionId}${state.versionId === meta.active ? "" : ` (${version.status})`}`,
      ...(waiting.length > 0 ? [`Pending:    ${waiting.join(", ")}`] : []),
      `Created:    ${meta.created}`,
      ...state.certificates.flatMap((one, i) => certificateLines(one, certificates[i]!)),
    ];
    return { data, text: lines.join("\n") };
  },
};

export default command;

async function certificateJson(
  { certificate, entry, keys, status, revocation }: CertificateState,
  store: CredentialStore,
) {
  const files = (keys.length > 0 ? keys.map(({ storage }) => storage) : entry.storage)
    .flatMap((storage) => storage.type === "software" ? [storage.path] : []);
  const present = await Promise.all(files.map((path) => pathExists(store.path(path))));
  const [key] = keys;
  return {
    serial: certificate.serial,
    status,
    ...(revocation ? { revoked_at: formatInstant(revocation.date), reason: revocation.reason ?? "unspecified" } : {}),
    role: entry.role,
    profile: entry.profile,
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    not_before: formatInstant(certificate.notBefore),
    not_after: formatInstant(certificate.notAfter),
    algorithm: entry.algorithm,
    ...(entry.alternative_algorithm === undefined ? {} : { alternative_algorithm: entry.alternative_algorithm }),
    fingerprint: await fingerprint(certificate),
    key_algorithm: key?.algorithm ?? null,
    spki_sha256: key?.spki_sha256 ?? null,
    keys,
    storage: entry.storage,
    ...(entry.attested_by === undefined ? {} : { attested_by: entry.attested_by }),
    key_file_present: files.length > 0 ? present.every((there) => there) : null,
  };
}

function certificateLines(state: CertificateState, json: Awaited<ReturnType<typeof certificateJson>>): string[] {
  const { entry, keys } = state;
  const missing = json.key_file_present === false ? " (MISSING)" : "";
  const places = keys.length > 0
    ? keys.map(({ algorithm, storage }) => `${algorithm || "unknown algorithm"}, ${storageText(storage)}`)
    : entry.storage.map((storage) => `unknown algorithm, ${storageText(storage)}`);
  return [
    "",
    `Certificate 0x${json.serial}`,
    `  Status:      ${statusText(state)}`,
    `  Profile:     ${json.profile} (${json.role})`,
    `  Subject:     ${json.subject}`,
    `  Issuer:      ${json.issuer}`,
    `  Valid:       ${json.not_before} to ${json.not_after}`,
    `  Signed with: ${signedWith(entry)}`,
    `  SHA-256:     ${json.fingerprint}`,
    ...(json.attested_by === undefined ? [] : [`  Attested by: ${json.attested_by}`]),
    ...(places.length > 0 ? places : ["unknown algorithm, place unknown"]).map((place) =>
      `  Key:         ${place}${missing}`
    ),
  ];
}
