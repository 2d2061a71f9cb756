/**
 * The post-quantum laboratory: an isolated Debian root with OpenSSL 3.5 or newer, NSS softokn, Kryoptic, openCryptoki,
 * SoftHSM2 and BouncyCastle, in which the HSM, post-quantum and interoperability tests run.
 *
 *   deno task lab                      makes it (root on a Debian-like host; a minute or two, once)
 *   deno task lab COMMAND...           runs a command inside, the project at /qpki: `deno task lab openssl version`
 *   deno task test:lab [FILE...]       runs the laboratory's tests inside; it is made first when it is not there
 *
 * `QPKI_LAB` names another folder than /var/tmp/qpki-lab. Nothing of the host is changed but that folder. Whatever runs
 * inside has mounts, processes and a /tmp of its own, which end with it however it ends; two runs do not meet.
 * A host that has all of those tools itself, or cannot make the laboratory, runs the tests without it.
 */
import { isRequired, LAB_TOOLS, needs } from "../tests/support/require.ts";
import { capture, runInherited } from "./support/process.ts";
import { ROOT } from "./support/tree.ts";

const KRYOPTIC = "1.5.4";
const PACKAGES = [
  ...["ca-certificates", "openssl", "libnss3", "libnss3-tools", "softhsm2", "opensc", "gnutls-bin", "opencryptoki"],
  ...["cargo", "rustc", "pkg-config", "libssl-dev", "libclang-dev", "clang", "libsqlite3-dev"],
  ...["default-jdk-headless", "libbcprov-java", "libbcpkix-java", "libbcutil-java"],
];

/** A mirror that is behind its own dates serves as well. */
const UPDATE = ["apt-get", "update", "-qq", "-o", "Acquire::Check-Valid-Until=false"];

/** What a laboratory is made of, and the stamp that says so: each step is made again when its stamp is another. */
const STEPS: readonly { name: string; stamp: string; make(): Promise<void> }[] = [
  { name: "base", stamp: "Debian sid, 1", make: makeBase },
  { name: "packages", stamp: PACKAGES.join(" "), make: installPackages },
  { name: "kryoptic", stamp: KRYOPTIC, make: buildKryoptic },
];

const folder = Deno.env.get("QPKI_LAB") ?? "/var/tmp/qpki-lab";
const stampFile = (step: string) => `${folder}/.qpki-lab-${step}`;

async function must(what: string, command: readonly string[]): Promise<void> {
  console.log(`lab: ${what}`);
  const { code, output } = await capture(command, { env: { DEBIAN_FRONTEND: "noninteractive" } });
  if (code === 0) return;
  console.error(output.trimEnd().split("\n").slice(-25).join("\n"));
  throw new Error(`Cannot make the laboratory: ${what} failed (status ${code}); without ${folder} it is made anew`);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Why the laboratory cannot be made here, or undefined. */
async function obstacle(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || !exists("/etc/debian_version")) return "this is no Debian-like Linux";
  if (Deno.uid() !== 0) return "it takes root: run it with sudo";
  const { code, output } = await capture(["unshare", "--mount", "--pid", "--ipc", "--fork", "true"]);
  return code === 0 ? undefined : `this system does not let root make namespaces (${output.trim()})`;
}

/** Steps whose stamp is missing or another one. */
function stepsToMake(): typeof STEPS {
  return STEPS.filter(({ name, stamp }) =>
    !exists(stampFile(name)) || Deno.readTextFileSync(stampFile(name)) !== stamp
  );
}

/** A lock on the laboratory until disposal: `exclusive` while it is made, shared while it is used. */
async function lock(exclusive: boolean): Promise<Disposable> {
  const file = await Deno.open(`${folder}.lock`, { create: true, write: true });
  await file.lock(exclusive);
  return { [Symbol.dispose]: () => file.close() };
}

async function make(): Promise<void> {
  if (stepsToMake().length === 0) return;
  using _lock = await lock(true);
  // asked again before each: another run may have made them meanwhile, and a new base has none
  for (const step of STEPS) {
    if (!stepsToMake().includes(step)) continue;
    if (exists(stampFile(step.name))) Deno.removeSync(stampFile(step.name));
    await step.make();
    Deno.writeTextFileSync(stampFile(step.name), step.stamp);
  }
}

async function makeBase(): Promise<void> {
  if (!exists("/usr/sbin/debootstrap")) {
    await must("the list of packages", UPDATE);
    await must("installing debootstrap", ["apt-get", "install", "-y", "-qq", "debootstrap"]);
  }
  const mounted = Deno.readTextFileSync("/proc/mounts").split("\n").map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
  // removing the folder would reach through them into the host
  if (mounted.length > 0) throw new Error(`Cannot make the laboratory: unmount ${mounted.join(", ")} first`);
  if (exists(folder)) Deno.removeSync(folder, { recursive: true });
  const debootstrap = ["/usr/sbin/debootstrap", "--variant=minbase", "sid", folder];
  await must(`a minimal Debian sid in ${folder}`, [...privately(), ...debootstrap]);
}

async function installPackages(): Promise<void> {
  await must("the list of packages", await inside(UPDATE));
  const install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...PACKAGES];
  await must("OpenSSL, NSS softokn, openCryptoki, SoftHSM2, BouncyCastle, a Rust compiler", await inside(install));
  // the host's trust anchors, so that a company's proxy is trusted inside too
  const anchors = "etc/ssl/certs/ca-certificates.crt";
  if (exists(`/${anchors}`)) Deno.copyFileSync(`/${anchors}`, `${folder}/${anchors}`);
}

/** Kryoptic is published as a crate only: it is fetched as a dependency and built from its own folder. */
async function buildKryoptic(): Promise<void> {
  const script = `
    set -e
    rm -rf /var/tmp/kryoptic && mkdir -p /var/tmp/kryoptic/fetch/src && cd /var/tmp/kryoptic
    export HOME=$PWD CARGO_HOME=$PWD/cargo
    printf '[package]\\nname="fetch"\\nversion="0.1.0"\\nedition="2021"\\n[dependencies]\\nkryoptic="=${KRYOPTIC}"\\n' > fetch/Cargo.toml
    echo > fetch/src/lib.rs
    (cd fetch && cargo fetch -q)
    cp -r cargo/registry/src/*/kryoptic-${KRYOPTIC} source
    (cd source && cargo build -q --release --features pqc && cp target/release/libkryoptic_pkcs11.so /usr/local/lib/)
    cd / && rm -rf /var/tmp/kryoptic`;
  await must(`Kryoptic ${KRYOPTIC} (built from its crate)`, await inside(["sh", "-c", script]));
}

/** The words that give a command mounts, processes and shared memory of its own, which end when this process ends. */
function privately(): string[] {
  const namespaces = ["--mount", "--pid", "--ipc", "--fork", "--kill-child", "--propagation", "private"];
  return ["setpriv", "--pdeathsig", "KILL", "unshare", ...namespaces];
}

/** The words that run a command inside, the project at /qpki and Deno with its cache. */
async function inside(command: readonly string[]): Promise<string[]> {
  const { output } = await capture([Deno.execPath(), "info", "--json"]);
  const { denoDir } = JSON.parse(output) as { denoDir: string };
  const enter = ["sh", `${ROOT}/scripts/lab/enter.sh`, folder, ROOT, Deno.execPath(), denoDir];
  return [...privately(), ...enter, ...command];
}

/** Runs a command inside with this process's streams; its exit status. */
async function runInside(command: readonly string[]): Promise<number> {
  using _lock = await lock(false);
  const withTokens = ["sh", "-c", 'sh scripts/lab/opencryptoki.sh && exec "$@"', "sh", ...command];
  return await runInherited(await inside(withTokens));
}

/** Runs the tests inside, or, where `direct` says why, on the host itself. */
async function test(files: readonly string[], direct?: string): Promise<number> {
  if (direct === undefined) {
    const command = ["deno", "run", "-A", "scripts/test.ts", "--lab", ...files];
    return await runInside([
      "env",
      "QPKI_IN_LAB=1",
      "QPKI_NO_SETUP=1",
      `QPKI_TEST_REQUIRE=${LAB_TOOLS.join()}`,
      ...command,
    ]);
  }
  console.log(`lab: the tests run on this host: ${direct}`);
  const command = [Deno.execPath(), "run", "-A", `${ROOT}/scripts/test.ts`, "--lab", ...files];
  return await runInherited(command, { env: { QPKI_IN_LAB: "1" } });
}

async function main(args: readonly string[]): Promise<number> {
  const testing = args[0] === "test";
  if (testing && needs(...LAB_TOOLS) === undefined) return await test(args.slice(1), "it has every tool itself");
  const why = await obstacle();
  if (why !== undefined) {
    console.error(`lab: cannot be made: ${why}`);
    if (!testing || isRequired("lab")) return 1;
    return await test(args.slice(1), "tests whose tools are missing are skipped");
  }
  await make();
  if (testing) return await test(args.slice(1));
  if (args.length > 0) return await runInside(args);
  console.log(`lab: ready in ${folder}`);
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(`lab: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
