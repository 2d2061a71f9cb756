import { formatInstant } from "../ca/deps.ts";
import { readFileBytes } from "../files.ts";
import { CaStore, isCaFolder } from "../store/ca.ts";
import { joinPath } from "../store/layout.ts";
import { isSelfSigned, readCertificates } from "../x509/certificate.ts";
import { sameName } from "../x509/name.ts";
import type { Certificate, Crl } from "../x509/types.ts";
import type { AlternativePolicy } from "../x509/verdict.ts";
import type { Context, Flag, Input } from "./command.ts";

/** What a verification trusts: a file of certificates, or the folder of a CA. */
export const TRUST: Flag = {
  name: "ca",
  value: "FILE|DIR",
  description: "trusted certificates (with their intermediates), or the folder of a CA",
  complete: "file",
};

/** What to make of a missing alternative signature below a Catalyst CA. */
export const ALTERNATIVE: Flag = {
  name: "alternative",
  value: "POLICY",
  choices: ["required", "optional"],
  default: "required",
  description: "alternative signatures below a Catalyst CA: required, or optional (a missing one is a warning)",
};

/** The policy that {@link ALTERNATIVE} states. */
export function alternativePolicy(input: Input): AlternativePolicy {
  return input.text(ALTERNATIVE.name) === "optional" ? "optional" : "required";
}

/** Certificates of `--ca`, split by the part they play. */
export interface Trust {
  /** Ends of a chain. */
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  /** CRLs found in the folder of a CA; none for a file. */
  readonly crls: readonly Crl[];
  /** The CA whose folder it is. */
  readonly store?: CaStore;
}

/**
 * Reads what `--ca` names. Self-signed certificates are the anchors; when a file has none, everything in it is trusted.
 * @throws {InputError} for a file that holds no certificate.
 */
export async function readTrust(path: string, ctx: Context): Promise<Trust> {
  const absolute = joinPath(ctx.cwd, path);
  if (await isCaFolder(absolute)) {
    const store = await CaStore.open(absolute);
    return { ...split(await store.knownCertificates()), crls: await store.crls(), store };
  }
  return { ...split(readCertificates(await readFileBytes(absolute), path)), crls: [] };
}

/** What the index of the CA whose folder is trusted says of a certificate's revocation; undefined when nothing. */
export async function indexRevocation({ store }: Trust, certificate: Certificate): Promise<string | undefined> {
  const [own] = await store?.certificates() ?? [];
  if (!store || !own || !sameName(certificate.issuer, own.subject)) return undefined;
  const entry = (await store.entries()).find(({ serial }) => serial === certificate.serial);
  if (!entry?.revocation) return undefined;
  const { date, reason } = entry.revocation;
  return `the CA's index says that it was revoked at ${formatInstant(date)}${reason ? ` (${reason})` : ""}`;
}

function split(certificates: readonly Certificate[]): Pick<Trust, "anchors" | "intermediates"> {
  const anchors = certificates.filter(isSelfSigned);
  if (anchors.length === 0) return { anchors: certificates, intermediates: [] };
  return { anchors, intermediates: certificates.filter((one) => !isSelfSigned(one)) };
}
