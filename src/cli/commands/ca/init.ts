import { initCa, type InitResult } from "../../../ca/init.ts";
import { describeStorage, keyAlgorithms } from "../../../ca/info.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { encodePem } from "../../../bytes.ts";
import { TokenError, UsageError } from "../../../errors.ts";
import { writeFileDurably } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, CommandResult, Context, Flag, Input } from "../../command.ts";
import { CSR_ONLY, CSR_OUT, requestFile } from "../../csr_only.ts";
import {
  aliased,
  CA_DIR,
  FORCE,
  HSM_FLAGS,
  hsmRef,
  KEY,
  OUT,
  PARENT,
  PARENT_PASSPHRASE,
  PASSPHRASE,
  PROFILES,
  required,
  VAR_FLAGS,
} from "../../flags.ts";
import { CLASSICAL_IN, keyPlaces, PQC_IN } from "../../key_places.ts";
import { openParent } from "../../parent_input.ts";
import { compiledProfiles, givenVariables, VALIDITY } from "../../profile_input.ts";

const FLAGS: readonly Flag[] = [
  required(PROFILES),
  ...VAR_FLAGS,
  aliased(CA_DIR, "dir"),
  VALIDITY,
  PASSPHRASE,
  PARENT,
  PARENT_PASSPHRASE,
  ...HSM_FLAGS,
  PQC_IN,
  CLASSICAL_IN,
  { name: "use-existing-key", description: "use the key in the token (or in --key) instead of making one" },
  { ...KEY, description: "private key file that --use-existing-key takes; it is copied into the CA" },
  { name: "generate-key", description: "make the key; this is the default, the flag is for older scripts" },
  { name: "anchor", description: "have the token remember the end of the journal: an older copy of the CA is noticed" },
  CSR_ONLY,
  CSR_OUT,
  FORCE,
];

/** `qpki ca init`. */
const command: Command = {
  summary: "Make a root or subordinate CA",
  details:
    "Without --hsm-config the keys are made in files, encrypted when --passphrase is given. With --parent the parent " +
    "CA signs the certificate; without it the CA is a root and signs its own. A hybrid profile makes two keys, in a " +
    "token under one label; --pqc-in software keeps the post-quantum one in a file. With several profiles the CA has " +
    "one certificate each, under one name; every one issues for keys of its kind.",
  flags: FLAGS,
  examples: [
    `qpki ca init --profile ec/root-ca --var cn="Root CA" --ca-dir ./ca`,
    `qpki ca init --profile ec/issuing-ca --var cn="Issuing CA" --parent ./ca --ca-dir ./issuing-ca`,
    `qpki ca init --profile ec/root-ca --var cn="HSM Root CA" --hsm-config ./hsm.yaml --key-label root-ca-key`,
    `qpki ca init --profile hybrid/catalyst/root-ca --var cn="Catalyst Root CA" --hsm-config ./hsm.yaml ` +
    `--key-label catalyst-root --pqc-in software`,
    `qpki ca init --profile ec/root-ca --profile ml/root-ca --var cn="Root CA" --ca-dir ./ca`,
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const csrOnly = input.on(CSR_ONLY.name);
    const existing = existingKey(input, ctx);
    const out = await requestFile(input, ctx);
    const profiles = await compiledProfiles(input, ctx, { caDir: joinPath(ctx.cwd, folder), flags: FLAGS });
    const places = await keyPlaces(input, ctx, { profiles, question: "Passphrase of the CA key", ...existing });
    await using parent = await openParent(input, ctx, { profiles });
    const variables = await givenVariables(input, ctx);
    const anchor = input.on("anchor");
    if (anchor && places.key.type !== "pkcs11" && places.pqcKey?.type !== "pkcs11") throw anchorWithoutToken();
    const request = { folder, profiles, variables, ...places, csrOnly, anchor, ...(parent ? { parent } : {}) };
    const result = await initCa(request, ctx).catch((error) => {
      throw suggestExisting(error);
    });
    if (out !== undefined) {
      const pem = encodePem("CERTIFICATE REQUEST", result.csr!.der);
      await writeFileDurably(out, pem, { overwrite: input.on(FORCE.name) }).catch((error) => {
        ctx.warn(`The CA was made; its request is in ${folder}/${result.meta.versions[result.versionId]!.csr}`);
        throw error;
      });
    }
    return report(result, folder, input.text(OUT.name));
  },
};
export default command;

function anchorWithoutToken(): UsageError {
  return new UsageError("Cannot use --anchor: the CA's key is not in a token", {
    code: "usage.anchor",
    hint: "Name the token with --hsm-config",
  });
}

/** Whether the keys are there already, and in which file. */
function existingKey(input: Input, ctx: Context): { existing: boolean; file?: string } {
  const existing = input.on("use-existing-key");
  const file = input.text(KEY.name);
  const ref = hsmRef(input, ctx);
  if (existing && input.on("generate-key")) {
    throw new UsageError("Cannot use --use-existing-key together with --generate-key", { code: "usage.key" });
  }
  if (ref && file !== undefined) {
    throw new UsageError("Cannot use --key together with --hsm-config", { code: "usage.key" });
  }
  if (ref && existing && ref.label === undefined && ref.keyId === undefined) {
    throw new UsageError("Cannot tell which key in the token is meant: give --key-label or --key-id", {
      code: "usage.hsm",
    });
  }
  if (!ref && existing !== (file !== undefined)) {
    throw new UsageError(
      existing
        ? "Cannot use --use-existing-key: it needs --hsm-config with a key, or --key FILE"
        : "Cannot use --key without --use-existing-key",
      { code: "usage.key" },
    );
  }
  return { existing, ...(file === undefined ? {} : { file }) };
}

/** A label that is taken is most often the key that the operator means. */
function suggestExisting(error: unknown): unknown {
  if (!(error instanceof TokenError) || error.code !== "key.exists") return error;
  return new TokenError(error.message, {
    code: error.code,
    hint: `To use that key, add --use-existing-key. ${error.hint ?? ""}`.trimEnd(),
    cause: error,
  });
}

function report(result: InitResult, folder: string, out: string | undefined): CommandResult {
  const { certificates, csr, keys, meta, versionId } = result;
  const version = meta.versions[versionId]!;
  const common = {
    path: folder,
    role: meta.role,
    version: versionId,
    status: version.status,
    profile: version.profiles[0],
    profiles: version.profiles,
    algorithm: keys[0]!.algorithm,
    algorithms: version.algos,
    key: keys[0],
    keys,
  };
  const keyLines = keys.map((key) => `  Key:         ${key.algorithm}, ${describeStorage(key)}`);
  const [certificate] = certificates;
  if (!certificate) {
    const data = { ...common, subject: formatName(csr!.subject), csr: out ?? `${folder}/${version.csr}` };
    const text = [
      `CA ${keys.length > 1 ? "keys" : "key"} created in ${folder}, waiting for its certificate`,
      `  Subject:     ${data.subject}`,
      ...keyLines,
      `  Request:     ${data.csr}`,
      `  Then:        qpki ca accept FILE --ca-dir ${folder}`,
    ].join("\n");
    return { data, text };
  }
  const made = certificates.map((one, i) => ({
    profile: version.profiles[i],
    serial: one.serial,
    not_before: formatInstant(one.notBefore),
    not_after: formatInstant(one.notAfter),
    key_algorithms: keyAlgorithms(one),
    path: `${folder}/${version.certificates![i]}`,
  }));
  const data = {
    ...common,
    subject: formatName(certificate.subject),
    serial: certificate.serial,
    not_before: formatInstant(certificate.notBefore),
    not_after: formatInstant(certificate.notAfter),
    certificate: `${folder}/ca.crt`,
    certificates: made,
  };
  const text = [
    `CA created in ${folder}`,
    `  Subject:     ${data.subject}`,
    ...keyLines,
    ...made.flatMap((one) => [`  Serial:      ${one.serial}`, `  Valid until: ${one.not_after}`]),
    `  Certificate: ${data.certificate}`,
  ].join("\n");
  return { data, text };
}
