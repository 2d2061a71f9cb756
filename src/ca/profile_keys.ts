import type { SchemeRow } from "../alg/find.ts";
import type { Key } from "../keys/types.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { FileNames } from "../store/file_names.ts";
import type { KeyEntry, KeyStorage } from "../store/meta.ts";
import { type HolderKey, holderKey } from "./holder_key.ts";
import { keyParts } from "./key_parts.ts";
import { type KeyPlaces, placeOf, type WantedKey } from "./obtain_keys.ts";

/** From profiles to the keys they ask for, and back from the keys to the holders of their certificates. */

/** One profile, and what its keys will sign with where that is decided already. */
export interface KeyedProfile {
  readonly profile: CompiledProfile;
  readonly scheme?: SchemeRow;
}

/** What keys are called. */
export interface KeyNames {
  /** Where a key file is made, absolute, and what metadata calls it; `name` is its algorithm, unique. */
  file(name: string): { readonly path: string; readonly stored: string };
  /** Label in a token when the operator gave none. */
  readonly label?: string | undefined;
  /** Numbers such a label although there is one profile. */
  readonly isNumbered?: boolean;
  /** Labels that are settled, one a profile; they go before `label` and are not numbered. */
  readonly labels?: readonly (string | undefined)[];
}

/** Every key of every profile, with its place. In a token `-0`, `-1`, … tell several profiles apart; a pair shares a label. */
export function wantedKeys(profiles: readonly KeyedProfile[], places: KeyPlaces, names: KeyNames): WantedKey[] {
  const files = new FileNames();
  return profiles.flatMap(({ profile, scheme }, i) =>
    keyParts(profile, scheme).map((part): WantedKey => {
      const place = placeOf(part, places);
      const wanted = { part, place, profileName: profile.name, file: names.file(files.next(part.row.name)) };
      if (place.type !== "pkcs11") return wanted;
      const settled = place.ref.label === undefined ? names.labels?.[i] : undefined;
      if (settled !== undefined) return { ...wanted, label: settled };
      const label = place.ref.label ?? names.label;
      if (label === undefined) return wanted;
      const isNumbered = profiles.length > 1 || (place.ref.label === undefined && names.isNumbered === true);
      return { ...wanted, label: isNumbered ? `${label}-${i}` : label };
    })
  );
}

/** Where a wanted key will be, as metadata will say; the id of one in a token is random unless it was given. */
export function plannedStorage({ place, file, label }: WantedKey): KeyStorage {
  if (place.type === "software") return { type: "software", path: file.stored };
  return {
    type: "pkcs11",
    config: place.storedConfig ?? place.ref.config,
    ...(label === undefined ? {} : { label }),
    ...(place.ref.keyId === undefined ? {} : { key_id: place.ref.keyId }),
  };
}

/** The keys of one profile as one, and as metadata lists them. */
export interface ProfileKeys {
  readonly key: HolderKey;
  readonly entries: readonly KeyEntry[];
}

/** The keys made for {@link wantedKeys}, by profile. */
export function keysOfProfiles(
  profiles: readonly KeyedProfile[],
  { keys, entries }: { readonly keys: readonly Key[]; readonly entries: readonly KeyEntry[] },
): ProfileKeys[] {
  let at = 0;
  return profiles.map(({ profile, scheme }) => {
    const start = at;
    at += keyParts(profile, scheme).length;
    return { key: holderKey(profile, keys.slice(start, at)), entries: entries.slice(start, at) };
  });
}
