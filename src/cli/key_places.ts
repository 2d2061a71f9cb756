import { isQuantumSafe } from "../alg/quantum.ts";
import type { CurrentPlaces } from "../ca/current_places.ts";
import { keyParts, type KeyWishes } from "../ca/key_parts.ts";
import { type KeyPlace, type KeyPlaces, placeOf, type TokenPlace } from "../ca/obtain_keys.ts";
import { UsageError } from "../errors.ts";
import type { Context, Flag, Input } from "./command.ts";
import { absolutePath } from "./providers.ts";
import { HSM_CONFIG, HSM_FLAGS, hsmRef, PASSPHRASE } from "./flags.ts";

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

/** Takes keys out of the token for the next version; {@link keyPlaces} reads it where there is a version already. */
export const SOFTWARE: Flag = {
  name: "software",
  description: "make the new keys in files although the present ones are in a token",
};

/** What the flags of a command say beside the places themselves. */
export interface PlaceOptions {
  /** Question for the passphrase of new key files with `--passphrase -`. */
  readonly question: string;
  /** The keys are there already. */
  readonly existing?: boolean;
  /** An existing key file. */
  readonly file?: string | undefined;
  /** --passphrase is for keys that are read as well. */
  readonly readsFiles?: boolean;
  /** Where the keys of the present version are: the new ones go there unless a flag says otherwise. */
  readonly current?: CurrentPlaces;
}

/**
 * Where the keys of `profiles` go: files without --hsm-config, else the token, except for those that --pqc-in or
 * --classical-in send elsewhere; for a further version, where the keys of the present one are. The command declares the hsm
 * group, --passphrase and both flags of this file, with `current` --software as well.
 * @throws {UsageError} for flags that contradict each other, the profiles or the present version.
 */
export async function keyPlaces(
  input: Input,
  ctx: Context,
  { profiles, ...options }: PlaceOptions & { readonly profiles: readonly KeyWishes[] },
): Promise<KeyPlaces> {
  const token = await tokenPlace(input, ctx, options);
  const places = statedPlaces(input, ctx, { ...options, token });
  const parts = profiles.flatMap((profile) => keyParts(profile));
  for (const [flag, safe] of [[PQC_IN, true], [CLASSICAL_IN, false]] as const) {
    if (input.text(flag.name) === undefined || parts.some(({ row }) => isQuantumSafe(row) === safe)) continue;
    throw wrong(`Cannot use --${flag.name}: there is no ${safe ? "post-quantum" : "classical"} key`, "usage.place");
  }
  const inToken = parts.filter((part) => placeOf(part, places).type === "pkcs11");
  const flag = HSM_FLAGS.find(({ name }) => input.text(name) !== undefined);
  if (flag && inToken.length === 0) {
    throw wrong(`Cannot use --${flag.name}: no key goes into the token`, "usage.place", `Leave out --${flag.name}`);
  }
  if (token?.ref.keyId !== undefined && inToken.length > 1) {
    throw wrong(
      `Cannot use --key-id with ${inToken.length} keys: each needs an id of its own`,
      "usage.key",
      options.existing
        ? "Name them by --key-label: their types tell them apart"
        : "Leave it out: ids are made at random",
    );
  }
  const inFiles = parts.length - inToken.length;
  if (token && inFiles === 0 && !options.readsFiles && input.text(PASSPHRASE.name) !== undefined) {
    throw wrong("Cannot use --passphrase: every key goes into the token, which has a PIN", "usage.key");
  }
  if (options.current?.encrypted && inFiles > 0 && input.text(PASSPHRASE.name) === undefined) {
    throw wrong(
      "Cannot make the new keys without --passphrase: the present ones are encrypted",
      "passphrase.missing",
      'Give one with --passphrase env:NAME, file:PATH, fd:N or -; --passphrase "" leaves the new keys unencrypted',
    );
  }
  if (options.file !== undefined && parts.length > 1) {
    throw wrong(`Cannot use --key: it names one key, and the profile asks for ${parts.length}`, "usage.key");
  }
  return places;
}

/** The token that keys may go to: the one that the hsm group names, else that of the present version. */
async function tokenPlace(
  input: Input,
  ctx: Context,
  { current, existing = false }: Omit<PlaceOptions, "question">,
): Promise<TokenPlace | undefined> {
  const present = [current?.classical, current?.pqc].find((place) => typeof place === "object");
  if (current && input.on(SOFTWARE.name)) {
    if (!hsmRef(input, ctx)) return undefined;
    throw wrong("Cannot use --software together with --hsm-config", "usage.place");
  }
  const ref = hsmRef(input, ctx, { config: present?.ref.config });
  if (!ref) return undefined;
  const isPresent = present &&
    await absolutePath(ref.config, ctx.cwd) === await absolutePath(present.ref.config, ctx.cwd);
  if (isPresent) return { ...present, ref };
  return { type: "pkcs11", ref, existing, ...(current?.labels ? { earlierLabels: current.labels } : {}) };
}

function statedPlaces(
  input: Input,
  ctx: Context,
  { token, current = { encrypted: false }, ...options }: PlaceOptions & { token: TokenPlace | undefined },
): KeyPlaces {
  const stated = [PQC_IN, CLASSICAL_IN].find((flag) => input.text(flag.name) === "token");
  if (!token && stated) throw wrong(`Cannot use --${stated.name} token: --hsm-config is missing`, "usage.hsm");
  const file = softwarePlace(input, ctx, options);
  const { classical = current.pqc, pqc = classical } = current;
  // the hsm group itself says where keys go, of either kind
  const isNamed = input.text(HSM_CONFIG.name) !== undefined;
  const place = (flag: Flag, present: TokenPlace | "software" | undefined): KeyPlace => {
    const word = input.text(flag.name);
    const isFile = word === undefined ? !token || (!isNamed && present === "software") : word === "software";
    if (isFile) return file;
    if (word !== undefined || isNamed || typeof present !== "object") return token!;
    return { ...present, ref: { ...token!.ref, config: present.ref.config } };
  };
  const key = place(CLASSICAL_IN, classical);
  const pqcKey = place(PQC_IN, pqc);
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
