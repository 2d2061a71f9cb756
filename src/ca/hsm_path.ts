import { InputError } from "../errors.ts";
import { pathExists } from "../files.ts";
import { isAbsolutePath, joinPath, parentFolder } from "../store/layout.ts";

/**
 * The hsm.yaml that metadata in `folder` means by `config`, which is kept as the operator once wrote it: an absolute path
 * as it is, a relative one seen from the current folder, then from the folder above the metadata, then beside it.
 * @throws {InputError} `hsm.config_not_found` with every path that was tried.
 */
export async function resolveHsmConfig(config: string, from: { cwd: string; folder: string }): Promise<string> {
  const folder = joinPath(from.cwd, from.folder);
  const tried = isAbsolutePath(config)
    ? [config]
    : [joinPath(from.cwd, config), joinPath(parentFolder(folder), config), joinPath(folder, config)];
  for (const path of tried) {
    if (await pathExists(path)) return path;
  }
  throw new InputError(`Cannot find the HSM configuration "${config}" that the metadata in "${from.folder}" names`, {
    code: "hsm.config_not_found",
    file: config,
    hint: `Tried ${[...new Set(tried)].join(", ")}: put the file there, or run the command from the folder it is in`,
  });
}
