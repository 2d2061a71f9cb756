import type { Findings } from "./check_report.ts";

/** A temporary file of a write that never ended: the name of its target, eight hex digits, `.tmp`. */
const TEMPORARY = /\.[0-9a-f]{8}\.tmp$/;

/** Folders deeper than this hold nothing of ours. */
const MAX_DEPTH = 6;

/** Looks for what interrupted commands left in a folder. */
export async function checkLeftovers(folder: string, findings: Findings): Promise<void> {
  for (const file of await temporaryFiles(folder, "", MAX_DEPTH)) {
    findings.warning("leftover.temporary", `"${file}" was left by a command that was interrupted`, {
      file,
      hint: "Run: qpki ca check --repair",
      fix: async () => {
        await Deno.remove(`${folder}/${file}`).catch(() => {});
        return `"${file}" removed`;
      },
    });
  }
}

/** Names relative to `folder`, sorted; links are not followed. */
async function temporaryFiles(folder: string, below: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name, isFile, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
      const path = below + name;
      if (isFile && TEMPORARY.test(name)) found.push(path);
      else if (isDirectory && depth > 0) found.push(...await temporaryFiles(folder, `${path}/`, depth - 1));
    }
  } catch { /* told by those who need what is in it */ }
  return found.sort();
}
