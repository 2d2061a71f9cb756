import type { AttestationWish } from "../../../credential/request.ts";
import type { RequestKey } from "../../../credential/request_keys.ts";
import { UsageError } from "../../../errors.ts";
import { joinPath } from "../../../store/layout.ts";
import { ATTEST_CERT, attestCertificates } from "../../attest_input.ts";
import type { Context, Flag, Input } from "../../command.ts";
import { HSM_CONFIG, hsmConfigPath } from "../../flags.ts";

const ATTEST_KEY: Flag = {
  name: "attest-key",
  value: "FILE",
  description: "private key file of --attest-cert",
  complete: "file",
};

const ATTEST_PASSPHRASE: Flag = {
  name: "attest-passphrase",
  value: "SOURCE",
  description: "passphrase of --attest-key: env:NAME, file:PATH, fd:N, or - to be asked",
};

const ATTEST_KEY_LABEL: Flag = {
  name: "attest-key-label",
  value: "TEXT",
  description: "label (CKA_LABEL) of the key of --attest-cert in the token of --hsm-config",
};

/** Which key attests. */
export const ATTEST_KEY_FLAGS: readonly Flag[] = [ATTEST_KEY, ATTEST_PASSPHRASE, ATTEST_KEY_LABEL];

/** Puts the attesting certificate into the request. */
export const INCLUDE_CERT: Flag = {
  name: "include-cert",
  description: "put --attest-cert into the request, for a CA that does not have it",
};

/** Whether the attesting key is in the token of --hsm-config. */
export function hasAttestKeyInToken(input: Input): boolean {
  return input.text(ATTEST_KEY_LABEL.name) !== undefined;
}

/**
 * The statement of possession that the flags ask for, or undefined.
 * @throws {UsageError} when some of the flags are missing, or a key that cannot sign has none.
 */
export async function attestationWish(
  input: Input,
  ctx: Context,
  keys: readonly RequestKey[],
): Promise<AttestationWish | undefined> {
  const stated = [...ATTEST_KEY_FLAGS.map(({ name }) => name)].find((name) => input.text(name) !== undefined) ??
    (input.on(INCLUDE_CERT.name) ? INCLUDE_CERT.name : undefined);
  const [certificate] = await attestCertificates(input, ctx);
  const row = keys[0]!.row;
  if (!certificate) {
    if (stated !== undefined) throw wrong(`Cannot use --${stated} without --${ATTEST_CERT.name}`);
    if (row?.kind !== "kem") return undefined;
    throw wrong(
      `Cannot make a request for a key of type ${row.label}: it cannot sign, and --${ATTEST_CERT.name} is missing`,
      "Name a signature certificate of the same subject with --attest-cert, and its key with --attest-key or --attest-key-label",
    );
  }
  if (row && row.kind !== "kem") {
    throw wrong(`Cannot use --${ATTEST_CERT.name} with a key of type ${row.label}: it signs its own request`);
  }
  return { certificate, key: attestKey(input, ctx), include: input.on(INCLUDE_CERT.name) };
}

function attestKey(input: Input, ctx: Context): RequestKey {
  const [file, label] = [input.text(ATTEST_KEY.name), input.text(ATTEST_KEY_LABEL.name)];
  if ((file === undefined) === (label === undefined)) {
    throw wrong(
      `Cannot tell which key is that of --attest-cert: ${
        file === undefined ? "neither --attest-key nor --attest-key-label is given" : "two are given"
      }`,
    );
  }
  if (file !== undefined) {
    const passphrase = ctx.passphrase(input.text(ATTEST_PASSPHRASE.name), `Passphrase of ${file}`, {
      flag: ATTEST_PASSPHRASE.name,
    });
    const ref = { type: "software", path: joinPath(ctx.cwd, file) } as const;
    return { kind: "existing", provider: { type: "software", passphrase }, ref };
  }
  const path = hsmConfigPath(input, ctx);
  if (path === undefined) throw wrong(`Cannot use --${ATTEST_KEY_LABEL.name}: --${HSM_CONFIG.name} is missing`);
  const config = joinPath(ctx.cwd, path);
  return { kind: "existing", provider: { type: "pkcs11", config }, ref: { type: "pkcs11", config, label: label! } };
}

function wrong(message: string, hint?: string): UsageError {
  return new UsageError(message, { code: "usage.attest", ...(hint === undefined ? {} : { hint }) });
}
