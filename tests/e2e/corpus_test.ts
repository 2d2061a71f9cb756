/**
 * Damaged files of every kind, given to every command that reads them: cut off at many places, one bit turned at many
 * places, lines doubled and dropped. Whatever happens, the command ends soon with a documented status and a message, never
 * with an exception that nobody foresaw.
 */
import assert from "node:assert/strict";
import { runInProcess } from "../support/in_process.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

/** Most milliseconds that a command may take on a damaged file; it takes a few on a good one. */
const LIMIT_MS = 10_000;

const PASS = "correct horse battery";
const ENV = { PASS };

/** One kind of file: the good one, and the command lines that read it, with `@` in its place. */
interface Kind {
  name: string;
  /** Path of the good file below the prepared folder. */
  file: string;
  reads: string[];
  /** How many damaged forms; a key derivation makes each slow. */
  cuts?: number;
  flips?: number;
}

const KINDS: readonly Kind[] = [
  {
    name: "certificate, PEM",
    file: "leaf.crt",
    reads: ["inspect @", "cert info @", "cert verify @ --ca ca", "cert verify leaf.crt --ca @"],
  },
  {
    name: "certificate, DER",
    file: "leaf.der",
    reads: ["inspect @", "cert verify @ --ca ca", "ca accept @ -d pending"],
  },
  { name: "chain", file: "issuing/chain.pem", reads: ["inspect @", "cert verify leaf.crt --ca @"] },
  {
    name: "request, PEM",
    file: "leaf.csr",
    reads: ["inspect @", "csr verify @", "cert issue -d ca --profile ec/tls-server --csr @"],
  },
  { name: "request, DER", file: "csr.der", reads: ["csr info @", "csr verify @"] },
  {
    name: "CRL, PEM",
    file: "ca/crl/ca.crl",
    reads: ["inspect @", "crl verify @ --ca ca", "cert verify leaf.crt --ca ca --crl @"],
  },
  { name: "CRL, DER", file: "ca/crl/ca.crl.der", reads: ["crl info @", "crl verify @ --ca ca --check-expiry"] },
  { name: "key, PEM", file: "p256.key", reads: ["inspect @", "key info @", "key pub --key @"] },
  { name: "key, DER", file: "rsa.der", reads: ["key info @", "csr gen --key @ --cn damaged.test"] },
  {
    name: "encrypted key",
    file: "locked.key",
    reads: ["key info @ --passphrase env:PASS"],
    cuts: 8,
    flips: 60,
  },
  {
    name: "profile",
    file: "profile.yaml",
    reads: ["profile lint @", "profile vars @", "profile info @", "ca init --profile @ --var cn=x -d made"],
  },
  {
    name: "COSE message",
    file: "token.cbor",
    reads: ["inspect @", "cose info @", "cose info @ --diag", "cose verify @ --ca ca", "cose verify @ --cert leaf.crt"],
  },
  {
    name: "COSE_Key",
    file: "p256.cosekey",
    reads: [
      "key convert @ --out made.key --force",
      "cose verify token.cbor --key @",
      "cose sign --sub x --key p256.key --cnf @",
    ],
  },
  { name: "batch", file: "batch.jsonl", reads: ["cose sign --key p256.key --batch @"] },
  { name: "variables", file: "vars.yaml", reads: ["ca init --profile ec/root-ca --var-file @ -d made"] },
  { name: "hsm.yaml in JSON", file: "hsm.json", reads: ["key list --hsm-config @"], flips: 0 },
  { name: "hsm.yaml", file: "hsm.yaml", reads: ["key list --hsm-config @", "hsm list --hsm-config @"] },
  { name: "ca.meta.json", file: "ca/ca.meta.json", reads: ["ca info", "crl gen", "ca export", "cert list", "ca list"] },
  { name: "index.txt", file: "ca/index.txt", reads: ["cert list", "crl gen", "ca info", "cert revoke 01 --force"] },
  { name: "crlnumber", file: "ca/crlnumber", reads: ["crl gen"] },
  { name: "revocations.json", file: "ca/revocations.json", reads: ["crl gen", "cert list"] },
  { name: "CA key", file: "ca/versions/v1/keys/ca.ecdsa-p384.key", reads: ["crl gen"] },
  {
    name: "CA certificate",
    file: "ca/versions/v1/certs/ca.ecdsa-p384.pem",
    reads: ["crl gen", "ca info", "ca export"],
  },
  {
    name: "credential.meta.json",
    file: "credentials/it/credential.meta.json",
    reads: ["credential info it", "credential list", "credential export it"],
  },
];

async function qpki(tmp: TempFolder, line: string): Promise<void> {
  const { status, stderr } = await runInProcess(line.split(" "), { cwd: tmp.path, env: ENV });
  assert.equal(status, 0, `qpki ${line}: ${stderr}`);
}

async function prepare(tmp: TempFolder): Promise<void> {
  await qpki(tmp, "ca init --profile ec/root-ca --var cn=Root -d ca");
  await qpki(tmp, "ca init --profile ec/issuing-ca --var cn=Issuing -d issuing --parent ca");
  await qpki(tmp, "ca init --profile ec/issuing-ca --var cn=Pending -d pending --csr-only --out pending.csr");
  await qpki(tmp, "csr gen -a ecdsa-p256 --keyout p256.key --cn leaf.test --dns leaf.test --out leaf.csr");
  await qpki(tmp, "cert issue -d ca --profile ec/tls-server --csr leaf.csr --out leaf.crt");
  await qpki(tmp, "credential enroll it --profile ec/tls-server --var cn=it.test");
  const serials = tmp.read("ca/index.txt").trim().split("\n").map((line) => line.split("\t")[3]);
  // a reason that only revocations.json can hold, and one that the index holds
  await qpki(tmp, `cert revoke ${serials[1]} -d ca --reason privilegeWithdrawn`);
  await qpki(tmp, `cert revoke ${serials[2]} -d ca --reason superseded --gen-crl`);
  await qpki(tmp, "key generate -a rsa-2048 --out rsa.key");
  await qpki(tmp, "key convert rsa.key --format der --out rsa.der");
  await qpki(tmp, "key convert p256.key --new-passphrase env:PASS --out locked.key");
  for (const [from, to] of [["leaf.crt", "leaf.der"], ["leaf.csr", "csr.der"]] as const) {
    const base64 = tmp.read(from).split("\n").filter((line) => !line.startsWith("-")).join("");
    tmp.write(to, Uint8Array.fromBase64(base64));
  }
  await qpki(tmp, "cose sign --cert leaf.crt --key p256.key --sub x --exp 1h --include-certs --out token.cbor");
  await qpki(tmp, "key convert p256.key --format cose --out p256.cosekey");
  tmp.write("batch.jsonl", '{"claims": {"sub": "x", "exp": "1h", "level": 3, "id": {"bytes": "0a"}}, "out": "made"}');
  const { stdout } = await runInProcess(["profile", "show", "ec/root-ca"]);
  tmp.write("profile.yaml", stdout.replace(/^name:.*$/m, "name: mine").replaceAll(/^ *#.*\n/gm, ""));
  tmp.write("vars.yaml", "cn: Variable Root\norganization: Société\ncountry: FR\n");
  const pkcs11 = { lib: "./nothing.so", token: "CA-Token", pin_command: ["true", "x"], driver: "generic", sessions: 2 };
  tmp.write("hsm.json", JSON.stringify({ type: "pkcs11", pkcs11 }));
  const lines = ["lib: ./nothing.so", "token: CA-Token", "pin_env: HSM_PIN", "sessions: 2", "logout_after_use: true"];
  tmp.write("hsm.yaml", `type: pkcs11\npkcs11:\n${lines.map((line) => `  ${line}\n`).join("")}`);
}

/** Numbers that look random and are the same in every run. */
function* pseudoRandom(seed: number): Generator<number, never> {
  for (let state = seed >>> 0;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** What somebody's script may put in the place of a value. */
const STRANGE: readonly unknown[] = [
  ...[null, true, -1, 1e300, "", " ", "constructor", "__proto__", "toString", "../../..", "v1", "a\u0000b", "\ud800"],
  ...[[], {}, [null], [[]], { type: "constructor" }, ["x"], "x".repeat(70_000)],
];

/** `value` with each of its parts replaced by each strange value, one at a time. */
function* replacements(value: unknown): Generator<{ path: string; value: unknown }> {
  for (const other of STRANGE) yield { path: "", value: other };
  if (typeof value !== "object" || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    for (const changed of replacements(part)) {
      const copy = structuredClone(value) as Record<string, unknown>;
      copy[key] = changed.value;
      yield { path: `.${key}${changed.path}`, value: copy };
    }
    const without = structuredClone(value) as Record<string, unknown>;
    delete without[key];
    yield { path: `.${key} (gone)`, value: Array.isArray(value) ? Object.values(without) : without };
  }
}

interface Damage {
  what: string;
  bytes: Uint8Array;
}

function* damages(good: Uint8Array, { cuts = 24, flips = 60 }: Kind): Generator<Damage> {
  yield { what: "empty", bytes: new Uint8Array(0) };
  yield { what: "zeros", bytes: new Uint8Array(good.length) };
  yield { what: "doubled", bytes: new Uint8Array([...good, ...good]) };
  yield { what: "with a byte behind it", bytes: new Uint8Array([...good, 0]) };
  for (let i = 1; i < cuts; i++) {
    const length = Math.floor(good.length * i / cuts);
    yield { what: `cut to ${length} bytes`, bytes: good.slice(0, length) };
  }
  const random = pseudoRandom(good.length);
  for (let i = 0; i < flips; i++) {
    const at = Math.floor(random.next().value * good.length);
    const bit = Math.floor(random.next().value * 8);
    const bytes = good.slice();
    bytes[at]! ^= 1 << bit;
    yield { what: `bit ${bit} of byte ${at} turned`, bytes };
  }
  const text = new TextDecoder("utf-8", { fatal: false }).decode(good);
  if (text.includes("\ufffd")) return;
  if (text.startsWith("{")) {
    for (const { path, value } of replacements(JSON.parse(text))) {
      yield { what: `another value at ${path}`, bytes: new TextEncoder().encode(JSON.stringify(value)) };
    }
  }
  const lines = text.split("\n");
  for (let i = 0; i < Math.min(lines.length, 40); i++) {
    yield { what: `without line ${i + 1}`, bytes: new TextEncoder().encode(lines.toSpliced(i, 1).join("\n")) };
    const twice = lines.toSpliced(i, 0, lines[i]!).join("\n");
    yield { what: `with line ${i + 1} twice`, bytes: new TextEncoder().encode(twice) };
  }
}

/** Runs a command on a damaged file and says what is wrong with how it ended, if anything. */
async function judge(tmp: TempFolder, line: string): Promise<string | undefined> {
  const begin = performance.now();
  const { status, stdout, stderr } = await runInProcess(line.split(" "), { cwd: tmp.path, env: ENV });
  const ms = performance.now() - begin;
  const told = `${stdout.slice(0, 300)}\n${stderr.slice(0, 1500)}`;
  if (![0, 1, 3, 4].includes(status)) return `status ${status}\n${told}`;
  if (/Internal error|\n\s+at .*\.ts:\d+/.test(stderr)) return `an exception nobody foresaw\n${told}`;
  // a verdict, a lint report or the results of a batch stand on stdout
  if (status !== 0 && !/error: |"error":|INVALID/.test(stdout + stderr)) {
    return `status ${status} without a message\n${told}`;
  }
  if (ms > LIMIT_MS) return `${ms} ms\n${told}`;
  if ((stdout + stderr).includes(PASS)) return `the passphrase is shown\n${told}`;
  return undefined;
}

Deno.test("damaged files of every kind end every command in order", async (t) => {
  using tmp = tempFolder();
  await prepare(tmp);
  for (const kind of KINDS) {
    await t.step(kind.name, async () => {
      const good = Deno.readFileSync(tmp.join(kind.file));
      const problems: string[] = [];
      let count = 0;
      // a file of a CA or credential is damaged where it lies, in a copy that each command gets anew
      const inPlace = /^(ca|credentials)\//.test(kind.file) && !kind.reads.some((line) => line.includes("@"));
      if (inPlace) copyTree(tmp.path, tmp.join("damaged"), ["ca", "credentials"]);
      const place = inPlace ? `damaged/${kind.file}` : "damaged.file";
      for (const { what, bytes } of damages(good, kind)) {
        for (const line of kind.reads) {
          tmp.write(place, bytes);
          const folders = line.startsWith("credential") ? "-c damaged/credentials" : "-d damaged/ca";
          const words = inPlace ? `${line.replace(" --force", "")} ${folders}` : line.replace("@", place);
          const problem = await judge(tmp, words);
          if (problem) problems.push(`${line} (${what}): ${problem}`);
          for (const made of ["made", "damaged"]) {
            await Deno.remove(tmp.join(made), { recursive: true }).catch(() => {});
          }
          count++;
        }
      }
      assert.deepEqual(problems, [], problems.slice(0, 3).join("\n\n"));
      assert.ok(count > 40, `only ${count} cases`);
    });
  }
});

function copyTree(from: string, to: string, names: readonly string[]): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const name of names) {
    if (Deno.lstatSync(`${from}/${name}`).isDirectory) {
      copyTree(`${from}/${name}`, `${to}/${name}`, [...Deno.readDirSync(`${from}/${name}`)].map((entry) => entry.name));
    } else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}
