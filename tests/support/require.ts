/** What a test may need beyond Deno. */
export type Need = "softhsm" | "openssl" | "pkcs11-tool" | "gnutls" | "root" | "binary";

/** The Debian package that brings each tool, for messages and `scripts/setup.ts`. */
export const PACKAGES: Readonly<Partial<Record<Need, string>>> = Object.freeze({
  softhsm: "softhsm2",
  openssl: "openssl",
  "pkcs11-tool": "opensc",
  gnutls: "gnutls-bin",
});

const SOFTHSM_LIBRARIES: readonly string[] = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  "/usr/lib64/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
  "/usr/local/opt/softhsm/lib/softhsm/libsofthsm2.so",
];

/** Path of SoftHSM's PKCS#11 library, or undefined; `SOFTHSM2_LIB` in the environment comes first. */
export function softhsmLibrary(): string | undefined {
  const stated = Deno.env.get("SOFTHSM2_LIB");
  return [...(stated ? [stated] : []), ...SOFTHSM_LIBRARIES].find(isFile);
}

/** Path of an executable found on PATH, or undefined. */
export function findExecutable(name: string): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  const file = Deno.build.os === "windows" ? `${name}.exe` : name;
  return folders.filter((folder) => folder !== "").map((folder) => `${folder}/${file}`).find(isFile);
}

/** Why a test that needs all of these cannot run here, in words; undefined when it can. */
export function needs(...tools: Need[]): string | undefined {
  const reasons = tools.map(missing).filter((reason) => reason !== undefined);
  return reasons.length === 0 ? undefined : reasons.join("; ");
}

/** Whether `QPKI_TEST_REQUIRE` (a comma-separated list, or `all`) makes the absence of this tool a failure. */
export function isRequired(tool: Need): boolean {
  const stated = (Deno.env.get("QPKI_TEST_REQUIRE") ?? "").split(",").map((word) => word.trim());
  return stated.includes(tool) || stated.includes("all");
}

/** Settings of {@link testWith}. */
export interface TestSettings extends Pick<Deno.TestDefinition, "sanitizeOps" | "sanitizeResources" | "only"> {
  needs?: Need[];
  /** A reason found by the test file itself why this one is skipped, for example a mechanism the token lacks. */
  skip?: string | undefined;
}

/**
 * Registers a test that needs tools. Without them it is skipped with the reason in its name, so that the report shows
 * and counts it; a tool named in `QPKI_TEST_REQUIRE` makes it fail instead.
 */
export function testWith(name: string, settings: TestSettings, fn: (t: Deno.TestContext) => void | Promise<void>) {
  const { needs: tools = [], skip, ...rest } = settings;
  const required = tools.filter(isRequired).map(missing).filter((reason) => reason !== undefined);
  if (required.length > 0) {
    Deno.test({
      ...rest,
      name,
      fn: () => {
        throw new Error(`This test needs a tool that QPKI_TEST_REQUIRE demands: ${required.join("; ")}`);
      },
    });
    return;
  }
  const reason = skip ?? needs(...tools);
  if (reason === undefined) Deno.test({ ...rest, name, fn });
  else Deno.test({ ...rest, name: `${name} [skipped: ${reason}]`, ignore: true, fn });
}

function missing(tool: Need): string | undefined {
  switch (tool) {
    case "softhsm":
      if (softhsmLibrary() === undefined) return "SoftHSM2's library is not installed";
      return findExecutable("softhsm2-util") === undefined ? "softhsm2-util is not on PATH" : undefined;
    case "openssl":
      return opensslReason();
    case "pkcs11-tool":
      return findExecutable("pkcs11-tool") === undefined ? "pkcs11-tool (OpenSC) is not on PATH" : undefined;
    case "gnutls":
      // macOS has a different program called certtool
      return findExecutable("gnutls-cli") === undefined || findExecutable("certtool") === undefined
        ? "certtool (GnuTLS) is not on PATH"
        : undefined;
    case "root":
      return Deno.build.os !== "windows" && Deno.uid() === 0 ? undefined : "root is needed";
    case "binary":
      return Deno.env.get("QPKI_BIN") ? undefined : "QPKI_BIN does not name a built qpki";
  }
}

function opensslReason(): string | undefined {
  if (findExecutable("openssl") === undefined) return "openssl is not on PATH";
  const { stdout } = new Deno.Command("openssl", { args: ["version"], stdout: "piped", stderr: "null" }).outputSync();
  const version = new TextDecoder().decode(stdout).trim();
  return /^OpenSSL [3-9]/.test(version) ? undefined : `OpenSSL 3 or later is needed, not ${version}`;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
