/** What a test may need beyond Deno; `openssl-pqc` is OpenSSL 3.5 or later, `lab` the laboratory (scripts/lab.ts). */
export type Need =
  | ("softhsm" | "openssl" | "pkcs11-tool" | "gnutls" | "root" | "binary")
  | ("python-cose" | "go-cose")
  | ("openssl-pqc" | "nss" | "kryoptic" | "opencryptoki" | "bouncycastle" | "lab");

/** What the laboratory provides. */
export const LAB_TOOLS: readonly Need[] = [
  ...["softhsm", "openssl", "pkcs11-tool", "gnutls"] as const,
  ...["openssl-pqc", "nss", "kryoptic", "opencryptoki", "bouncycastle"] as const,
];

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

const LIBRARY_FOLDERS: readonly string[] = [
  ...["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"],
];

/** Path of SoftHSM's PKCS#11 library, or undefined; `SOFTHSM2_LIB` in the environment comes first. */
export function softhsmLibrary(): string | undefined {
  return library("SOFTHSM2_LIB", SOFTHSM_LIBRARIES);
}

/** Path of NSS's PKCS#11 library (softokn), or undefined; `NSS_SOFTOKN_LIB` comes first. */
export function nssLibrary(): string | undefined {
  return library("NSS_SOFTOKN_LIB", LIBRARY_FOLDERS.map((folder) => `${folder}/libsoftokn3.so`));
}

/** Path of Kryoptic's PKCS#11 library, or undefined; `KRYOPTIC_LIB` comes first. */
export function kryopticLibrary(): string | undefined {
  const folders = ["/usr/local/lib", ...LIBRARY_FOLDERS, ...LIBRARY_FOLDERS.map((folder) => `${folder}/pkcs11`)];
  return library("KRYOPTIC_LIB", folders.map((folder) => `${folder}/libkryoptic_pkcs11.so`));
}

/** Path of openCryptoki's PKCS#11 library, or undefined; `OPENCRYPTOKI_LIB` comes first. */
export function opencryptokiLibrary(): string | undefined {
  const folders = LIBRARY_FOLDERS.flatMap((folder) => [`${folder}/pkcs11`, `${folder}/opencryptoki`]);
  return library("OPENCRYPTOKI_LIB", folders.map((folder) => `${folder}/libopencryptoki.so`));
}

/** Java class path of BouncyCastle 1.84 or later, or undefined; `BOUNCYCASTLE_JARS` (a class path) comes first. */
export function bouncyCastleJars(): string | undefined {
  const stated = Deno.env.get("BOUNCYCASTLE_JARS");
  if (stated) return stated;
  const folder = "/usr/share/java";
  // Debian's real files carry the version, and the plain names are links to them
  const versions = namesIn(folder).map((name) => /^bcprov-1\.(\d+)/.exec(name)?.[1]).filter((v) => v !== undefined);
  const jars = ["bcprov", "bcpkix", "bcutil"].map((name) => `${folder}/${name}.jar`);
  return versions.some((minor) => Number(minor) >= 84) && jars.every(isFile) ? jars.join(":") : undefined;
}

function library(variable: string, paths: readonly string[]): string | undefined {
  const stated = Deno.env.get(variable);
  return [...(stated ? [stated] : []), ...paths].find(isFile);
}

/** Where the judges of COSE are, whether they are there or not: a Python with pycose and cwt, a program over go-cose. */
export function coseJudge(name: "python-cose" | "go-cose"): string {
  const folder = Deno.env.get("QPKI_COSE_JUDGES") ?? "/var/tmp/qpki-cose-judges";
  return `${folder}/${name === "go-cose" ? "go-cose" : "python/bin/python"}`;
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
    case "openssl-pqc":
      return opensslReason(5);
    case "nss":
      if (nssLibrary() === undefined) return "NSS softokn is not installed";
      return findExecutable("certutil") === undefined ? "certutil (NSS tools) is not on PATH" : undefined;
    case "kryoptic":
      return kryopticLibrary() === undefined ? "Kryoptic is not installed" : undefined;
    case "opencryptoki":
      return opencryptokiReason();
    case "bouncycastle":
      if (findExecutable("java") === undefined) return "java is not on PATH";
      return bouncyCastleJars() === undefined ? "BouncyCastle 1.84 or later is not installed" : undefined;
    case "python-cose":
    case "go-cose":
      return isFile(coseJudge(tool)) ? undefined : `${coseJudge(tool)} is not there (scripts/cose_judges.ts makes it)`;
    case "lab":
      return Deno.env.get("QPKI_IN_LAB") ? undefined : "it runs in the laboratory: deno task test:lab";
  }
}

function opensslReason(minor = 0): string | undefined {
  if (findExecutable("openssl") === undefined) return "openssl is not on PATH";
  const { stdout } = new Deno.Command("openssl", { args: ["version"], stdout: "piped", stderr: "null" }).outputSync();
  const version = new TextDecoder().decode(stdout).trim();
  const found = /^OpenSSL (\d+)\.(\d+)/.exec(version);
  const fits = found && (Number(found[1]) > 3 || (found[1] === "3" && Number(found[2]) >= minor));
  return fits ? undefined : `OpenSSL 3${minor > 0 ? `.${minor}` : ""} or later is needed, not ${version}`;
}

/** Its slots have one fixed configuration for the whole system: only slots made for tests are touched. */
function opencryptokiReason(): string | undefined {
  if (opencryptokiLibrary() === undefined) return "openCryptoki is not installed";
  const conf = "/etc/opencryptoki/opencryptoki.conf";
  const prepared = isFile(conf) && /tokname = qpki0/.test(Deno.readTextFileSync(conf));
  return prepared ? undefined : "openCryptoki has no slots for tests (scripts/lab/opencryptoki.sh makes them)";
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map((entry) => entry.name);
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
