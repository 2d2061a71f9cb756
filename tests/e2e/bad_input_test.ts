/** Bad input of every documented kind: exit status and message, in one table; each case leaves nothing behind. */
import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import { generateSoftwareKey } from "../../src/keys/software.ts";
import { csrPem } from "../../src/x509/csr.ts";
import { describe, run, runCli, runOk, spawnCli } from "../support/cli.ts";
import { issue as holder } from "../support/pki.ts";
import { csrWithout, csrWithoutStatement, makeCsr, type RequestWish } from "../support/requests.ts";
import { findExecutable, type Need, needs, testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

/** A folder with what the cases share: a software CA, an expired parent, a token with keys. */
interface World {
  tmp: TempFolder;
  token?: SoftHsmToken;
  env: Record<string, string>;
}

interface Case {
  name: string;
  needs?: Need[];
  /** Prepares files, and returns the arguments; more environment may be set in `world.env`. */
  args: (world: World) => string[] | Promise<string[]>;
  env?: Record<string, string>;
  exit: number;
  /** Every pattern must match stderr. */
  says: RegExp[];
  /** Must not appear in any output. */
  hides?: string[];
}

const HSM = (world: World, lines: string[], name = "hsm.yaml"): string =>
  world.tmp.write(name, ["type: pkcs11", "pkcs11:", ...lines.map((line) => `  ${line}`), ""].join("\n"));

function tokenLines(world: World): string[] {
  return [`lib: ${world.token!.lib}`, `token: "${world.token!.label}"`, "pin_env: HSM_PIN"];
}

async function rsaCsr(world: World, bits: number): Promise<string> {
  const out = world.tmp.join(`rsa${bits}.csr`);
  const made = await run("openssl", [
    ...["req", "-new", "-newkey", `rsa:${bits}`, "-nodes", "-keyout", world.tmp.join("rsa.key")],
    ...["-subj", "/CN=weak.example.com", "-out", out],
  ]);
  assert.equal(made.code, 0, made.stderr);
  return out;
}

const CASES: Case[] = [
  {
    name: "no such library",
    args: () => ["hsm", "list", "--lib", "/nonexistent/libp11.so"],
    exit: 3,
    says: [/\/nonexistent\/libp11\.so/, /no such|not found|does not exist/i],
  },
  {
    name: "a library that is no PKCS#11 module",
    args: () => ["hsm", "list", "--lib", anyLibrary()],
    exit: 3,
    says: [/C_GetFunctionList|PKCS#11/],
  },
  {
    name: "a library that is no library",
    args: (world) => ["hsm", "list", "--lib", world.tmp.write("text.so", "not ELF")],
    exit: 3,
    says: [/text\.so/],
  },
  {
    name: "token not found: lists those there are",
    needs: ["softhsm"],
    args: (world) => [
      ...["key", "list", "--hsm-config"],
      HSM(world, [`lib: ${world.token!.lib}`, "token: Elsewhere", "pin_env: HSM_PIN"]),
    ],
    exit: 3,
    says: [/Elsewhere/, /CA-Token/],
  },
  {
    name: "two selectors in YAML",
    args: (world) => [
      ...["key", "list", "--hsm-config"],
      HSM(world, ["lib: /x.so", "token: A", "slot: 0", "pin_env: HSM_PIN"]),
    ],
    exit: 4,
    says: [/token/, /slot/, /hsm\.yaml:\d+/],
  },
  {
    name: "unknown YAML key, with a suggestion",
    args: (world) => ["key", "list", "--hsm-config", HSM(world, ["lib: /x.so", "tokn: A", "pin_env: HSM_PIN"])],
    exit: 4,
    says: [/hsm\.yaml:4/, /tokn/, /token/],
  },
  {
    name: "a PIN in YAML is refused with the reason",
    args: (world) => ["key", "list", "--hsm-config", HSM(world, ["lib: /x.so", "token: A", 'pin: "876543"'])],
    exit: 4,
    says: [/pin/, /pin_env/],
    hides: ["876543"],
  },
  {
    name: "a PIN on the command line is refused with the reason",
    args: (world) => ["key", "list", "--hsm-config", HSM(world, ["lib: /x.so", "token: A"]), "--pin", "876543"],
    exit: 2,
    says: [/command line/, /pin_env|process list/],
    hides: ["876543"],
  },
  {
    name: "token ambiguous: lists the candidates",
    needs: ["softhsm"],
    args: (world) => {
      world.token!.addToken("Twins");
      world.token!.addToken("Twins");
      return [
        ...["key", "list", "--hsm-config"],
        HSM(world, [`lib: ${world.token!.lib}`, "token: Twins", "pin_env: HSM_PIN"]),
      ];
    },
    exit: 3,
    says: [/2 tokens have label "Twins"/, /token_serial/, /serial "[0-9a-f]+"[\s\S]*serial "[0-9a-f]+"/],
  },
  {
    name: "no token selector in YAML",
    args: (world) => ["key", "list", "--hsm-config", HSM(world, ["lib: /x.so", "pin_env: HSM_PIN"])],
    exit: 4,
    says: [/no token selector/, /token, token_serial, slot/],
  },
  {
    name: "no hsm.yaml there",
    args: (world) => ["key", "list", "--hsm-config", world.tmp.join("nowhere.yaml")],
    exit: 4,
    says: [/nowhere\.yaml/, /no such file/],
  },
  {
    name: "no source of the PIN and no terminal",
    needs: ["softhsm"],
    args: (world) => ["key", "list", "--hsm-config", HSM(world, tokenLines(world).slice(0, 2))],
    exit: 3,
    says: [/there is no PIN, and no terminal to ask on/, /pin_env, pin_file, pin_command or pin_credential/],
  },
  {
    name: "a PIN file that others can read",
    needs: ["softhsm"],
    args: (world) => {
      world.tmp.write("pin", "864213579\n");
      Deno.chmodSync(world.tmp.join("pin"), 0o644);
      return ["key", "list", "--hsm-config", HSM(world, [...tokenLines(world).slice(0, 2), "pin_file: ./pin"])];
    },
    exit: 3,
    says: [/0644/, /chmod 600/],
    hides: ["864213579"],
  },
  {
    name: "a command for the PIN that fails",
    needs: ["softhsm"],
    args: (world) => [
      ...["key", "list", "--hsm-config"],
      HSM(world, [...tokenLines(world).slice(0, 2), 'pin_command: [sh, -c, "echo 864213579; exit 3"]']),
    ],
    exit: 3,
    says: [/pin_command/, /status 3/],
    hides: ["864213579"],
  },
  {
    name: "the PIN itself in place of its variable's name",
    args: (world) => ["key", "list", "--hsm-config", HSM(world, ["lib: /x.so", "token: A", 'pin_env: "864213579"'])],
    exit: 4,
    says: [/hsm\.yaml:5/, /pin_env must be the name of an environment variable/],
    hides: ["864213579"],
  },
  {
    name: "PIN missing",
    needs: ["softhsm"],
    env: { HSM_PIN: "" },
    args: (world) => ["key", "list", "--hsm-config", HSM(world, tokenLines(world))],
    exit: 3,
    says: [/HSM_PIN/],
  },
  {
    name: "PIN wrong",
    needs: ["softhsm"],
    env: { HSM_PIN: "99999999" },
    args: (world) => ["key", "list", "--hsm-config", HSM(world, tokenLines(world))],
    exit: 3,
    says: [/CKR_PIN_INCORRECT \(0xa0\)/],
    hides: ["99999999"],
  },
  {
    name: "key not found: lists those there are",
    needs: ["softhsm"],
    args: (world) => ["key", "info", "--hsm-config", HSM(world, tokenLines(world)), "--key-label", "nowhere"],
    exit: 3,
    says: [/nowhere/, /twin/],
  },
  {
    name: "key ambiguous: lists the candidates with fingerprints",
    needs: ["softhsm", "pkcs11-tool"],
    args: (world) => ["key", "pub", "--hsm-config", HSM(world, tokenLines(world)), "--key-label", "twin"],
    exit: 3,
    says: [/twin/, /[0-9a-f]{64}[\s\S]*[0-9a-f]{64}/],
  },
  {
    name: "a label that exists is refused before generation",
    needs: ["softhsm", "pkcs11-tool"],
    args: (world) => [
      ...["key", "generate", "-a", "ecdsa-p256", "--hsm-config", HSM(world, tokenLines(world))],
      ...["--key-label", "twin"],
    ],
    exit: 3,
    says: [/twin/, /exists/],
  },
  {
    name: "mechanism absent: RSA-PSS on a token without it",
    needs: ["softhsm", "openssl"],
    args: async (world) => {
      const conf = Deno.readTextFileSync(world.token!.conf);
      world.env.SOFTHSM2_CONF = world.tmp.write(
        "nopss.conf",
        `${conf}\nslots.mechanisms = -CKM_SHA_1,CKM_RSA_PKCS_PSS\n`,
      );
      const profile = await runOk(["profile", "show", "rsa/root-ca"]);
      const text = profile.stdout.replace(/^algorithm:.*$/m, "$&\nsignature: {scheme: rsassa-pss, hash: sha256}")
        .replace(/rsa-4096/, "rsa-2048").replace(/^name:.*$/m, "name: pss-root");
      return [
        ...["ca", "init", "--profile", world.tmp.write("pss.yaml", text), "--var", "cn=PSS", "-d", world.tmp.join("p")],
        ...["--hsm-config", HSM(world, tokenLines(world)), "--key-label", "pss"],
      ];
    },
    exit: 3,
    says: [/CKM_RSA_PKCS_PSS/],
  },
  {
    name: "profile and existing key disagree",
    needs: ["softhsm", "pkcs11-tool"],
    args: (world) => [
      ...["ca", "init", "--profile", "rsa/root-ca", "--var", "cn=X", "-d", world.tmp.join("mismatch")],
      ...["--hsm-config", HSM(world, tokenLines(world)), "--key-label", "single", "--use-existing-key"],
    ],
    exit: 4,
    says: [/ECDSA P-384/, /RSA 4096/],
  },
  {
    name: "a CSR with the wrong parameter set",
    args: (world) => issueFor(world, "ml/tls-server", { algorithms: ["ml-dsa-44"] }),
    exit: 4,
    says: [/its key is ML-DSA-44/, /"ml\/tls-server" is for ML-DSA-65 or stronger/],
  },
  {
    name: "a Catalyst CSR with the wrong parameter set",
    args: (world) => issueFor(world, "hybrid/catalyst/tls-server", { algorithms: ["ecdsa-p256", "ml-dsa-44"] }),
    exit: 4,
    says: [/ECDSA P-256 and ML-DSA-44/, /ECDSA P-256 and ML-DSA-65/],
  },
  ...([[72, /one key/], [73, /altSignatureAlgorithm|altSignatureValue/], [
    74,
    /no alternative signature|altSignatureValue/,
  ]] as const)
    .map(([arc, message]): Case => ({
      name: `a Catalyst CSR without attribute ${arc}`,
      args: async (world) => {
        const csr = csrPem(await csrWithout(arc, ["ecdsa-p256", "ml-dsa-65"]));
        return issue(world, world.tmp.write(`no${arc}.csr`, csr), "hybrid/catalyst/tls-server", "catalyst");
      },
      exit: 4,
      says: [message],
    })),
  {
    name: "a profile with a composite of an unregistered pair",
    args: (world) => {
      const text = "name: t\nmode: composite\nalgorithms: [ecdsa-p256, ml-dsa-87]\nvalidity: 1d\nsubject: {cn: T}\n";
      return ["ca", "init", "--profile", world.tmp.write("pair.yaml", text), "-d", world.tmp.join("pair")];
    },
    exit: 4,
    says: [/pair\.yaml:3:13/, /no composite algorithm is registered/, /ecdsa-p384 with ml-dsa-87/],
  },
  {
    name: "a CSR for a composite of an unregistered pair",
    args: (world) => [
      ...["csr", "gen", "-a", "rsa-2048", "--composite", "ml-dsa-87", "--cn", "x.test"],
      ...["--keyout", world.tmp.join("pair.key")],
    ],
    exit: 4,
    says: [/no composite algorithm is registered/, /rsa-2048 with ml-dsa-44/],
  },
  {
    name: "a KEM CSR without a statement of possession",
    args: async (world) => {
      const signer = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
      const csr = csrPem(await csrWithoutStatement("ml-kem-768", signer));
      return issue(world, world.tmp.write("bare.csr", csr), "ml/encryption");
    },
    exit: 4,
    says: [/ML-KEM-768 key cannot sign/, /no statement of possession/, /--attest-cert/],
  },
  {
    name: "a KEM CSR that the holder of a foreign certificate attests",
    args: async (world) => {
      const root = await holder({ name: "CN=Elsewhere", algorithm: "ml-dsa-65" });
      const stranger = await holder({ name: "CN=host.test", algorithm: "ml-dsa-65", issuer: root });
      const attest = { ...stranger, include: true };
      return issueFor(world, "ml/encryption", { algorithms: ["ml-kem-768"], attest });
    },
    exit: 4,
    says: [/attesting certificate is not valid/, /this CA or one above it/],
  },
  {
    name: "a Catalyst profile below a CA with one key",
    args: (world) => issueFor(world, "hybrid/catalyst/tls-server", { algorithms: ["ecdsa-p256", "ml-dsa-65"] }),
    exit: 4,
    says: [/has no alternative key/],
  },
  {
    name: "a CSR with a bad signature",
    needs: ["openssl"],
    args: async (world) => {
      const file = await rsaCsr(world, 2048);
      const der = (await run("openssl", ["req", "-in", file, "-outform", "DER"])).stdoutBytes;
      der[der.length - 5]! ^= 1;
      return issue(world, world.tmp.write("bad.csr", der));
    },
    exit: 4,
    says: [/signature/],
  },
  {
    name: "a CSR with a weak key",
    needs: ["openssl"],
    args: async (world) => issue(world, await rsaCsr(world, 1024)),
    exit: 4,
    says: [/1024 bits/],
  },
  {
    name: "a CSR with a weak exponent",
    needs: ["openssl"],
    args: async (world) => {
      const key = world.tmp.join("e3.key");
      const e3 = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"];
      assert.equal((await run("openssl", ["genpkey", ...e3, "-out", key])).code, 0);
      const csr = world.tmp.join("e3.csr");
      assert.equal((await run("openssl", ["req", "-new", "-key", key, "-subj", "/CN=e3.test", "-out", csr])).code, 0);
      return issue(world, csr);
    },
    exit: 4,
    says: [/exponent/],
  },
  {
    name: "a corrupt PEM certificate",
    args: (world) => [
      "inspect",
      world.tmp.write("cut.pem", Deno.readTextFileSync(world.tmp.join("ca/ca.crt")).slice(0, 300)),
    ],
    exit: 4,
    says: [/cut\.pem/],
  },
  {
    name: "a corrupt DER request",
    args: async (world) => {
      const bytes = await derCsr(world);
      return issue(world, world.tmp.write("cut.csr", bytes.slice(0, bytes.length / 2)));
    },
    needs: ["openssl"],
    exit: 4,
    says: [/cut\.csr/],
  },
  {
    name: "a key file that is no key",
    args: (
      world,
    ) => ["csr", "gen", "--key", world.tmp.write("no.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"), "--cn", "x"],
    exit: 4,
    says: [/no\.key/],
  },
  {
    name: "an encrypted key without its passphrase, and no terminal",
    args: (world) => ["crl", "gen", "-d", world.tmp.join("locked")],
    exit: 4,
    says: [/encrypted/, /env:NAME/],
  },
  {
    name: "a certificate until after its issuer's end",
    needs: ["openssl"],
    args: async (world) => [...issue(world, await rsaCsr(world, 2048)), "--validity", "50y"],
    exit: 4,
    says: [/until 20\d\d-[\s\S]*issuer's own ends 20\d\d-/],
  },
  {
    name: "a profile with a mistake: line, column, suggestion",
    args: (world) => {
      const text =
        "name: mine\ndescription: d\nalgorithm: ecdsa-p256\nvalidity: 1y\nsubject: {cn: x}\nextentions: {}\n";
      return ["ca", "init", "--profile", world.tmp.write("mine.yaml", text), "-d", world.tmp.join("x")];
    },
    exit: 4,
    says: [/mine\.yaml:6:1/, /extentions/, /extensions/],
  },
  {
    name: "an expired parent",
    args: (world) => [
      ...["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Late", "-d", world.tmp.join("late")],
      ...["--parent", world.tmp.join("short")],
    ],
    exit: 1,
    says: [/expired/],
  },
  {
    name: "a parent whose pathLen allows no CA below",
    args: (world) => [
      ...["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Deep", "-d", world.tmp.join("deep")],
      ...["--parent", world.tmp.join("issuing"), "--validity", "30d"],
    ],
    exit: 4,
    says: [/pathLen/i],
  },
  {
    name: "the parent's passphrase is wrong",
    env: { PARENT_PASS: "wrong" },
    args: (world) => [
      ...["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Below", "-d", world.tmp.join("below")],
      ...["--parent", world.tmp.join("locked"), "--parent-passphrase", "env:PARENT_PASS"],
    ],
    exit: 4,
    says: [/passphrase/],
    hides: ["wrong-horse"],
  },
  {
    name: "unknown profile, with a suggestion",
    args: (world) => ["ca", "init", "--profile", "ec/rot-ca", "--var", "cn=X", "-d", world.tmp.join("x")],
    exit: 4,
    says: [/ec\/rot-ca/, /ec\/root-ca/],
  },
  {
    name: "unknown flag, with a suggestion",
    args: () => ["ca", "init", "--profil", "ec/root-ca"],
    exit: 2,
    says: [/--profil/, /--profile/],
  },
  { name: "a stray argument", args: () => ["ca", "info", "stray"], exit: 2, says: [/stray/] },
  {
    name: "an output file that exists",
    args: (world) => ["key", "generate", "-a", "ecdsa-p256", "--out", world.tmp.write("there.key", "mine")],
    exit: 1,
    says: [/exists/, /--force/],
  },
  {
    name: "an index line that is damaged",
    args: (world) => {
      const folder = world.tmp.join("damaged");
      copyTree(world.tmp.join("ca"), folder);
      Deno.writeTextFileSync(`${folder}/index.txt`, "R\t2501\n", { append: true });
      return ["crl", "gen", "-d", folder];
    },
    exit: 4,
    says: [/index\.txt:\d+/],
  },
  {
    name: "metadata of a newer format",
    args: (world) => {
      const folder = world.tmp.join("newer");
      copyTree(world.tmp.join("ca"), folder);
      const meta = JSON.parse(Deno.readTextFileSync(`${folder}/ca.meta.json`));
      Deno.writeTextFileSync(`${folder}/ca.meta.json`, JSON.stringify({ ...meta, schema: 99 }));
      return ["ca", "info", "-d", folder];
    },
    exit: 4,
    says: [/99/, /hint/],
  },
];

async function derCsr(world: World): Promise<Uint8Array> {
  return (await run("openssl", ["req", "-in", await rsaCsr(world, 2048), "-outform", "DER"])).stdoutBytes;
}

function issue(world: World, csr: string, profile = "rsa/tls-server", ca = "ca"): string[] {
  return [
    ...["cert", "issue", "-d", world.tmp.join(ca), "--profile", profile, "--csr", csr],
    ...["--out", world.tmp.join("out.crt")],
  ];
}

/** Asks the RSA root for a certificate, with a request that is written first. */
async function issueFor(world: World, profile: string, wish: RequestWish): Promise<string[]> {
  return issue(world, world.tmp.write("made.csr", csrPem(await makeCsr(wish))), profile);
}

function anyLibrary(): string {
  const candidates = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/usr/lib/libm.so.6"];
  const found = [...candidates, "/usr/lib64/libm.so.6", "/usr/lib/libSystem.dylib"].find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  assert.ok(found, "no library that is no PKCS#11 module was found");
  return found;
}

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    if (entry.isDirectory) copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else Deno.copyFileSync(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

/** Names of everything below a folder, to show that a refused command left nothing. */
function treeOf(folder: string): string[] {
  const names: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    names.push(entry.name);
    if (entry.isDirectory) names.push(...treeOf(`${folder}/${entry.name}`).map((name) => `${entry.name}/${name}`));
  }
  return names.sort();
}

async function makeWorld(): Promise<World & Disposable> {
  const tmp = tempFolder();
  const at = (name: string) => ["-d", tmp.join(name)];
  await runOk(["ca", "init", "--profile", "rsa/root-ca", "--var", "cn=Test Root", ...at("ca")]);
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Short Root", "--validity", "1s", ...at("short")]);
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", ...at("root")]);
  await runOk(["ca", "init", "--profile", "hybrid/catalyst/root-ca", "--var", "cn=Catalyst", ...at("catalyst")]);
  const below = ["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Issuing", ...at("issuing")];
  await runOk([...below, "--parent", tmp.join("root")]);
  await runOk(
    ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Locked", "-p", "env:PASS", ...at("locked")],
    { env: { PASS: "wrong-horse" } },
  );
  const world: World = { tmp, env: {} };
  if (needs("softhsm") === undefined) {
    world.token = softhsmToken({ label: "CA-Token" });
    const yaml = HSM(world, tokenLines(world), "setup.yaml");
    await runOk(["key", "generate", "-a", "ecdsa-p384", "--hsm-config", yaml, "--key-label", "single"], {
      env: world.token.env,
    });
    if (needs("pkcs11-tool") === undefined) {
      for (const id of ["01", "02"]) {
        const twin = ["--keypairgen", "--key-type", "EC:prime256v1", "--label", "twin", "--id", id];
        const { lib, label, pin, env } = world.token;
        const login = ["--module", lib, "--token-label", label, "--login", "--pin", pin];
        const made = await run("pkcs11-tool", [...login, ...twin], { env });
        assert.equal(made.code, 0, made.stderr);
      }
    }
  }
  return {
    ...world,
    [Symbol.dispose]() {
      world.token?.[Symbol.dispose]();
      tmp[Symbol.dispose]();
    },
  };
}

Deno.test("bad input: exit status and message of every kind", async (t) => {
  using world = await makeWorld();
  await new Promise((done) => setTimeout(done, 1100));
  for (const { name, needs: tools = [], args, env, exit, says, hides = [] } of CASES) {
    const reason = needs(...tools);
    await t.step({
      name: reason ? `${name} [skipped: ${reason}]` : name,
      ignore: reason !== undefined,
      fn: async () => {
        world.env = {};
        const words = await args(world);
        const before = treeOf(world.tmp.path);
        const result = await runCli(words, { env: { ...world.token?.env, ...world.env, ...env }, cwd: world.tmp.path });
        const text = describe(words.join(" "), result);
        assert.equal(result.code, exit, text);
        for (const pattern of says) assert.match(result.stderr, pattern, text);
        for (const secret of hides) assert.ok(!(result.stdout + result.stderr).includes(secret), text);
        assert.doesNotMatch(result.stderr, /\n\s+at .*\.ts:\d+/, "a stack trace");
        assert.doesNotMatch(result.stderr, /Internal error/, text);
        assert.deepEqual(treeOf(world.tmp.path), before, "a refused command left or took away files");
      },
    });
  }
});

/** Takes the right to write from a folder: as root by mounting it so, because root may write everywhere. */
async function withReadOnly(tmp: TempFolder, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = tmp.join("ro");
  if (Deno.uid() !== 0) {
    await run("chmod", ["-R", "a-w", folder]);
    return await work(folder);
  }
  for (const options of ["bind", "remount,bind,ro"]) {
    const mounted = await run("mount", ["-o", options, folder, folder]);
    assert.equal(mounted.code, 0, mounted.stderr);
  }
  try {
    await work(folder);
  } finally {
    await run("umount", [folder]);
  }
}

testWith("bad input: a folder that cannot be written", { needs: ["openssl"], skip: readOnlyReason() }, async () => {
  using tmp = tempFolder();
  const at = (name: string) => tmp.join("ro", name);
  Deno.mkdirSync(tmp.join("ro/empty"), { recursive: true });
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=RO", "-d", at("ca")]);
  const request = ["csr", "gen", "-a", "ecdsa-p256", "--cn", "a.test", "--dns", "a.test"];
  await runOk([...request, "--keyout", tmp.join("a.key"), "--out", tmp.join("a.csr")]);
  await withReadOnly(tmp, async () => {
    const before = treeOf(tmp.path);
    const enroll = ["credential", "enroll", "x", "--profile", "ec/tls-server", "--var", "cn=a.test", "-d", at("ca")];
    for (
      const args of [
        ["key", "generate", "-a", "ecdsa-p256", "--out", at("empty/x.key")],
        [...request, "--keyout", tmp.join("never.key"), "--out", at("empty/x.csr")],
        ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=New", "-d", at("empty/new")],
        ["cert", "issue", "-d", at("ca"), "--profile", "ec/tls-server", "--csr", tmp.join("a.csr")],
        ["crl", "gen", "-d", at("ca")],
        [...enroll, "-c", tmp.join("credentials")],
      ]
    ) {
      const result = await runCli(args);
      const text = describe(args.join(" "), result);
      assert.equal(result.code, 1, text);
      assert.match(result.stderr, /error: Cannot .*(EROFS|EACCES)/, text);
      assert.deepEqual(treeOf(tmp.path).filter((name) => !/^credentials$/.test(name)), before, text);
    }
    for (const args of [["ca", "info"], ["cert", "list"], ["ca", "export"]]) await runOk([...args, "-d", at("ca")]);
  });
});

function readOnlyReason(): string | undefined {
  if (Deno.build.os === "windows") return "Windows has no such folders";
  return Deno.uid() !== 0 ? undefined : tmpfsReason();
}

testWith("bad input: a full disk leaves the CA as it was", { needs: ["root"], skip: tmpfsReason() }, async () => {
  using tmp = tempFolder();
  Deno.mkdirSync(tmp.join("small"));
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=192k", "tmpfs", tmp.join("small")]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    const ca = tmp.join("small/ca");
    await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Small", "-d", ca]);
    const profile = ["--profile", "ec/tls-server", "--var", "cn=a.example.com"];
    await runOk(["credential", "enroll", "first", "-d", ca, "-c", tmp.join("credentials"), ...profile]);
    // what is left is filled, so that the next write of the CA fails
    fill(tmp.join("small/ballast"));
    const before = Deno.readTextFileSync(`${ca}/index.txt`);
    const result = await runCli([
      "credential",
      "enroll",
      "second",
      "-d",
      ca,
      "-c",
      tmp.join("credentials"),
      ...profile,
    ]);
    assert.equal(result.code, 1, describe("credential enroll", result));
    assert.match(result.stderr, /ENOSPC/);
    assert.equal(Deno.readTextFileSync(`${ca}/index.txt`), before);
    Deno.removeSync(tmp.join("small/ballast"));
    await runOk(["credential", "enroll", "second", "-d", ca, "-c", tmp.join("credentials"), ...profile]);
    const list = JSON.parse((await runOk(["cert", "list", "-d", ca, "--json"])).stdout);
    assert.equal(list.certificates.length, Deno.readTextFileSync(`${ca}/index.txt`).trim().split("\n").length);
  } finally {
    await run("umount", [tmp.join("small")]);
  }
});

function tmpfsReason(): string | undefined {
  return Deno.build.os === "linux" && findExecutable("mount") ? undefined : "mount with tmpfs is needed";
}

function fill(path: string): void {
  using file = Deno.openSync(path, { write: true, create: true });
  for (const size of [4096, 512, 64, 1]) {
    try {
      while (true) file.writeSync(new Uint8Array(size));
    } catch {
      // full for this size
    }
  }
}

testWith("bad input: Ctrl-C during enrolment leaves no file and no key", { needs: ["softhsm"] }, async () => {
  using tmp = tempFolder();
  using token = softhsmToken({ label: "CA-Token" });
  const yaml = token.hsmYaml(tmp.join("hsm.yaml"));
  const ca = tmp.join("ca");
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Interrupted", "-d", ca]);
  const keys = async () =>
    JSON.parse((await runOk(["key", "list", "--hsm-config", yaml, "--json"], { env: token.env })).stdout).keys.length;
  let interrupted = 0;
  for (const delay of [40, 120, 160, 220, 300, 400, 600, 900]) {
    const id = `cred-${delay}`;
    const before = await keys();
    const child = spawnCli([
      ...["credential", "enroll", id, "-d", ca, "-c", tmp.join("credentials"), "--profile", "rsa/tls-server"],
      ...["--var", "cn=a.example.com", "--hsm-config", yaml, "--key-label", id],
    ], { env: token.env });
    await new Promise((done) => setTimeout(done, delay));
    try {
      child.kill("SIGINT");
    } catch {
      // it had ended
    }
    const { code, signal } = await child.output();
    assert.ok(code === 0 || code === 130, `exit ${code} after ${delay} ms`);
    if (code === 130) {
      // with a signal it ended before it could listen
      if (signal === null) interrupted++;
      assert.equal(await keys(), before, `an orphan key in the token after ${delay} ms`);
      assert.ok(!existsSync(tmp.join("credentials", id)), `a half credential after ${delay} ms`);
    }
  }
  assert.ok(interrupted > 0, "no run was interrupted: the delays are too long");
});

function existsSync(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
