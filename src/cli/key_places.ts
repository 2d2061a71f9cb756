import { isQuantumSafe } from "../alg/quantum.ts";
import { keyParts, type KeyWishes } from "../ca/key_parts.ts";
import { type KeyPlace, type KeyPlaces, placeOf } from "../ca/obtain_keys.ts";
import { UsageError } from "../errors.ts";
import type { Context, Flag, Input } from "./command.ts";
import { hsmRef, PASSPHRASE } from "./flags.ts";

const PLACES = ["software", "token"];

/** Where post-quantum keys go; {@link keyPlaces} reads it. */
export const PQC_IN: Flag = {
  name: "pqc-in",
  value: "PLACE",
  choices: PLACES,
  description: "where post-quantum keys are: software (a file) or token; the classical key's place without it",
};

/** Where classical keys go; {@link keyPlaces} reads it. */
export const CLASSICAL_IN: Flag = {
  name: "classical-in",
  value: "PLACE",
  choices: PLACES,
  description: "where classical keys are: software (a file) or token; the token when --hsm-config is given",
};

/** What the flags of a command say beside the places themselves. */
export interface PlaceOptions {
  /** Question for the passphrase of new key files with `--passphrase -`. */
  readonly question: string;
  /** The keys are there already. */
  readonly existing?: boolean;
  /** An existing key file. */
  readonly file?: string | undefined;
}

/**
 * Where the keys of `profiles` go: files without --hsm-config, else the token, except for those that --pqc-in or
 * --classical-in send elsewhere. The command declares the hsm group, --passphrase and both flags of this file.
 * @throws {UsageError} for flags that contradict each other or the profiles.
 */
export function keyPlaces(
  input: Input,
  ctx: Context,
  { profiles, ...options }: PlaceOptions & { readonly profiles: readonly KeyWishes[] },
): KeyPlaces {
  const places = statedPlaces(input, ctx, options);
  const parts = profiles.flatMap((profile) => keyParts(profile));
  for (const [flag, safe] of [[PQC_IN, true], [CLASSICAL_IN, false]] as const) {
    if (input.text(flag.name) === undefined || parts.some(({ row }) => isQuantumSafe(row) === safe)) continue;
    throw wrong(`Cannot use --${flag.name}: there is no ${safe ? "post-quantum" : "classical"} key`, "usage.place");
  }
  const inToken = parts.filter((part) => placeOf(part, places).type === "pkcs11");
  const ref = hsmRef(input, ctx);
  if (ref && inToken.length === 0) {
    throw wrong("Cannot use --hsm-config: no key goes into the token", "usage.place", "Leave out --hsm-config");
  }
  if (ref?.keyId !== undefined && inToken.length > 1) {
    throw wrong(
      `Cannot use --key-id with ${inToken.length} keys: each needs an id of its own`,
      "usage.key",
      options.existing
        ? "Name them by --key-label: their types tell them apart"
        : "Leave it out: ids are made at random",
    );
  }
  if (ref && inToken.length === parts.length && input.text(PASSPHRASE.name) !== undefined) {
    throw wrong("Cannot use --passphrase together with --hsm-config: the token has a PIN", "usage.key");
  }
  if (options.file !== undefined && parts.length > 1) {
    throw wrong(`Cannot use --key: it names one key, and the profile asks for ${parts.length}`, "usage.key");
  }
  return places;
}

function statedPlaces(input: Input, ctx: Context, options: PlaceOptions): KeyPlaces {
  const ref = hsmRef(input, ctx);
  const stated = [PQC_IN, CLASSICAL_IN].find((flag) => input.text(flag.name) === "token");
  if (!ref && stated) throw wrong(`Cannot use --${stated.name} token: --hsm-config is missing`, "usage.hsm");
  const token: KeyPlace | undefined = ref && { type: "pkcs11", ref, existing: options.existing ?? false };
  const file = softwarePlace(input, ctx, options);
  const isFile = (flag: Flag, fallback: boolean) =>
    (input.text(flag.name) ?? (fallback ? "software" : "token")) === "software";
  const classical = isFile(CLASSICAL_IN, !ref);
  const key = classical ? file : token!;
  const pqcKey = isFile(PQC_IN, !ref) ? file : token!;
  return pqcKey === key ? { key } : { key, pqcKey };
}

function softwarePlace(input: Input, ctx: Context, { question, file }: PlaceOptions): KeyPlace {
  const flag = input.text(PASSPHRASE.name);
  const passphrase = ctx.passphrase(flag, flag === "-" ? question : undefined, { twice: file === undefined });
  return { type: "software", passphrase, ...(file === undefined ? {} : { existing: file }) };
}

function wrong(message: string, code: string, hint?: string): UsageError {
  return new UsageError(message, { code, ...(hint === undefined ? {} : { hint }) });
}
