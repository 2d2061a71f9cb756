import { audited } from "../../../audit/trail.ts";
import { caFacts } from "../../../ca/audit_facts.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { restoreBackup, verifyBackup } from "../../../store/restore.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, FILE_ARGUMENT } from "../../flags.ts";

const FORCE = { name: "force", description: "put a CA that is there aside, under a name with the time" };
const DRY_RUN = { name: "dry-run", description: "verify the archive and say what is in it; write nothing" };

/** `qpki ca restore FILE`. */
const command: Command = {
  summary: "Restore a CA from a backup, after verifying all of it",
  details:
    "Every checksum, path and permission, the metadata and the index are verified before anything is written; then the " +
    "CA appears as a whole. An existing CA stays where it is unless --force is given: then it is kept beside the " +
    "restored one, and its CRL number goes on.",
  args: [{ ...FILE_ARGUMENT, description: "archive that ca backup wrote" }],
  flags: [CA_DIR, FORCE, DRY_RUN],
  examples: [
    "qpki ca restore ca-backup.tar --ca-dir ./restored-ca",
    "qpki ca restore ca-backup.tar --dry-run --json",
  ],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const folder = input.text(CA_DIR.name)!;
    const backup = await verifyBackup(await readFileBytes(joinPath(ctx.cwd, file)));
    const files = backup.entries.filter(({ content }) => content).length;
    const found = {
      archive: file,
      subject: backup.meta.subject,
      active: backup.meta.active,
      versions: Object.keys(backup.meta.versions),
      files,
      left_out: backup.leftOut,
      missing_keys: backup.missingKeys,
    };
    const missing = backup.missingKeys.length === 0
      ? []
      : [`  Keys:        not in the backup: ${backup.missingKeys.join(", ")}`];
    if (input.on(DRY_RUN.name)) {
      const text = [
        `The backup ${file} is whole`,
        `  CA:          ${backup.meta.subject.common_name ?? ""}`,
        `  Files:       ${files}`,
        ...missing,
      ].join("\n");
      return { data: { ...found, restored: false }, text };
    }
    const options = { force: input.on(FORCE.name), now: ctx.now(), signal: ctx.signal };
    const target = joinPath(ctx.cwd, folder);
    const event = { event: "ca.restore", ...caFacts({ folder: target, meta: backup.meta }) };
    const restored = await audited(ctx.audit, event, {
      work: () => restoreBackup(backup, target, options),
      facts: ({ aside }) => ({ details: { archive: joinPath(ctx.cwd, file), aside } }),
    });
    const aside = restored.aside === undefined ? undefined : restored.aside.replace(joinPath(ctx.cwd, folder), folder);
    if (restored.unknown.length > 0) {
      const serials = restored.unknown.slice(0, 5).join(", ");
      const more = restored.unknown.length > 5 ? ` and ${restored.unknown.length - 5} more` : "";
      ctx.warn(
        `The backup does not know what became of certificates since it was made: ${serials}${more}; see ${aside}`,
      );
    }
    const data = {
      ...found,
      restored: true,
      path: folder,
      aside: aside ?? null,
      unknown: restored.unknown,
      crl_number: restored.crlNumber ?? null,
    };
    const text = [
      `CA restored to ${folder}`,
      `  Files:       ${files}`,
      ...missing,
      ...(aside === undefined ? [] : [`  Before:      ${aside}`]),
      ...(restored.crlNumber === undefined ? [] : [`  CRL number:  ${restored.crlNumber}, from the CA that was there`]),
      "Make CRLs anew with a number above the last one published: qpki crl list, qpki crl gen",
    ].join("\n");
    return { data, text };
  },
};
export default command;
