/**
 * Provides the tools that the tests judge by: SoftHSM2 as the token, OpenSSL, GnuTLS and pkcs11-tool as other
 * implementations. As root on Debian or Ubuntu it installs what is missing; elsewhere it says the one command to run.
 */
import { type Need, needs, PACKAGES } from "../tests/support/require.ts";
import { provideCoseJudges } from "./cose_judges.ts";
import { capture } from "./support/process.ts";

/** What is missing, and how to get it. */
export interface ToolReport {
  readonly missing: readonly Need[];
  /** One command that brings everything. */
  readonly command: string;
}

/** Tools that cannot be used here, and the command that installs all of them on this system. */
export function missingTools(): ToolReport {
  const missing = (Object.keys(PACKAGES) as Need[]).filter((tool) => needs(tool) !== undefined);
  return { missing, command: installCommand(missing) };
}

/** Installs what is missing where that is possible without asking; tells the outcome line by line. */
export async function provideTools(print: (line: string) => void): Promise<ToolReport> {
  if (!Deno.env.get("QPKI_NO_SETUP")) await provideCoseJudges(print);
  const before = missingTools();
  if (before.missing.length === 0) return before;
  if (!isDebian() || Deno.uid() !== 0 || Deno.env.get("QPKI_NO_SETUP")) {
    print(`Missing: ${before.missing.join(", ")}. Tests that need them are skipped. To run them all:`);
    print(`  ${before.command}`);
    return before;
  }
  const packages = packagesOf(before.missing);
  print(`Installing ${packages.join(" ")} by apt-get`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", ...packages]]) {
    const { code, output } = await capture(["apt-get", ...args], { env, timeout: 600_000 });
    if (code !== 0) print(`apt-get ${args[0]} failed with status ${code}:\n${output}`);
  }
  const after = missingTools();
  if (after.missing.length > 0) print(`Still missing: ${after.missing.join(", ")}`);
  return after;
}

function installCommand(missing: readonly Need[]): string {
  if (Deno.build.os === "darwin") return "brew install softhsm opensc openssl@3 gnutls";
  if (Deno.build.os === "windows") return "Install SoftHSM2, OpenSC, OpenSSL 3 and GnuTLS, and put them on PATH";
  if (isDebian()) return `sudo apt-get install -y ${packagesOf(missing).join(" ")}`;
  return "sudo dnf install -y softhsm opensc openssl gnutls-utils   # or your system's own packages of these names";
}

function packagesOf(missing: readonly Need[]): string[] {
  return missing.map((tool) => PACKAGES[tool]).filter((name) => name !== undefined);
}

function isDebian(): boolean {
  try {
    return Deno.statSync("/etc/debian_version").isFile && Deno.statSync("/usr/bin/apt-get").isFile;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const { missing } = await provideTools((line) => console.log(line));
  if (missing.length === 0) console.log("Every tool the tests need is here");
  Deno.exit(missing.length === 0 ? 0 : 1);
}
