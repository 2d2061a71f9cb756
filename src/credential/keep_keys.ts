import { InputError } from "../errors.ts";
import { describeSpki } from "../keys/spki.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { keyGroups } from "../store/key_groups.ts";
import type { CredentialVersion } from "../store/meta.ts";
import { alternativeSpki } from "../x509/certificate.ts";
import type { Certificate } from "../x509/types.ts";
import type { KeptKeys, PartPlan } from "./make_version.ts";

/** One profile of the next version. */
export interface NextProfile {
  readonly profile: CompiledProfile;
  /** It joins those that are there: it gets new keys in any case. */
  readonly isAdded?: boolean;
}

/**
 * Gives every profile that is not added keys of the present version: those of the same profile, else others that fit.
 * @throws {InputError} `key.algorithm_mismatch` when none fits.
 */
export function keepKeys(
  next: readonly NextProfile[],
  { version, certificates }: { version: CredentialVersion; certificates: readonly Certificate[] },
): PartPlan[] {
  const free = new Set(
    keyGroups(version.keys).flatMap((entries, i): KeptKeys[] => {
      const certificate = certificates[i];
      return certificate ? [{ entries, certificate }] : [];
    }),
  );
  const namesOf = new Map([...free].map((keys, i) => [keys, version.profiles[i]]));
  const kept = new Map<NextProfile, KeptKeys>();
  for (const isSame of [true, false]) {
    for (const one of next) {
      if (one.isAdded || kept.has(one)) continue;
      const found = [...free].find((keys) =>
        (namesOf.get(keys) === one.profile.name) === isSame && fits(one.profile, keys.certificate)
      );
      if (!found) continue;
      kept.set(one, found);
      free.delete(found);
    }
  }
  return next.map((one) => {
    const keys = kept.get(one);
    if (!keys && !one.isAdded) throw mismatch(one.profile, certificates);
    return { profile: one.profile, ...(keys ? { kept: keys } : {}) };
  });
}

function fits({ rows: [row, second], mode }: CompiledProfile, certificate: Certificate): boolean {
  const alternative = alternativeSpki(certificate);
  const isPair = mode === "catalyst";
  return describeSpki(certificate.spki).row?.name === row!.name && isPair === (alternative !== undefined) &&
    (!alternative || describeSpki(alternative).row?.name === second?.name);
}

function mismatch({ name, rows }: CompiledProfile, certificates: readonly Certificate[]): InputError {
  const wanted = rows.map(({ label }) => label).join(" and ");
  const there = certificates.map((certificate) =>
    [certificate.spki, alternativeSpki(certificate)].flatMap((spki) => spki ? [describeSpki(spki).description] : [])
      .join(" and ")
  );
  return new InputError(
    `Cannot keep the keys for profile "${name}": it asks for ${wanted}, and the credential has ${there.join("; ")}`,
    {
      code: "key.algorithm_mismatch",
      object: name,
      hint: "Leave out --keep-keys to have new keys made, or choose a profile for these keys",
    },
  );
}
