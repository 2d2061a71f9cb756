/**
 * `deno task demo [FOLDER]`: builds a small PKI with the real command line and verifies it, first with keys in files,
 * then with keys in a SoftHSM2 token where that is installed. Everything stays in the folder, `demo-pki` unless told.
 */
import { needs, softhsmLibrary } from "../tests/support/require.ts";
import { initToken } from "../tests/support/softhsm.ts";
import { missingTools } from "./setup.ts";
import { Narrator } from "./support/narrator.ts";
import { fetchDependencies } from "./support/process.ts";
import { removeIfThere, ROOT } from "./support/tree.ts";

const MARK = ".made-by-qpki-demo";
const PIN = "1234";

/** One way of keeping keys. */
interface Place {
  /** Folder below the demo's. */
  readonly folder: string;
  /** Flags that put a new key there. */
  key(name: string): string[];
  /** Flags that let a CA use its key, by the command's flag for it. */
  unlock(flag: string): string[];
  readonly env: Record<string, string>;
}

/** Makes the folder anew. @throws {Error} when it exists and is not one that a demo left. */
function emptyFolder(path: string): string {
  if (exists(path) && !exists(`${path}/${MARK}`)) {
    throw new Error(`"${path}" exists and was not made by the demo: name another folder`);
  }
  removeIfThere(path);
  Deno.mkdirSync(path, { recursive: true });
  Deno.writeTextFileSync(`${path}/${MARK}`, "");
  return Deno.realPathSync(path);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Leaves what the reader needs to go on where the demo ends: `qpki`, the passphrase, the way to the token. */
function writeStarter(folder: string): void {
  Deno.writeTextFileSync(`${folder}/passphrase.txt`, `${crypto.randomUUID()}\n`, { mode: 0o600 });
  const words = [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}/main.ts`].map((word) => `'${word}'`).join(" ");
  Deno.writeTextFileSync(`${folder}/qpki`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
}

/** Root CA, issuing CA, server credential, CRLs, verification, revocation, verification that must fail. */
async function tellStory(narrator: Narrator, place: Place): Promise<void> {
  const { folder, env } = place;
  const [root, issuing, credentials] = [`${folder}/root`, `${folder}/issuing`, `${folder}/credentials`];
  const qpki = (...words: string[]) => narrator.run(["qpki", ...words], { env });

  narrator.say("A root CA, and an issuing CA below it");
  await qpki(
    "ca",
    "init",
    "--profile",
    "ec/root-ca",
    "--var",
    "cn=Demo Root CA",
    "--ca-dir",
    root,
    ...place.key("root"),
  );
  await qpki(
    ...["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Demo Issuing CA", "--ca-dir", issuing],
    ...["--parent", root, ...place.unlock("--parent-passphrase"), ...place.key("issuing")],
  );

  narrator.say("A server's key with its certificate, and the chain that the server will send");
  await qpki(
    ...["credential", "enroll", "server", "--ca-dir", issuing, "--cred-dir", credentials, "--profile", "ec/tls-server"],
    ...["--var", "cn=server.test", "--var", "dns_names=server.test"],
    ...[...place.unlock("--ca-passphrase"), ...place.key("server")],
  );
  const chain = `${folder}/server-chain.pem`;
  await qpki("credential", "export", "server", "--cred-dir", credentials, "--bundle", "chain", "--out", chain);

  narrator.say("Both CAs publish a CRL, and the chain is verified against them");
  for (const ca of [root, issuing]) await qpki("crl", "gen", "--ca-dir", ca, ...place.unlock("--ca-passphrase"));
  const crls = ["--crl", `${issuing}/crl/ca.crl`, "--crl", `${root}/crl/ca.crl`];
  const verify = ["qpki", "cert", "verify", chain, "--ca", `${root}/ca.crt`, ...crls];
  await narrator.run(verify, { env });
  await opensslVerify(narrator, folder, 0);

  narrator.say("The server's key is lost: its certificate is revoked, and a new CRL says so");
  const serial = await serialOf(narrator, `${credentials}/server`, env);
  await qpki(
    ...["cert", "revoke", serial, "--ca-dir", issuing, "--reason", "keyCompromise", "--gen-crl"],
    ...place.unlock("--ca-passphrase"),
  );
  await narrator.run(verify, { env, status: 1 });
  await opensslVerify(narrator, folder, 2);
  await qpki("cert", "list", "--ca-dir", issuing);
}

async function serialOf(narrator: Narrator, credential: string, env: Record<string, string>): Promise<string> {
  const parts = credential.split("/");
  const id = parts.pop()!;
  const text = await narrator.run(
    ["qpki", "credential", "info", id, "--cred-dir", parts.join("/"), "--json"],
    { env, quiet: true },
  );
  const serial = /"serial": *"([0-9A-Fa-fx]+)"/.exec(text)?.[1];
  if (serial === undefined) throw new Error("credential info names no serial");
  return serial;
}

/** The same verification by OpenSSL, where it is installed: status 0 or, for a certificate that is not valid, 2. */
async function opensslVerify(narrator: Narrator, folder: string, status: number): Promise<void> {
  if (needs("openssl") !== undefined) return;
  await narrator.run([
    ...["openssl", "verify", "-crl_check_all", "-CAfile", `${folder}/root/ca.crt`],
    ...["-CRLfile", `${folder}/issuing/crl/ca.crl`, "-CRLfile", `${folder}/root/crl/ca.crl`],
    ...["-untrusted", `${folder}/server-chain.pem`, `${folder}/server-chain.pem`],
  ], { status });
}

async function softwareStory(narrator: Narrator): Promise<void> {
  narrator.chapter("1. Keys in encrypted files");
  console.log("(the passphrase is in the owner's file passphrase.txt)");
  await tellStory(narrator, {
    folder: "software",
    key: () => ["--passphrase", "file:passphrase.txt"],
    unlock: (flag) => [flag, "file:passphrase.txt"],
    env: {},
  });
}

async function tokenStory(narrator: Narrator, folder: string): Promise<void> {
  narrator.chapter("2. Keys in a PKCS#11 token (SoftHSM2)");
  const lib = softhsmLibrary();
  if (needs("softhsm") !== undefined || lib === undefined) {
    console.log(`Left out, as SoftHSM2 is not installed. To see it: ${missingTools().command}`);
    return;
  }
  Deno.mkdirSync(`${folder}/hsm/tokens`, { recursive: true, mode: 0o700 });
  const conf = `${folder}/hsm/softhsm2.conf`;
  Deno.writeTextFileSync(conf, `directories.tokendir = ${folder}/hsm/tokens\nlog.level = ERROR\n`);
  initToken(conf, { label: "Demo", pin: PIN, soPin: "12345678" });
  Deno.writeTextFileSync(
    `${folder}/hsm.yaml`,
    `type: pkcs11\npkcs11:\n  lib: ${lib}\n  token: "Demo"\n  pin_env: HSM_PIN\n`,
  );
  const env = { SOFTHSM2_CONF: conf, HSM_PIN: PIN };
  const exports = Object.entries(env).map(([name, value]) => `export ${name}='${value}'\n`);
  Deno.writeTextFileSync(`${folder}/token.env`, exports.join(""), { mode: 0o600 });
  console.log("(a token of its own in hsm/, described by hsm.yaml; the PIN comes from the environment: HSM_PIN)");
  await narrator.run(["qpki", "hsm", "list", "--hsm-config", "hsm.yaml"], { env });
  await narrator.run(["qpki", "hsm", "test", "--hsm-config", "hsm.yaml"], { env });
  await tellStory(narrator, {
    folder: "token",
    key: (name) => ["--hsm-config", "hsm.yaml", "--key-label", `${name}-key`],
    unlock: () => [],
    env,
  });
  narrator.say("The three private keys are in the token and cannot leave it");
  await narrator.run(["qpki", "key", "list", "--hsm-config", "hsm.yaml"], { env });
}

async function demo(): Promise<void> {
  const begin = performance.now();
  await fetchDependencies(ROOT);
  const folder = emptyFolder(Deno.args[0] ?? "demo-pki");
  writeStarter(folder);
  const narrator = new Narrator(folder, { qpki: [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}/main.ts`] });
  await softwareStory(narrator);
  await tokenStory(narrator, folder);
  console.log(`\nDone in ${((performance.now() - begin) / 1000).toFixed(1)} s. The result is in ${folder}`);
  console.log(`To go on from there:  cd ${folder} && ./qpki ca info --ca-dir software/issuing`);
  if (exists(`${folder}/token.env`)) {
    console.log("and, with the token:   . ./token.env && ./qpki hsm info --hsm-config hsm.yaml");
  }
}

try {
  await demo();
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
