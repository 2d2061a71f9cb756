import { formatInstant } from "../../../ca/deps.ts";
import { keyAlgorithms } from "../../../ca/info.ts";
import { openIssuers } from "../../../ca/issuers.ts";
import { enroll, type EnrollResult } from "../../../credential/enroll.ts";
import { CaStore } from "../../../store/ca.ts";
import { checkCredentialFree } from "../../../store/credential.ts";
import { keyGroups } from "../../../store/key_groups.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, CommandResult, Flag } from "../../command.ts";
import { CA_DIR, CA_PASSPHRASE, CRED_DIR, HSM_FLAGS, PASSPHRASE, PROFILES, required, VAR_FLAGS } from "../../flags.ts";
import { CLASSICAL_IN, keyPlaces, PQC_IN } from "../../key_places.ts";
import { compiledProfiles, DAYS, VALIDITY } from "../../profile_input.ts";
import { signedWith, storageText } from "./_text.ts";

const FLAGS: readonly Flag[] = [
  CA_DIR,
  CRED_DIR,
  required(PROFILES),
  ...VAR_FLAGS,
  PASSPHRASE,
  CA_PASSPHRASE,
  ...HSM_FLAGS,
  PQC_IN,
  CLASSICAL_IN,
  VALIDITY,
  DAYS,
];

/** `qpki credential enroll`. */
const command: Command = {
  summary: "Make keys and their certificates together",
  details:
    "One certificate a profile, with one key or the two keys of a hybrid. The keys are made in files, encrypted when " +
    "--passphrase is given, or with --hsm-config in a token: with one profile --key-label is used as given, with " +
    "several -0, -1, … are appended; the two keys of a hybrid share one label. A key that cannot sign (ML-KEM) is " +
    "certified on the strength of the signature key of another profile. Either everything is made or nothing.",
  args: [{
    name: "id",
    description: "id of the credential; made from the common name and the date without it",
    required: false,
  }],
  flags: FLAGS,
  examples: [
    "qpki credential enroll --profile ec/tls-server --var cn=server.test --var dns_names=server.test",
    "qpki credential enroll alice --profile ec/tls-client --var cn=alice --passphrase env:KEY_PASSPHRASE",
    "qpki credential enroll --profile ec/tls-server --var cn=server.test --var dns_names=server.test " +
    "--hsm-config ./hsm.yaml --key-label server-key",
    "qpki credential enroll alice --profile ml/email-sign --profile ml/email-encrypt --var cn=Alice " +
    "--var email=alice@example.com",
  ],
  async run(input, ctx) {
    const caDir = joinPath(ctx.cwd, input.text(CA_DIR.name)!);
    const credDir = joinPath(ctx.cwd, input.text(CRED_DIR.name)!);
    const id = input.argument("id");
    if (id !== undefined) await checkCredentialFree(credDir, id);
    const store = await CaStore.open(caDir);
    const profiles = await compiledProfiles(input, ctx, { caDir, flags: FLAGS });
    const places = await keyPlaces(input, ctx, { profiles, question: "Passphrase of the new key" });
    const passphrase = ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key");
    await using issuers = await openIssuers(store, profiles, { deps: ctx, passphrase });
    const named = id === undefined ? {} : { id };
    const result = await enroll(issuers, { credDir, ...named, profiles, ...places }, ctx);
    return report(result, input.text(CRED_DIR.name)!);
  },
};

export default command;

function report({ folder, meta, certificates }: EnrollResult, credDir: string): CommandResult {
  const path = `${credDir.replace(/\/+$/, "")}/${folder.slice(folder.lastIndexOf("/") + 1)}`;
  const version = meta.versions[meta.active]!;
  const groups = keyGroups(version.keys);
  const issued = certificates.map((certificate, i) => {
    const { fingerprint, path: file, attested_by, ...entry } = version.certificates[i]!;
    const [key, ...more] = groups[i]!;
    return {
      serial: certificate.serial,
      subject: formatName(certificate.subject),
      issuer: formatName(certificate.issuer),
      profile: version.profiles[i]!,
      algorithm: key.algorithm,
      algorithms: keyAlgorithms(certificate),
      signed_with: signedWith(entry),
      not_before: formatInstant(certificate.notBefore),
      not_after: formatInstant(certificate.notAfter),
      fingerprint,
      path: `${path}/${file}`,
      ...(attested_by === undefined ? {} : { attested_by }),
      key,
      keys: [key, ...more],
    };
  });
  const lines = [`Credential enrolled: ${meta.id}`, `  Folder:      ${path}`];
  for (const one of issued) {
    lines.push(
      `  Profile:     ${one.profile}`,
      `  Subject:     ${one.subject}`,
      `  Serial:      ${one.serial}`,
      `  Valid until: ${one.not_after}`,
      `  Signed with: ${one.signed_with}`,
      ...(one.attested_by === undefined ? [] : [`  Attested by: ${one.attested_by}`]),
      ...one.keys.map(({ algorithm, storage }) => `  Key:         ${algorithm}, ${storageText(storage)}`),
    );
  }
  return { data: { id: meta.id, path, active: meta.active, certificates: issued }, text: lines.join("\n") };
}
