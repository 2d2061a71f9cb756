import { type Issuers, openIssuers } from "../ca/issuers.ts";
import { UsageError } from "../errors.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { CaStore } from "../store/ca.ts";
import { joinPath } from "../store/layout.ts";
import type { Context, Input } from "./command.ts";
import { CSR_ONLY } from "./csr_only.ts";
import { PARENT, PARENT_PASSPHRASE } from "./flags.ts";

/**
 * The CA above, open for certificates of `profiles`: the one of --parent, else `known`, the folder that metadata names.
 * Undefined when there is neither.
 * @throws {UsageError} `usage.parent` for a passphrase without a parent, and for a parent together with --csr-only.
 */
export async function openParent(
  input: Input,
  ctx: Context,
  { profiles, known }: { readonly profiles: readonly CompiledProfile[]; readonly known?: string | undefined },
): Promise<(Issuers & AsyncDisposable) | undefined> {
  const stated = input.text(PARENT.name);
  const folder = stated ?? (input.on(CSR_ONLY.name) ? undefined : known);
  const passphrase = input.text(PARENT_PASSPHRASE.name);
  if (folder === undefined) {
    if (passphrase === undefined) return undefined;
    throw new UsageError("Cannot use --parent-passphrase without --parent", { code: "usage.parent" });
  }
  if (input.on(CSR_ONLY.name)) {
    throw new UsageError("Cannot use --parent together with --csr-only: the parent would sign at once", {
      code: "usage.parent",
    });
  }
  const store = await CaStore.open(joinPath(ctx.cwd, folder));
  return await openIssuers(store, profiles, {
    deps: ctx,
    passphrase: ctx.passphrase(passphrase, `Passphrase of the parent CA ${folder}`, { flag: PARENT_PASSPHRASE.name }),
  });
}
