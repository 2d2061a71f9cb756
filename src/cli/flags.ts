import { decodeHex, encodeHex } from "../bytes.ts";
import { InputError, UsageError } from "../errors.ts";
import type { KeyRef, Pkcs11KeyRef } from "../keys/types.ts";
import type { Argument, Context, Flag, Input } from "./command.ts";

/** Leads to the token. */
export const HSM_CONFIG: Flag = {
  name: "hsm-config",
  value: "FILE",
  description: "hsm.yaml of the token that holds the key",
  complete: "file",
};

/** Selects a token key by CKA_LABEL. */
export const KEY_LABEL: Flag = {
  name: "key-label",
  value: "TEXT",
  description: "label (CKA_LABEL) of the key in the token",
};

/** Selects a token key by CKA_ID. */
export const KEY_ID: Flag = {
  name: "key-id",
  value: "HEX",
  description: "id (CKA_ID) of the key in the token; with --key-label both must match",
};

/** The hsm group; {@link hsmRef} reads it. */
export const HSM_FLAGS: readonly Flag[] = [HSM_CONFIG, KEY_LABEL, KEY_ID];

/** The PKCS#11 library itself, where no configuration is needed. */
export const LIB: Flag = {
  name: "lib",
  value: "PATH",
  description: "PKCS#11 library, instead of a configuration",
  complete: "file",
};

/** Folder of a CA. `aliased(CA_DIR, "dir")` also takes the older spelling. */
export const CA_DIR: Flag = {
  name: "ca-dir",
  short: "d",
  value: "DIR",
  default: "./ca",
  description: "folder of the CA",
  complete: "directory",
};

/** Folder of the credentials. */
export const CRED_DIR: Flag = {
  name: "cred-dir",
  short: "c",
  value: "DIR",
  default: "./credentials",
  description: "folder of the credentials",
  complete: "directory",
};

/** One profile. */
export const PROFILE: Flag = {
  name: "profile",
  short: "P",
  value: "NAME",
  description: "profile: a built-in name, one of <ca>/profiles, or a path to a YAML file",
  complete: "profile",
};

/** One or more profiles. */
export const PROFILES: Flag = { ...PROFILE, repeat: true };

/** A profile variable. */
export const VAR: Flag = {
  name: "var",
  value: "NAME=VALUE",
  repeat: true,
  description: "value of a profile variable",
};

/** Profile variables from a file. */
export const VAR_FILE: Flag = {
  name: "var-file",
  value: "FILE",
  description: "YAML file with values of profile variables; --var wins over it",
  complete: "file",
};

/** The variables group. */
export const VAR_FLAGS: readonly Flag[] = [VAR, VAR_FILE];

const PASSPHRASE_FORMS = "env:NAME, file:PATH, fd:N, or - to be asked";

/** Passphrase of the private key file that the command reads or makes. */
export const PASSPHRASE: Flag = {
  name: "passphrase",
  short: "p",
  value: "SOURCE",
  description: `passphrase of the private key: ${PASSPHRASE_FORMS}`,
};

/** New passphrase of a private key file. */
export const NEW_PASSPHRASE: Flag = {
  name: "new-passphrase",
  value: "SOURCE",
  description: `new passphrase of the private key: ${PASSPHRASE_FORMS}`,
};

/** Passphrase of the CA's key file. */
export const CA_PASSPHRASE: Flag = {
  name: "ca-passphrase",
  value: "SOURCE",
  description: `passphrase of the CA's private key: ${PASSPHRASE_FORMS}`,
};

/** The CA above. */
export const PARENT: Flag = {
  name: "parent",
  value: "DIR",
  description: "folder of the parent CA: makes a subordinate CA",
  complete: "directory",
};

/** Passphrase of the parent CA's key file. */
export const PARENT_PASSPHRASE: Flag = {
  name: "parent-passphrase",
  value: "SOURCE",
  description: `passphrase of the parent CA's private key: ${PASSPHRASE_FORMS}`,
};

/** Private key file that the command reads. */
export const KEY: Flag = {
  name: "key",
  short: "k",
  value: "FILE",
  description: "private key file",
  complete: "file",
};

/** Output file. */
export const OUT: Flag = {
  name: "out",
  short: "o",
  value: "FILE",
  description: "output file",
  complete: "file",
};

/** A version of a CA or credential. */
export const VERSION: Flag = {
  name: "version",
  short: "v",
  value: "VERSION",
  description: "version, for example 2, v2 or its full id; the active one without it",
  complete: "version",
};

/** Permission to replace an output file. */
export const FORCE: Flag = { name: "force", description: "replace the output file if it exists" };

/** Encoding of the output. */
export const FORMAT: Flag = {
  name: "format",
  short: "f",
  value: "FORMAT",
  choices: ["pem", "der"],
  default: "pem",
  description: "encoding of the output",
};

/** Answers a question that destroys something. */
export const YES: Flag = { name: "yes", short: "y", description: "do not ask for confirmation" };

/** One input file as positional argument. */
export const FILE_ARGUMENT: Argument = { name: "file", description: "input file", required: true, complete: "file" };

/** A certificate serial as positional argument. */
export const SERIAL_ARGUMENT: Argument = {
  name: "serial",
  description: "serial number in hex; 0x and colons are accepted",
  required: true,
};

/** `flag` with older spellings. */
export function aliased(flag: Flag, ...aliases: string[]): Flag {
  return { ...flag, aliases: [...flag.aliases ?? [], ...aliases] };
}

/**
 * What `work` makes of the value of a flag: a value that cannot be is wrong usage.
 * @throws {UsageError} for an InputError of `work`.
 */
export function fromFlag<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { message, code, hint } = error;
    throw new UsageError(message, { code, cause: error.cause, ...(hint === undefined ? {} : { hint }) });
  }
}

/** `flag` that must be given. */
export function required(flag: Flag): Flag {
  return { ...flag, required: true };
}

/** Where the hsm group's configuration may come from besides its flag. */
export interface HsmOptions {
  /** HSM_CONFIG of the environment counts: in the hsm commands only. */
  readonly env?: boolean;
  /** A path that is known already. */
  readonly config?: string | undefined;
}

/** Configuration path of the hsm group. */
export function hsmConfigPath(input: Input, ctx: Context, options: HsmOptions = {}): string | undefined {
  const given = input.text(HSM_CONFIG.name);
  if (given === "") throw new UsageError("Cannot use --hsm-config: the path is empty", { code: "usage.hsm" });
  return given ?? options.config ?? (options.env ? ctx.env("HSM_CONFIG") || undefined : undefined);
}

/**
 * The token key that the hsm group (all of {@link HSM_FLAGS} declared) selects, or undefined when the key is not in a
 * token. The path of the configuration stays as written; label and id may both be absent.
 * @throws {UsageError} for a label or id without --hsm-config, and for an id that is not hex.
 */
export function hsmRef(input: Input, ctx: Context, options: HsmOptions = {}): Pkcs11KeyRef | undefined {
  const config = hsmConfigPath(input, ctx, options);
  const label = input.text(KEY_LABEL.name);
  const id = input.text(KEY_ID.name);
  if (config === undefined) {
    const orphan = label !== undefined ? KEY_LABEL : id !== undefined ? KEY_ID : undefined;
    if (!orphan) return undefined;
    throw new UsageError(`Cannot use --${orphan.name}: it selects a key in a token, and --hsm-config is missing`, {
      code: "usage.hsm",
      hint: "Add --hsm-config FILE, or leave the flag out to use a key file",
    });
  }
  if (label === "") throw new UsageError("Cannot use --key-label: the label is empty", { code: "usage.hsm" });
  return {
    type: "pkcs11",
    config,
    ...(label === undefined ? {} : { label }),
    ...(id === undefined ? {} : { keyId: parseKeyId(id) }),
  };
}

/**
 * The one key that a command works on: `file` (a path the command took from a flag or argument) or the hsm group.
 * @throws {UsageError} when both or neither are given, or the hsm group lacks label and id.
 */
export function keyRef(file: string | undefined, input: Input, ctx: Context): KeyRef {
  const token = hsmRef(input, ctx);
  if (token && file !== undefined) {
    throw new UsageError("Cannot tell which key is meant: a key file and --hsm-config are both given", {
      code: "usage.hsm",
    });
  }
  if (token) {
    if (token.label === undefined && token.keyId === undefined) {
      throw new UsageError("Cannot tell which key in the token is meant: --key-label and --key-id are both missing", {
        code: "usage.hsm",
        hint: `List the keys with: qpki key list --hsm-config ${token.config}`,
      });
    }
    return token;
  }
  if (file === undefined || file === "") {
    throw new UsageError("Cannot tell which key is meant: neither a key file nor --hsm-config is given", {
      code: "usage.key",
    });
  }
  return { type: "software", path: file };
}

function parseKeyId(text: string): string {
  try {
    const bytes = decodeHex(text);
    if (bytes.length > 0) return encodeHex(bytes);
  } catch { /* told below, as a usage error */ }
  throw new UsageError(`Cannot use --key-id "${text}": not an even number of hex digits`, {
    code: "usage.key_id",
    hint: "For example --key-id 0102030405",
  });
}
