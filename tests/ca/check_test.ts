/** `ca check`: each kind of damage is found by its code, and `--repair` sets right exactly what needs no decision. */
import assert from "node:assert/strict";
import { encodePem } from "../../src/bytes.ts";
import { describe } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { copyTree } from "../support/tree.ts";
import { treeOf } from "./support.ts";

interface Report {
  ok: boolean;
  errors: number;
  warnings: number;
  findings: { severity: string; code: string; message: string; hint?: string; file?: string }[];
  repaired: string[];
}

async function qpki(args: readonly string[], cwd: string): Promise<string> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd });
  assert.equal(status, 0, describe(args.join(" "), { code: status, stdout, stderr }));
  return stdout;
}

async function check(cwd: string, ...more: string[]): Promise<{ status: number; report: Report }> {
  const { status, stdout, stderr } = await runInProcess(["ca", "check", "-d", "ca", "--json", ...more], { cwd });
  assert.ok(stdout.startsWith("{"), stderr);
  return { status, report: JSON.parse(stdout) };
}

/** A subordinate CA with three certificates, one of them revoked and in the CRL. Its serials in the order of the index. */
async function prepare(cwd: string): Promise<[valid: string, revoked: string, last: string]> {
  await qpki(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "root"], cwd);
  await qpki(
    ["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Issuing", "-d", "ca", "--parent", "root"],
    cwd,
  );
  await qpki(["csr", "gen", "-a", "ecdsa-p256", "--keyout", "k", "--cn", "x.test", "-o", "csr"], cwd);
  const serials: string[] = [];
  for (const name of ["a.test", "b.test", "c.test"]) {
    const issue = ["cert", "issue", "-d", "ca", "--profile", "ec/tls-server", "--csr", "csr", "--cn", name, "--json"];
    serials.push(JSON.parse(await qpki([...issue, "--dns", name], cwd)).serial);
  }
  await qpki(["cert", "revoke", serials[1]!, "-d", "ca", "--reason", "superseded", "--gen-crl"], cwd);
  return serials as [string, string, string];
}

interface Damage {
  readonly name: string;
  damage(tmp: TempFolder, serials: readonly [string, string, string]): void | Promise<void>;
  /** Codes that must be found, in any order; exactly these. */
  readonly finds: readonly string[];
  /** Codes that are left after --repair. */
  readonly left: readonly string[];
}

function edit(tmp: TempFolder, file: string, change: (text: string) => string): void {
  tmp.write(file, change(tmp.read(file)));
}

interface Meta {
  versions: Record<string, { status: string; keys: [{ spki_sha256: string; algorithm: string }] }>;
}

function editMeta(tmp: TempFolder, change: (versions: Meta["versions"]) => void): void {
  const meta: Meta = JSON.parse(tmp.read("ca/ca.meta.json"));
  change(meta.versions);
  tmp.write("ca/ca.meta.json", JSON.stringify(meta));
}

const KEY = "ca/versions/v1/keys/ca.ecdsa-p256.key";

const DAMAGES: readonly Damage[] = [
  { name: "nothing", damage: () => {}, finds: [], left: [] },
  {
    name: "no ca.crt",
    damage: (tmp) => Deno.removeSync(tmp.join("ca/ca.crt")),
    finds: ["ca.copy_missing"],
    left: [],
  },
  {
    name: "another ca.crt",
    damage: (tmp) => void tmp.write("ca/ca.crt", tmp.read("root/ca.crt")),
    finds: ["ca.copy_differs"],
    left: [],
  },
  {
    name: "no chain.pem",
    damage: (tmp) => Deno.removeSync(tmp.join("ca/chain.pem")),
    finds: ["chain.missing"],
    left: ["chain.missing"],
  },
  {
    name: "a chain that ends with the CA itself",
    damage: (tmp) => void tmp.write("ca/chain.pem", tmp.read("ca/ca.crt")),
    finds: ["chain.incomplete"],
    left: ["chain.incomplete"],
  },
  {
    name: "a chain with another root of the same name",
    async damage(tmp) {
      await qpki(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "twin"], tmp.path);
      tmp.write("ca/chain.pem", tmp.read("ca/ca.crt") + tmp.read("twin/ca.crt"));
    },
    finds: ["chain.invalid"],
    left: ["chain.invalid"],
  },
  {
    name: "no DER twin of the CRL",
    damage: (tmp) => Deno.removeSync(tmp.join("ca/crl/ca.crl.der")),
    finds: ["crl.twin_missing"],
    left: [],
  },
  {
    name: "another DER twin",
    damage: (tmp) => void tmp.write("ca/crl/ca.crl.der", "x"),
    finds: ["crl.twin_differs"],
    left: [],
  },
  {
    name: "a CRL that is none",
    damage: (tmp) => void tmp.write("ca/crl/ca.crl", encodePem("X509 CRL", new Uint8Array([0x30, 0]))),
    finds: ["crl.invalid", "crl.missing"],
    left: ["crl.invalid", "crl.missing"],
  },
  {
    name: "the CRL of another CA",
    async damage(tmp) {
      await qpki(["crl", "gen", "-d", "root"], tmp.path);
      for (const name of ["ca.crl", "ca.crl.der"]) {
        Deno.copyFileSync(tmp.join(`root/crl/${name}`), tmp.join(`ca/crl/${name}`));
      }
    },
    finds: ["crl.signature", "crl.missing"],
    left: ["crl.signature", "crl.missing"],
  },
  {
    name: "a CRL number that was used",
    damage: (tmp) => void tmp.write("ca/crlnumber", "01\n"),
    finds: ["crl.number"],
    left: [],
  },
  {
    name: "a CRL number that is none",
    damage: (tmp) => void tmp.write("ca/crlnumber", "1x\n"),
    finds: ["crlnumber.damaged"],
    left: [],
  },
  {
    name: "a revocation that the index lost",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.replace(/^R\t(\S+)\t\S+\t/m, "V\t$1\t\t")),
    finds: ["crl.unknown"],
    left: ["crl.unknown"],
  },
  {
    name: "a revocation that the CRL does not know yet",
    damage: async (tmp, [first]) => void await qpki(["cert", "revoke", first, "-d", "ca"], tmp.path),
    finds: ["crl.behind"],
    left: ["crl.behind"],
  },
  {
    name: "a revocation from before the CRL that it does not list",
    damage: (tmp, [first]) =>
      edit(
        tmp,
        "ca/index.txt",
        (text) => text.replace(new RegExp(`^V\t(\\S+)\t\t${first}`, "m"), `R\t$1\t250101000000Z\t${first}`),
      ),
    finds: ["crl.incomplete"],
    left: ["crl.incomplete"],
  },
  {
    name: "regression 7: a line cut in its middle",
    damage: (tmp, [first]) =>
      edit(tmp, "ca/index.txt", (text) => text.replace(new RegExp(`(${first.slice(0, 9)}).*`), "$1")),
    finds: ["index.damaged"],
    left: [],
  },
  {
    name: "the line of a revoked certificate cut after its status: the CRL says the rest",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.replace(/^R\t.*$/m, "R\t")),
    finds: ["index.damaged", "crl.unknown"],
    left: [],
  },
  {
    name: "regression 7: a line without its status: the journal says that it was not revoked",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.replace(/^V/, "X")),
    finds: ["index.damaged"],
    left: [],
  },
  {
    name: "regression 7: lines that are nothing any more, a revoked one that is in no CRL yet among them",
    async damage(tmp, [first]) {
      await qpki(["cert", "revoke", first, "-d", "ca"], tmp.path);
      edit(tmp, "ca/index.txt", (text) => text.replace(/^.*\n/, "?\n"));
    },
    finds: ["index.damaged"],
    left: ["crl.behind"],
  },
  {
    name: "regression 7: without a journal it is not guessed whether a line without its status was revoked",
    damage(tmp) {
      edit(tmp, "ca/index.txt", (text) => text.replace(/^V/, "X"));
      Deno.removeSync(tmp.join("ca/journal.jsonl"));
    },
    finds: ["index.damaged", "issued.orphan"],
    left: ["index.damaged", "issued.orphan"],
  },
  {
    name: "a last line without end",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.slice(0, -4)),
    finds: ["index.damaged"],
    left: [],
  },
  {
    name: "two damaged lines, each fits one certificate",
    damage: (tmp) =>
      edit(
        tmp,
        "ca/index.txt",
        (text) => text.split("\n").map((line, i) => i === 0 || i === 2 ? line.slice(0, 25) : line).join("\n"),
      ),
    finds: ["index.damaged", "index.damaged"],
    left: [],
  },
  {
    name: "a line that went missing",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.replace(/^V.*\n/, "")),
    finds: ["issued.orphan"],
    left: [],
  },
  {
    name: "the line of a revoked certificate that went missing comes back revoked",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.replace(/^R.*\n/m, "")),
    finds: ["issued.orphan", "crl.unknown"],
    left: [],
  },
  {
    name: "no index",
    damage: (tmp) => Deno.removeSync(tmp.join("ca/index.txt")),
    finds: ["index.missing", "crl.unknown", "issued.orphan", "issued.orphan", "issued.orphan"],
    left: ["index.missing", "crl.unknown", "issued.orphan", "issued.orphan", "issued.orphan"],
  },
  {
    name: "a certificate that went missing",
    damage: (tmp, [first]) => Deno.removeSync(tmp.join(`ca/issued/${first}.pem`)),
    finds: ["issued.missing"],
    left: ["issued.missing"],
  },
  {
    name: "a certificate that is none",
    damage: (tmp, [first]) => void tmp.write(`ca/issued/${first}.pem`, "-----BEGIN CERTIFICATE-----\nMII"),
    finds: ["certificate.invalid"],
    left: ["certificate.invalid"],
  },
  {
    name: "a certificate under the name of another",
    damage: (tmp, [first, , last]) =>
      Deno.copyFileSync(tmp.join(`ca/issued/${last}.pem`), tmp.join(`ca/issued/${first}.pem`)),
    finds: ["issued.serial"],
    left: ["issued.serial"],
  },
  {
    name: "a file of another CA in issued/",
    damage: (tmp) => void tmp.write("ca/issued/0A.pem", tmp.read("root/ca.crt")),
    finds: ["issued.name", "issued.signature"],
    left: ["issued.name", "issued.signature"],
  },
  {
    name: "another subject in the index",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.replace("a.test", "z.test")),
    finds: ["issued.subject"],
    left: ["issued.subject"],
  },
  {
    name: "another end in the index",
    damage: (tmp) => edit(tmp, "ca/index.txt", (text) => text.replace(/^V\t\d\d/, "V\t49")),
    finds: ["issued.dates"],
    left: ["issued.dates"],
  },
  {
    name: "no active version",
    damage: (tmp) => editMeta(tmp, (versions) => versions["v1"]!.status = "archived"),
    finds: ["meta.active"],
    left: ["meta.active"],
  },
  {
    name: "two active versions",
    damage: (tmp) => editMeta(tmp, (versions) => versions["v2"] = { ...versions["v1"]! }),
    finds: ["meta.active"],
    left: ["meta.active"],
  },
  {
    name: "metadata that is no JSON",
    damage: (tmp) => edit(tmp, "ca/ca.meta.json", (text) => text.slice(0, 100)),
    finds: ["meta.invalid"],
    left: ["meta.invalid"],
  },
  {
    name: "another pin",
    damage: (tmp) => editMeta(tmp, (versions) => versions["v1"]!.keys[0].spki_sha256 = "ab".repeat(32)),
    finds: ["meta.pin", "key.replaced"],
    left: ["meta.pin", "key.replaced"],
  },
  {
    name: "another algorithm",
    damage: (tmp) => editMeta(tmp, (versions) => versions["v1"]!.keys[0].algorithm = "ecdsa-p384"),
    finds: ["meta.algorithm", "key.algorithm"],
    left: ["meta.algorithm", "key.algorithm"],
  },
  {
    name: "no certificate of the version",
    damage: (tmp) => Deno.removeSync(tmp.join("ca/versions/v1/certs/ca.ecdsa-p256.pem")),
    finds: ["file.not_found", "issued.signature", "issued.signature", "issued.signature", "crl.signature"],
    left: ["file.not_found", "issued.signature", "issued.signature", "issued.signature", "crl.signature"],
  },
  {
    name: "no key file",
    damage: (tmp) => Deno.removeSync(tmp.join(KEY)),
    finds: ["key.missing"],
    left: ["key.missing"],
  },
  {
    name: "another key in the key file",
    damage: (tmp) => void tmp.write(KEY, tmp.read("k"), 0o600),
    finds: ["key.replaced"],
    left: ["key.replaced"],
  },
  {
    name: "a key file that is none",
    damage: (tmp) => void tmp.write(KEY, "x"),
    finds: ["der.invalid"],
    left: ["der.invalid"],
  },
  {
    name: "open modes",
    damage(tmp) {
      Deno.chmodSync(tmp.join(KEY), 0o644);
      Deno.chmodSync(tmp.join("ca/versions/v1/keys"), 0o755);
      Deno.chmodSync(tmp.join("ca/index.txt"), 0o666);
    },
    finds: ["mode.key", "mode.folder", "mode.writable"],
    left: [],
  },
  {
    name: "temporary files, but not one of this minute",
    damage(tmp) {
      const past = new Date(Date.now() - 120_000);
      for (const name of ["ca/index.txt.0a1b2c3d.tmp", "ca/crl/ca.crl.00000000.tmp"]) {
        Deno.utimeSync(tmp.write(name, "x"), past, past);
      }
      tmp.write("ca/index.txt.ffffffff.tmp", "somebody's at work");
    },
    finds: ["leftover.temporary", "leftover.temporary"],
    left: [],
  },
];

Deno.test("ca check: each damage is found, and repaired where that needs no decision", async (t) => {
  using made = tempFolder();
  const serials = await prepare(made.path);
  for (const { name, damage, finds, left } of DAMAGES) {
    await t.step(name, async () => {
      using tmp = tempFolder();
      copyTree(made.path, tmp.path);
      await damage(tmp, serials);
      const before = treeOf(tmp.join("ca"));
      const first = await check(tmp.path);
      const codes = (report: Report) => report.findings.map(({ code }) => code).sort();
      assert.deepEqual(codes(first.report), [...finds].sort(), JSON.stringify(first.report.findings, null, 1));
      assert.equal(first.status, first.report.errors > 0 ? 1 : 0);
      assert.deepEqual(treeOf(tmp.join("ca")), before, "a check changes nothing");
      const second = await check(tmp.path, "--repair");
      assert.deepEqual(codes(second.report), [...left].sort(), JSON.stringify(second.report, null, 1));
      const isRepaired = finds.some((code) => !left.includes(code));
      assert.equal(second.report.repaired.length > 0, isRepaired, second.report.repaired.join("\n"));
      if (left.length === 0) {
        assert.deepEqual((await check(tmp.path)).report.findings, []);
        // what was repaired works, and nothing was revived
        const list = await qpki(["cert", "list", "-d", "ca", "--json"], tmp.path);
        const known = JSON.parse(list).certificates as { serial: string; status: string }[];
        assert.equal(known.find(({ serial }) => serial === serials[1])?.status, "revoked");
        assert.equal(known.length, 3);
        await qpki(["crl", "gen", "-d", "ca"], tmp.path);
      }
    });
  }
});

Deno.test("ca check: versions, their link certificates and their CRLs", async () => {
  using tmp = tempFolder();
  const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca"];
  await qpki(init, tmp.path);
  await qpki(["csr", "gen", "-a", "ecdsa-p256", "--keyout", "k", "--cn", "x.test", "-o", "csr"], tmp.path);
  const issue = ["cert", "issue", "-d", "ca", "--profile", "ec/tls-server", "--csr", "csr", "--json"];
  const clean = async () => assert.deepEqual((await check(tmp.path)).report.findings, []);
  const old = JSON.parse(await qpki(issue, tmp.path)).serial;
  await qpki(["ca", "rotate", "-d", "ca", "--cross-sign"], tmp.path);
  await clean();
  await qpki(["ca", "activate", "-d", "ca", "--version", "v2"], tmp.path);
  await clean();
  const young = JSON.parse(await qpki(issue, tmp.path)).serial;
  await qpki(["cert", "revoke", old, "-d", "ca"], tmp.path);
  assert.deepEqual((await check(tmp.path)).report.findings.map(({ code }) => code), ["crl.missing"]);
  await qpki(["cert", "revoke", young, "-d", "ca"], tmp.path);
  await qpki(["crl", "gen", "-d", "ca"], tmp.path);
  await clean();
  // each version's CRL lists its own: exchanged they are wrong
  const [active, former] = [tmp.read("ca/crl/ca.crl"), tmp.read("ca/crl/ca.v1.crl")];
  tmp.write("ca/index.txt", tmp.read("ca/index.txt").replace(/^R\t(\S+)\t\S+\t/m, "V\t$1\t\t"));
  assert.deepEqual((await check(tmp.path)).report.findings.map(({ code }) => code), ["crl.unknown"]);
  assert.notEqual(active, former);
  await qpki(["cert", "revoke", old, "-d", "ca"], tmp.path);
  await qpki(["ca", "rotate", "-d", "ca", "--cross-sign"], tmp.path);
  await qpki(["ca", "discard", "-d", "ca", "--version", "v3", "--yes"], tmp.path);
  await qpki(["crl", "gen", "-d", "ca"], tmp.path);
  await clean();
  const [link] = [...Deno.readDirSync(tmp.join("ca/versions/v2/certs"))].filter(({ name }) =>
    /-by-v1\.pem$/.test(name)
  );
  Deno.removeSync(tmp.join("ca/versions/v2/certs", link!.name));
  Deno.mkdirSync(tmp.join("ca/versions/v9"));
  const told = (await check(tmp.path, "--repair")).report.findings.map(({ code }) => code);
  assert.deepEqual(told.sort(), ["file.not_found", "leftover.version"]);
});

Deno.test("ca check: an encrypted key file is opened only with its passphrase", async () => {
  using tmp = tempFolder();
  const env = { RIGHT: "correct horse", WRONG: "battery staple" };
  const run = async (...args: string[]) => {
    const { status, stdout, stderr } = await runInProcess(args, { cwd: tmp.path, env });
    return { status, stderr, report: stdout.startsWith("{") ? JSON.parse(stdout) : undefined };
  };
  const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca", "--passphrase", "env:RIGHT"];
  assert.equal((await run(...init)).status, 0);
  const check = ["ca", "check", "-d", "ca", "--json"];
  const shut = await run(...check);
  assert.deepEqual([shut.status, shut.report.findings, shut.report.checked.keys_not_opened], [0, [], 1]);
  const open = await run(...check, "--ca-passphrase", "env:RIGHT");
  assert.deepEqual([open.status, open.report.findings, open.report.checked.keys], [0, [], 1]);
  const wrong = await run(...check, "--ca-passphrase", "env:WRONG");
  assert.deepEqual([wrong.status, wrong.report.errors], [1, 1]);
  assert.equal((await run("ca", "check", "-d", "nowhere")).status, 4);
});
