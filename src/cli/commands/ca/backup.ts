import { audited } from "../../../audit/trail.ts";
import { caFacts } from "../../../ca/audit_facts.ts";
import { existsError, pathExists, writeFileDurably } from "../../../files.ts";
import { sha256Hex } from "../../../keys/digest.ts";
import { changeOptions } from "../../../ca/deps.ts";
import { backupCa } from "../../../store/backup.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, FORCE, OUT, required } from "../../flags.ts";

/** Takes key files in that anybody could use. */
const PLAIN_KEYS = {
  name: "include-plain-keys",
  description: "take in private key files that are not encrypted too",
};

/** `qpki ca backup`. */
const command: Command = {
  summary: "Write a CA into one archive, with checksums",
  details:
    "A tar archive of everything that belongs to the CA, taken under its lock. Its first file, MANIFEST, has the SHA-256 " +
    "of every other one. The same state of a CA is always the same bytes. Private key files are taken in when they are " +
    "encrypted (PBES2), others only with --include-plain-keys; keys in tokens are not files. What is left out is named.",
  flags: [CA_DIR, required(OUT), PLAIN_KEYS, FORCE],
  examples: ["qpki ca backup --ca-dir ./ca --out ca-backup.tar"],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const out = input.text(OUT.name)!;
    const path = joinPath(ctx.cwd, out);
    if (!input.on(FORCE.name) && await pathExists(path)) throw existsError(out);
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const options = { ...changeOptions(ctx), plainKeys: input.on(PLAIN_KEYS.name) };
    const { archive, files, leftOut } = await audited(ctx.audit, { event: "ca.backup", ...caFacts(store) }, {
      async work() {
        const made = await backupCa(store, options);
        // whoever has the keys, encrypted as they are, has a start
        await writeFileDurably(path, made.archive, { mode: 0o600, overwrite: input.on(FORCE.name) });
        return made;
      },
      facts: async (made) => ({
        details: { out: path, sha256: await sha256Hex(made.archive), plain_keys: options.plainKeys },
      }),
    });
    const tokenKeys = Object.entries(store.meta.versions).flatMap(([version, { keys }]) =>
      keys.flatMap(({ id, storage }) => storage.type === "pkcs11" ? [{ version, id, storage }] : [])
    );
    const data = {
      path: folder,
      out,
      size: archive.length,
      sha256: await sha256Hex(archive),
      files,
      left_out: leftOut,
      token_keys: tokenKeys,
    };
    for (const { path: file, reason } of leftOut) ctx.warn(`Not in the backup: ${file} (${reason})`);
    const text = [
      `Backup written to ${out}`,
      `  Files:       ${files}`,
      `  Size:        ${archive.length} bytes`,
      `  SHA-256:     ${data.sha256}`,
      ...(leftOut.length > 0 ? [`  Left out:    ${leftOut.map((one) => one.path).join(", ")}`] : []),
      ...(tokenKeys.length > 0
        ? [`  In tokens:   ${tokenKeys.map(({ storage }) => `"${storage.label ?? storage.key_id}"`).join(", ")}`]
        : []),
    ].join("\n");
    return { data, text };
  },
};
export default command;
