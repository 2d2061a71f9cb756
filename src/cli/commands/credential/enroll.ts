import { formatInstant } from "../../../ca/deps.ts";
import { caSigner } from "../../../ca/signer.ts";
import { type CredentialKeys, enroll, type EnrollResult } from "../../../credential/enroll.ts";
import { InputError, suggest, UsageError } from "../../../errors.ts";
import { compileProfile } from "../../../profile/compile.ts";
import { loadProfile } from "../../../profile/load.ts";
import type { CompiledProfile, Profile } from "../../../profile/types.ts";
import { CaStore } from "../../../store/ca.ts";
import { checkCredentialFree } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, CommandResult, Context, Flag, Input } from "../../command.ts";
import {
  CA_DIR,
  CA_PASSPHRASE,
  CRED_DIR,
  HSM_FLAGS,
  hsmRef,
  PASSPHRASE,
  PROFILES,
  required,
  VAR_FLAGS,
} from "../../flags.ts";
import { DAYS, givenValidity, givenVariables, VALIDITY } from "../../profile_input.ts";
import { storageText } from "./_text.ts";

const FLAGS: readonly Flag[] = [
  CA_DIR,
  CRED_DIR,
  required(PROFILES),
  ...VAR_FLAGS,
  PASSPHRASE,
  CA_PASSPHRASE,
  ...HSM_FLAGS,
  VALIDITY,
  DAYS,
];

/** `qpki credential enroll`. */
const command: Command = {
  summary: "Make keys and their certificates together",
  details:
    "One key and one certificate a profile. The keys are made in files, encrypted when --passphrase is given, or " +
    "with --hsm-config in a token: with one profile --key-label is used as given, with several -0, -1, … are appended. " +
    "Either everything is made or nothing.",
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
  ],
  async run(input, ctx) {
    const caDir = joinPath(ctx.cwd, input.text(CA_DIR.name)!);
    const credDir = joinPath(ctx.cwd, input.text(CRED_DIR.name)!);
    const id = input.argument("id");
    const keys = credentialKeys(input, ctx);
    if (id !== undefined) await checkCredentialFree(credDir, id);
    const store = await CaStore.open(caDir);
    const profiles = await compiledProfiles(input, ctx, caDir);
    await using ca = await caSigner(
      store,
      ctx,
      ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key"),
    );
    const result = await enroll(ca, {
      credDir,
      ...(id === undefined ? {} : { id }),
      profiles,
      keys,
    }, ctx);
    return report(result, input.text(CRED_DIR.name)!);
  },
};

export default command;

function credentialKeys(input: Input, ctx: Context): CredentialKeys {
  const flag = input.text(PASSPHRASE.name);
  const ref = hsmRef(input, ctx);
  if (!ref) {
    const question = flag === "-" ? "Passphrase of the new key" : undefined;
    return { type: "software", passphrase: ctx.passphrase(flag, question, { twice: true }) };
  }
  if (flag !== undefined) {
    throw new UsageError("Cannot use --passphrase together with --hsm-config: the token has a PIN", {
      code: "usage.key",
    });
  }
  if (ref.keyId !== undefined && input.list(PROFILES.name).length > 1) {
    throw new UsageError("Cannot use --key-id with several profiles: each key needs an id of its own", {
      code: "usage.key",
      hint: "Leave out --key-id: ids are made at random",
    });
  }
  return { type: "pkcs11", ref };
}

/** Each profile takes the variables it declares; one that none of them declares is a mistake. */
async function compiledProfiles(input: Input, ctx: Context, caDir: string): Promise<CompiledProfile[]> {
  const given = await givenVariables(input, ctx);
  const validity = givenValidity(input, FLAGS);
  const profiles: Profile[] = [];
  for (const name of input.list(PROFILES.name)) profiles.push(await loadProfile(name, { caDir, cwd: ctx.cwd }));
  if (profiles.length === 1) return [compileProfile(profiles[0]!, given, validity)];
  const declared = new Set(profiles.flatMap((profile) => Object.keys(profile.variables)));
  const unknown = Object.keys(given).find((name) => !declared.has(name));
  if (unknown !== undefined) {
    const near = suggest(unknown, declared);
    throw new InputError(`Cannot use variable "${unknown}": none of the profiles has it`, {
      code: "variable.unknown",
      ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
    });
  }
  return profiles.map((profile) => {
    const own = Object.entries(given).filter(([name]) => Object.hasOwn(profile.variables, name));
    return compileProfile(profile, Object.fromEntries(own), validity);
  });
}

function report({ folder, meta, certificates }: EnrollResult, credDir: string): CommandResult {
  const path = `${credDir.replace(/\/+$/, "")}/${folder.slice(folder.lastIndexOf("/") + 1)}`;
  const version = meta.versions[meta.active]!;
  const issued = certificates.map((certificate, i) => ({
    serial: certificate.serial,
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    profile: version.profiles[i]!,
    algorithm: version.algos[i]!,
    not_before: formatInstant(certificate.notBefore),
    not_after: formatInstant(certificate.notAfter),
    fingerprint: version.certificates[i]!.fingerprint,
    path: `${path}/${version.certificates[i]!["path"]}`,
    key: version.keys[i]!,
  }));
  const lines = [`Credential enrolled: ${meta.id}`, `  Folder:      ${path}`];
  for (const one of issued) {
    lines.push(
      `  Profile:     ${one.profile}`,
      `  Subject:     ${one.subject}`,
      `  Serial:      ${one.serial}`,
      `  Valid until: ${one.not_after}`,
      `  Key:         ${one.algorithm}, ${storageText(one.key.storage)}`,
    );
  }
  return { data: { id: meta.id, path, active: meta.active, certificates: issued }, text: lines.join("\n") };
}
