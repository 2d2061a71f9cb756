import assert from "node:assert/strict";
import { formatIndexLine } from "../../src/store/index_txt.ts";
import { readCertificates } from "../../src/x509/certificate.ts";
import { formatOneLine } from "../../src/x509/name.ts";
import { qpkiCommand, run, runOk, type RunResult } from "./cli.ts";
import { shellWords } from "./in_process.ts";
import { findExecutable, needs, softhsmLibrary } from "./require.ts";
import { initToken } from "./softhsm.ts";
import { type TempFolder, tempFolder } from "./tmp.ts";
import { copyTree } from "./tree.ts";

/*
 * A place in which the examples of the commands' help can run as they stand: a CA, files and a token of the names that
 * they use. Each run gets a copy of it, so that none lives on what another one left.
 */

const PIN = "1234";
const SERIAL = "1A2B3C";

/** Environment of the examples. */
const ENV = {
  HSM_PIN: PIN,
  CA_PASSPHRASE: "correct horse",
  KEY_PASSPHRASE: "battery staple",
  P12_PASSPHRASE: "staple gun",
  CI: "1",
};

/** Fills `tmp` with what the examples name, and beside it the tokens. */
export async function prepareExamples(tmp: TempFolder): Promise<void> {
  const here = { cwd: tmp.join("work"), env: { ...ENV, SOFTHSM2_CONF: tokenConf(tmp, "full") } };
  Deno.mkdirSync(here.cwd);
  const qpki = (line: string) => runOk(shellWords(line), here);
  await qpki("ca init --profile ec/root-ca --var cn=Root --ca-dir ./ca");
  await qpki("ca init --profile ec/root-ca --var cn=Rotated --ca-dir ./rotated-ca");
  await qpki("ca rotate --ca-dir ./rotated-ca --cross-sign");
  Deno.mkdirSync(`${here.cwd}/pki`);
  await qpki("ca init --profile ec/root-ca --var cn=Another --ca-dir ./pki/another");
  await qpki("ca init --profile ec/issuing-ca --var cn=Issuing --ca-dir ./issuing-ca --csr-only --out issuing-ca.csr");
  await qpki("cert issue --ca-dir ./ca --profile ec/issuing-ca --csr issuing-ca.csr --out issuing-ca.pem");
  await qpki("csr gen -a ecdsa-p256 --keyout server.key --cn server.test --dns server.test --out server.csr");
  await qpki("cert issue --ca-dir ./ca --profile ec/tls-server --csr server.csr --out server.crt");
  await qpki("credential enroll alice --profile ec/tls-client --var cn=alice");
  await qpki("credential enroll server --profile ec/tls-server --var cn=server.test");
  await qpki("credential rotate server");
  await numberedCertificate(here.cwd);
  await qpki("csr gen -a ecdsa-p256 --keyout alice.key --cn Alice --out alice.csr");
  await qpki("cert issue --ca-dir ./ca --profile ec/tls-client --csr alice.csr --out alice.crt");
  const attested = "--attest-cert alice.crt --attest-key alice.key --out alice-kem.csr";
  await qpki(`csr gen -a ml-kem-768 --keyout alice-kem.key --cn Alice ${attested}`);
  await qpki("crl gen --ca-dir ./ca");
  const recorded = "--audit-log audit.jsonl";
  await qpki(`csr gen -a ecdsa-p256 --keyout auditor.key --cn Auditor --out auditor.csr ${recorded}`);
  await qpki(`cert issue --ca-dir ./ca --profile ec/signing --csr auditor.csr --out auditor.crt ${recorded}`);
  await qpki("audit checkpoint --log audit.jsonl --key auditor.key --out checkpoint.json");
  await qpki("audit proof --log audit.jsonl --seq 1 --checkpoint checkpoint.json --out proof.json");
  Deno.mkdirSync(`${here.cwd}/logs`);
  Deno.copyFileSync(`${here.cwd}/audit.jsonl`, `${here.cwd}/logs/audit.jsonl`);
  await qpki("ca backup --ca-dir ./ca --out ca-backup.tar");
  await qpki("key generate -a ecdsa-p384 --out ca.key");
  await qpki("key convert ca.key --out encrypted.key --new-passphrase env:CA_PASSPHRASE");
  await qpki("profile export ec/tls-server my-tls-server.yaml");
  const copy = (from: string, to: string) => Deno.copyFileSync(`${here.cwd}/${from}`, `${here.cwd}/${to}`);
  copy("ca/ca.crt", "root.pem");
  copy("ca/ca.crt", "ca.crt");
  copy("ca/crl/ca.crl", "ca.crl");
  copy("ca/crl/ca.crl.der", "ca.crl.der");
  copy("ca.key", "openssl.key");
  const bundle = ["server.crt", "root.pem", "server.csr"].map((file) => tmp.read(`work/${file}`)).join("");
  tmp.write("work/bundle.pem", bundle);
  await qpki("cose sign --cert server.crt --key server.key --sub device-1 --exp 24h --out token.cbor");
  await qpki("cose sign --cert server.crt --key server.key --data bundle.pem --include-certs --out bundle.cose");
  tmp.write("work/claims.jsonl", '{"claims": {"sub": "device-1"}}\n{"claims": {"sub": "device-2", "level": 3}}\n');
  await qpki("cose sign --key server.key --data bundle.pem --detached --out bundle.sig");
  if (needs("softhsm") !== undefined) return;
  for (const name of ["full", "empty"]) makeToken(tmp, name);
  tmp.write(
    "work/hsm.yaml",
    `type: pkcs11\npkcs11:\n  lib: ${softhsmLibrary()}\n  token: CA-Token\n  pin_env: HSM_PIN\n`,
  );
  for (const [label, id] of [["root-ca-key", ""], ["old-key", ""], ["numbered", "0102030405"]]) {
    const withId = id === "" ? "" : ` --key-id ${id}`;
    await qpki(`key generate -a ecdsa-p384 --hsm-config hsm.yaml --key-label ${label}${withId}`);
  }
}

/** The help names a certificate by a short serial, as CAs that count give: the index has one. */
async function numberedCertificate(folder: string): Promise<void> {
  const file = `ca/issued/${SERIAL}.pem`;
  const issue = ["x509", "-req", "-in", "server.csr", "-CA", "ca/ca.crt", "-set_serial", `0x${SERIAL}`];
  const key = ["-CAkey", "ca/versions/v1/keys/ca.ecdsa-p384.key", "-out", file];
  const made = await run("openssl", [...issue, ...key], { cwd: folder });
  assert.equal(made.code, 0, made.stderr);
  const [certificate] = readCertificates(await Deno.readFile(`${folder}/${file}`));
  const { notAfter, subject } = certificate!;
  const line = formatIndexLine({ status: "V", notAfter, serial: SERIAL, subject: formatOneLine(subject) });
  await Deno.writeTextFile(`${folder}/ca/index.txt`, line, { append: true });
}

function tokenConf(tmp: TempFolder, name: string): string {
  const conf = tmp.join(`${name}.conf`);
  Deno.writeTextFileSync(
    conf,
    `directories.tokendir = ${tmp.join(name)}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  return conf;
}

function makeToken(tmp: TempFolder, name: string): void {
  Deno.mkdirSync(tmp.join(name), { mode: 0o700 });
  initToken(tokenConf(tmp, name), { label: "CA-Token", pin: PIN, soPin: "12345678" });
}

/** After these words stands the name of what a command makes, which is not there yet. */
const OUTPUTS = ["--out", "--keyout", ">"] as const;

/** Things that are in the way of a command, by their names. */
const IN_THE_WAY: Readonly<Record<string, readonly string[]>> = {
  "credential enroll": ["credentials"],
  "profile export": ["my-tls-server.yaml", "profiles"],
};

/** Commands that make keys in a token: theirs is empty. */
const MAKES_KEYS: ReadonlySet<string> = new Set(["ca init", "credential enroll", "csr gen", "key generate"]);

/** An example of the command called `name`, and the folder that was prepared. */
export interface Running {
  readonly tmp: TempFolder;
  readonly name: string;
  readonly example: string;
}

/** Whether the example asks before it does something. */
export function asks(example: string): boolean {
  return example.startsWith("qpki key delete") && !example.includes("--yes");
}

/** Runs an example by a shell, in a copy of the prepared folder. */
export async function runExample({ tmp, name, example }: Running): Promise<RunResult> {
  await using place = await freshPlace(tmp);
  const { cwd } = place;
  const words = shellWords(example);
  const after = (flag: string) => words.includes(flag) ? [words[words.indexOf(flag) + 1]!] : [];
  const made = [...OUTPUTS.flatMap(after), ...IN_THE_WAY[name] ?? []];
  if (name === "ca init") made.push(...words.includes("--ca-dir") ? after("--ca-dir") : ["ca"]);
  for (const file of made) await Deno.remove(`${cwd}/${file}`, { recursive: true }).catch(() => {});
  if (words.includes("ca.key") && words.includes("--passphrase") && words.includes("env:CA_PASSPHRASE")) {
    if (name !== "key generate") await Deno.copyFile(`${cwd}/encrypted.key`, `${cwd}/ca.key`);
  }
  const env = { ...ENV, SOFTHSM2_CONF: place.tokenConf(MAKES_KEYS.has(name) ? "empty" : "full"), PATH: pathWith(tmp) };
  if (!asks(example)) return await run("sh", ["-c", example], { cwd, env, stdin: "" });
  // it asks whether the key is really to go: somebody at a terminal says yes
  return await run("script", ["-qec", example, "/dev/null"], { cwd, env, stdin: "y\n" });
}

interface Place extends AsyncDisposable {
  readonly cwd: string;
  tokenConf(name: string): string;
}

/** A copy of the prepared folder and of the tokens. */
async function freshPlace(tmp: TempFolder): Promise<Place> {
  const copy = tempFolder("qpki-example-");
  for (const name of ["work", "full", "empty"]) {
    if (await Deno.stat(tmp.join(name)).then(() => true, () => false)) copyTree(tmp.join(name), copy.join(name));
  }
  return {
    cwd: copy.join("work"),
    tokenConf: (name) => tokenConf(copy, name),
    [Symbol.asyncDispose]() {
      copy[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

/** A PATH on which `qpki` is the program under test. */
function pathWith(tmp: TempFolder): string {
  const words = qpkiCommand().map((word) => `'${word}'`).join(" ");
  tmp.write("bin/qpki", `#!/bin/sh\nexec ${words} "$@"\n`, 0o755);
  return `${tmp.join("bin")}:${Deno.env.get("PATH")}`;
}

/** Why an example cannot run on this machine, or undefined. */
export function obstacle(example: string): string | undefined {
  const library = shellWords(example).find((word) => word.endsWith("libsofthsm2.so"));
  const token = /--hsm-config|^qpki hsm list$/.test(example) || library !== undefined ? needs("softhsm") : undefined;
  if (token !== undefined) return token;
  if (library !== undefined && library !== softhsmLibrary()) return `SoftHSM2 is in ${softhsmLibrary()} here`;
  return asks(example) && findExecutable("script") === undefined ? "script (util-linux) is not on PATH" : undefined;
}
