import { audited } from "../audit/trail.ts";
import { OperationError, TokenError } from "../errors.ts";
import type { CaStore } from "../store/ca.ts";
import { versionFolder } from "../store/layout.ts";
import { isAwaited, type KeyEntry } from "../store/meta.ts";
import { caFacts } from "./audit_facts.ts";
import { changeOptions, type Deps, wholeSecond } from "./deps.ts";
import { deleteCommand } from "./new_key.ts";
import { locateKey } from "./signer.ts";
import { namedVersion } from "./versions.ts";

/** A pending version that was removed. */
export interface Discarded {
  readonly versionId: string;
  /** Keys in a token that are still there, with the command that deletes each. */
  readonly keptKeys: readonly { readonly entry: KeyEntry; readonly command: string }[];
  /** Serials of link certificates, which are revoked. */
  readonly revoked: readonly string[];
  /** Serials of certificates that the CA above issued. */
  readonly issuedAbove: readonly string[];
}

/**
 * Removes a pending version: its key files and certificates go, its keys in a token only with `tokenKeys`, and its link
 * certificates are revoked. The keys go first: interrupted, the command can be given again.
 * @throws {InputError} `version.unknown`; {OperationError} `version.not_pending`, `ca.locked`; what a token throws.
 */
export async function discardVersion(
  store: CaStore,
  wanted: string,
  { deps, tokenKeys }: { deps: Deps; tokenKeys: boolean },
): Promise<Discarded> {
  const { id } = namedVersion(store, wanted);
  const event = { event: "ca.discard", ...caFacts(store, id) };
  return await audited(deps.audit, event, {
    work: () => discard(store, id, { deps, tokenKeys }),
    facts: ({ revoked }) => ({ details: { revoked } }),
  });
}

async function discard(
  store: CaStore,
  id: string,
  { deps, tokenKeys }: { deps: Deps; tokenKeys: boolean },
): Promise<Discarded> {
  const result = await store.change("discard", async (change): Promise<Discarded> => {
    const version = change.meta.versions[id];
    if (!version || version.status !== "pending") {
      throw new OperationError(
        `Cannot discard version ${id} of the CA "${store.folder}": it is ${version?.status ?? "gone"}, not pending`,
        { code: "version.not_pending", object: id },
      );
    }
    const issuedAbove = store.meta.role === "subordinate" && !isAwaited(version)
      ? (await store.certificates(id)).map(({ serial }) => serial)
      : [];
    const keptKeys = await removeKeys(store, version.keys, { deps, tokenKeys });
    const serials = (version.cross_certificates ?? []).map(({ serial }) => serial);
    const rows = await change.rows();
    for (const row of rows.filter(({ entry }) => serials.includes(entry.serial) && !entry.revocation)) {
      await change.revoke(row, { date: wholeSecond(deps), reason: "cessationOfOperation" });
    }
    const versions = { ...change.meta.versions };
    delete versions[id];
    await change.writeMeta({ ...change.meta, versions });
    return { versionId: id, keptKeys, revoked: serials, issuedAbove };
  }, changeOptions(deps));
  // nothing names it any more
  await Deno.remove(store.path(versionFolder(id)), { recursive: true }).catch(() => {});
  return result;
}

async function removeKeys(
  store: CaStore,
  entries: readonly KeyEntry[],
  { deps, tokenKeys }: { deps: Deps; tokenKeys: boolean },
): Promise<Discarded["keptKeys"]> {
  const kept: Discarded["keptKeys"][number][] = [];
  for (const entry of entries) {
    const { request, ref } = await locateKey(entry, { folder: store.folder, deps });
    if (ref.type === "software") {
      await Deno.remove(ref.path).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    } else if (!tokenKeys) {
      kept.push({ entry, command: deleteCommand(ref) });
    } else {
      await using provider = await deps.openProvider(request);
      await provider.delete(ref).catch((error) => {
        if (!(error instanceof TokenError) || error.code !== "key.not_found") throw error;
      });
    }
  }
  return kept;
}
