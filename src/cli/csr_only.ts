import { UsageError } from "../errors.ts";
import { existsError, pathExists } from "../files.ts";
import { joinPath } from "../store/layout.ts";
import type { Context, Flag, Input } from "./command.ts";
import { FORCE, OUT, PROFILE } from "./flags.ts";

/** Leaves the certificate of a CA to another CA. */
export const CSR_ONLY: Flag = {
  name: "csr-only",
  description: "make the key and a request for another CA; the certificate comes with ca accept",
};

/** Where the request goes besides the CA's folder. */
export const CSR_OUT: Flag = { ...OUT, description: "with --csr-only: file for the request" };

/**
 * Path of the file for the request of --csr-only, absolute; undefined without --out. The command declares both flags of this
 * file, --force and --profile.
 * @throws {UsageError} for --out without a request and a request for several profiles; {OperationError} `file.exists`.
 */
export async function requestFile(input: Input, ctx: Context): Promise<string | undefined> {
  const csrOnly = input.on(CSR_ONLY.name);
  if (csrOnly && input.list(PROFILE.name).length > 1) {
    throw new UsageError("Cannot use --csr-only with several profiles: a request is for one certificate", {
      code: "usage.profiles",
    });
  }
  const out = input.text(OUT.name);
  if (out === undefined) return undefined;
  if (!csrOnly) throw new UsageError("Cannot use --out without --csr-only: the certificate goes into the CA");
  const path = joinPath(ctx.cwd, out);
  // told before there is a key
  if (!input.on(FORCE.name) && await pathExists(path)) throw existsError(out);
  return path;
}
