import { openIssuers } from "../../../ca/issuers.ts";
import { enroll, type EnrollResult } from "../../../credential/enroll.ts";
import { CaStore } from "../../../store/ca.ts";
import { checkCredentialFree } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, CommandResult, Flag } from "../../command.ts";
import { CA_DIR, CA_PASSPHRASE, CRED_DIR, HSM_FLAGS, PASSPHRASE, PROFILES, required, VAR_FLAGS } from "../../flags.ts";
import { CLASSICAL_IN, keyPlaces, PQC_IN } from "../../key_places.ts";
import { compiledProfiles, DAYS, VALIDITY } from "../../profile_input.ts";
import { credentialPath, issuedFacts, issuedLines } from "./_issued.ts";

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
    const passphrase = ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key", {
      flag: CA_PASSPHRASE.name,
    });
    await using issuers = await openIssuers(store, profiles, { deps: ctx, passphrase });
    const named = id === undefined ? {} : { id };
    const result = await enroll(issuers, { credDir, ...named, profiles, ...places }, ctx);
    return report(result, input.text(CRED_DIR.name)!);
  },
};

export default command;

function report({ folder, meta, certificates }: EnrollResult, shownDir: string): CommandResult {
  const path = credentialPath(shownDir, folder);
  const issued = issuedFacts(meta.versions[meta.active]!, certificates, path);
  const lines = [`Credential enrolled: ${meta.id}`, `  Folder:      ${path}`, ...issued.flatMap(issuedLines)];
  return { data: { id: meta.id, path, active: meta.active, certificates: issued }, text: lines.join("\n") };
}
