/**
 * The post-quantum laboratory: an isolated Debian root with OpenSSL 3.5 or newer, NSS softokn, SoftHSM2, Kryoptic and
 * BouncyCastle, in which the HSM, post-quantum and interoperability tests run.
 *
 *   deno task lab        makes it (root on a Debian-like host; a minute or two, once)
 *   deno task test:lab   makes it when it is not there, then runs the laboratory's tests inside
 *
 * `QPKI_LAB` names another folder than /var/tmp/qpki-lab. Nothing of the host is changed but that folder.
 */

/** Raised when what the laboratory contains changes: an older one is made anew. */
const VERSION = "1";
const KRYOPTIC = "1.5.4";
const PACKAGES = [
  ...["ca-certificates", "openssl", "libnss3", "libnss3-tools", "softhsm2", "opensc", "gnutls-bin"],
  ...["cargo", "rustc", "pkg-config", "libssl-dev", "libclang-dev", "clang", "libsqlite3-dev"],
  ...["default-jdk-headless", "libbcprov-java", "libbcpkix-java", "libbcutil-java"],
];

const root = Deno.env.get("QPKI_LAB") ?? "/var/tmp/qpki-lab";
const mounts: string[] = [];

async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<boolean> {
  const status = await new Deno.Command(command, { args, env, stdin: "null" }).spawn().status;
  return status.success;
}

async function must(what: string, command: string, args: string[]): Promise<void> {
  console.log(`lab: ${what}`);
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (success) return;
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  console.error(text.split("\n").slice(-25).join("\n"));
  throw new Error(`Cannot make the laboratory: ${what} failed`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Why the laboratory cannot be made here, or undefined. */
async function obstacle(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || !(await exists("/etc/debian_version"))) return "this is no Debian-like Linux";
  if (Deno.uid() !== 0) return "it takes root (chroot): run it with sudo";
  return undefined;
}

async function make(): Promise<void> {
  const stamp = `${root}/.qpki-lab`;
  if (await Deno.readTextFile(stamp).then((text) => text.trim() === VERSION, () => false)) return;
  await unmountLeftovers();
  if (await exists(root)) await Deno.remove(root, { recursive: true });
  if (!(await exists("/usr/sbin/debootstrap"))) {
    await run("apt-get", ["update", "-qq"]);
    await must("installing debootstrap", "apt-get", ["install", "-y", "-qq", "debootstrap"]);
  }
  await must(`a minimal Debian sid in ${root}`, "debootstrap", ["--variant=minbase", "sid", root]);
  await systemMounts();
  const apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"];
  await must("OpenSSL, NSS softokn, SoftHSM2, BouncyCastle, a Rust compiler", "chroot", [root, ...apt, ...PACKAGES]);
  // The host's trust anchors, so that a company's proxy is trusted inside too.
  const anchors = "etc/ssl/certs/ca-certificates.crt";
  if (await exists(`/${anchors}`)) await Deno.copyFile(`/${anchors}`, `${root}/${anchors}`);
  await kryoptic();
  await Deno.writeTextFile(stamp, `${VERSION}\n`);
}

/** What Java's and Rust's installers need besides files. */
async function systemMounts(): Promise<void> {
  await mount(["-t", "proc", "proc"], `${root}/proc`);
  await mount(["--bind", "/dev"], `${root}/dev`);
}

/** A killed run may have left mounts; removing the folder would then reach into the host. */
async function unmountLeftovers(): Promise<void> {
  const targets = (await Deno.readTextFile("/proc/mounts")).split("\n").map((line) => line.split(" ")[1] ?? "");
  for (const target of targets.filter((path) => path.startsWith(`${root}/`)).reverse()) {
    if (!(await run("umount", [target]))) {
      throw new Error(`Cannot make the laboratory anew: ${target} is still mounted`);
    }
  }
}

/** Takes away every mount, or a later removal of the folder would reach into the host. */
async function unmountAll(): Promise<void> {
  for (const target of mounts.splice(0).reverse()) await run("umount", [target]);
}

/** Kryoptic is published as a crate only: it is fetched as a dependency and built from its own folder. */
async function kryoptic(): Promise<void> {
  const script = `
    set -e
    export HOME=/root CARGO_HOME=/root/.cargo
    mkdir -p /root/fetch/src && cd /root/fetch && echo > src/lib.rs
    printf '[package]\\nname="fetch"\\nversion="0.1.0"\\nedition="2021"\\n[dependencies]\\nkryoptic="=${KRYOPTIC}"\\n' > Cargo.toml
    cargo fetch -q
    rm -rf /root/kryoptic && cp -r /root/.cargo/registry/src/*/kryoptic-${KRYOPTIC} /root/kryoptic
    cd /root/kryoptic && cargo build -q --release --features pqc
    cp target/release/libkryoptic_pkcs11.so /usr/local/lib/
    rm -rf /root/kryoptic/target /root/fetch /root/.cargo`;
  await must(`Kryoptic ${KRYOPTIC} (built from its crate)`, "chroot", [root, "sh", "-c", script]);
}

async function mount(args: string[], target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  if (!(await run("mount", [...args, target]))) throw new Error(`Cannot mount ${target}`);
  mounts.push(target);
}

/** Runs the laboratory's tests inside, the project bound to /qpki. */
async function test(args: string[]): Promise<boolean> {
  const project = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  const denoDir = JSON.parse(
    new TextDecoder().decode((await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output()).stdout),
  ).denoDir as string;
  try {
    await systemMounts();
    await mount(["--bind", project], `${root}/qpki`);
    await mount(["--bind", denoDir], `${root}/deno-dir`);
    await Deno.copyFile(Deno.execPath(), `${root}/usr/local/bin/deno`);
    await Deno.chmod(`${root}/usr/local/bin/deno`, 0o755);
    const inside = `cd /qpki && exec deno run -A scripts/test.ts --lab ${args.join(" ")}`;
    return await run("chroot", [root, "sh", "-c", inside], {
      DENO_DIR: "/deno-dir",
      HOME: "/root",
      QPKI_IN_LAB: "1",
      PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    });
  } finally {
    await unmountAll();
  }
}

if (import.meta.main) {
  const why = await obstacle();
  if (why) {
    console.error(`lab: cannot be made: ${why}`);
    Deno.exit(Deno.args[0] === "test" ? 0 : 1);
  }
  try {
    await make();
  } finally {
    await unmountAll();
  }
  console.log(`lab: ready in ${root}`);
  if (Deno.args[0] === "test") Deno.exit((await test(Deno.args.slice(1))) ? 0 : 1);
}
