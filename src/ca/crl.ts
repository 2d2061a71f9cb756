import { type KeyRow, lookUpKeyRow } from "../alg/find.ts";
import { audited } from "../audit/trail.ts";
import type { Bytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { sha256Hex } from "../keys/digest.ts";
import { CRL_FOLDER } from "../store/layout.ts";
import { keyGroups } from "../store/key_groups.ts";
import { keyUsage, subjectKeyId } from "../x509/certificate.ts";
import { buildCrl, verifyCrl } from "../x509/crl.ts";
import type { Crl, RevokedCertificate } from "../x509/types.ts";
import { caFacts } from "./audit_facts.ts";
import type { CaCertificate } from "./certificates.ts";
import { crlName, removeSuperseded } from "./crl_files.ts";
import { changeOptions, checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { type Announcer, announcingCrl } from "./intents.ts";
import { checkIssuer } from "./issue.ts";
import { IssuingVersions } from "./issuing_version.ts";
import type { OpenCa } from "./signer.ts";

/** A CRL that was made. */
export interface GeneratedCrl {
  readonly crl: Crl;
  /** Path of the PEM file below the CA's folder; the DER file has `.der` behind it. */
  readonly path: string;
}

/** When a CRL ends: so many days after it is made, or at a moment. */
export type CrlOptions = { readonly days: number } | { readonly nextUpdate: Date };

const MILLISECONDS_A_DAY = 86_400_000;

/**
 * Makes the next CRL of a version of a CA, of what that version issued: its number is durable before the signature exists, so that no number ever stands for two.
 * The lock is held all along: a later number always replaces an earlier one.
 * @throws {OperationError} `crl.not_allowed` when the CA's certificate forbids it, `ca.expired`, `ca.locked`.
 * @throws {InputError} `index.damaged`, `crlnumber.damaged`, `crl.next_update`.
 */
export async function generateCrl(
  ca: OpenCa,
  options: CrlOptions & { readonly versions?: IssuingVersions },
  deps: Deps,
): Promise<GeneratedCrl> {
  const authorityKeyId = checkCrlIssuer(ca, deps);
  const versions = options.versions ?? await IssuingVersions.open(ca.store);
  const event = { event: "crl.gen", ...caFacts(ca.store, ca.versionId) };
  return await audited(deps.audit, event, {
    work: () => makeCrl(ca, { ...options, authorityKeyId, versions }, deps),
    facts: async ({ crl, path }) => ({
      details: {
        path,
        number: crl.number,
        revoked: crl.revoked.length,
        next_update: crl.nextUpdate && formatInstant(crl.nextUpdate),
        crl_sha256: await sha256Hex(crl.der),
      },
    }),
  });
}

async function makeCrl(
  ca: OpenCa,
  options: CrlOptions & { readonly authorityKeyId: Bytes; readonly versions: IssuingVersions },
  deps: Deps,
): Promise<GeneratedCrl> {
  const { authorityKeyId, versions } = options;
  const made = await ca.store.change("crl", async (change) => {
    checkInterrupted(deps);
    const thisUpdate = wholeSecond(deps);
    const nextUpdate = "days" in options
      ? new Date(thisUpdate.getTime() + options.days * MILLISECONDS_A_DAY)
      : options.nextUpdate;
    if (nextUpdate <= thisUpdate) {
      throw new InputError(`Cannot make a CRL until ${formatInstant(nextUpdate)}: that is past`, {
        code: "crl.next_update",
      });
    }
    const entries = (await change.rows()).map((row) => row.entry).filter((entry) => entry.revocation !== undefined);
    const revoked = await versions.entriesOf(ca.versionId, entries);
    const number = await change.takeCrlNumber();
    const facts = { number, thisUpdate, nextUpdate, revoked: revoked.length, issuerVersion: ca.versionId };
    const announcer: Announcer = {
      async intend(intent) {
        await change.intend(intent);
        await ca.anchor?.advance(change.journalHead);
      },
    };
    const { signer, altSigner } = announcingCrl(ca, announcer, facts);
    const crl = await buildCrl(
      {
        issuer: ca.certificate.subject,
        authorityKeyId,
        thisUpdate,
        nextUpdate,
        number,
        revoked: revoked.map((entry): RevokedCertificate => ({
          serial: entry.serial,
          revocationDate: entry.revocation!.date,
          ...(entry.revocation!.reason === undefined ? {} : { reason: entry.revocation!.reason }),
        })),
      },
      signer,
      altSigner,
    );
    const verdict = await verifyCrl(crl, ca.certificate);
    if (!verdict.valid) {
      throw new OperationError(
        `Cannot make the CRL: the new signature does not verify (${verdict.reason ?? "invalid"})`,
        {
          code: "crl.unverified",
        },
      );
    }
    const name = crlName(ca.identity, {
      count: keyGroups(ca.version.keys).length,
      ...(change.meta.active === ca.versionId ? {} : { former: ca.versionId }),
    });
    await change.writeCrl(crl.der, name);
    return { crl, path: `${CRL_FOLDER}/${name}.crl` };
  }, changeOptions(deps));
  await removeSuperseded(ca.store, versions, made);
  return made;
}

/**
 * Which certificates of a CA a word means: all without one, else those of a key family (`ml-dsa`, or `ml` as in names of
 * profiles), of an algorithm, of a mode (`catalyst`), or the one with this name. A Catalyst one counts for its alternative key where no other does.
 */
export function certificatesFor(all: readonly CaCertificate[], word?: string): readonly CaCertificate[] {
  if (word === undefined) return all;
  const lower = word.toLowerCase();
  const wanted = PROFILE_FAMILIES[lower] ?? lookUpKeyRow(lower)?.name ?? lower;
  const isRow = (row: KeyRow | undefined) => row !== undefined && (row.name === wanted || row.family === wanted);
  return [
    all.filter(({ name, mode }) => name === wanted || (mode !== "simple" && mode === wanted)),
    all.filter(({ mode, row }) => mode !== "catalyst" && isRow(row)),
    all.filter(({ row, alternativeRow }) => isRow(row) || isRow(alternativeRow)),
  ].find((some) => some.length > 0) ?? [];
}

/** Families of profiles whose keys have another name; the others are called as their keys or their mode. */
const PROFILE_FAMILIES: Readonly<Record<string, string>> = { ec: "ecdsa", ml: "ml-dsa", slh: "slh-dsa" };

function checkCrlIssuer(ca: OpenCa, deps: Deps) {
  checkIssuer(ca.certificate, wholeSecond(deps));
  const usage = keyUsage(ca.certificate);
  const authorityKeyId = subjectKeyId(ca.certificate);
  if ((usage && !usage.includes("cRLSign")) || !authorityKeyId) {
    throw new OperationError(
      `Cannot make a CRL of "${ca.store.folder}": its certificate ${
        authorityKeyId ? "lacks the key usage cRLSign" : "has no subjectKeyIdentifier"
      }`,
      { code: "crl.not_allowed", object: ca.store.folder },
    );
  }
  return authorityKeyId;
}
