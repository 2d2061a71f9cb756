import assert from "node:assert/strict";
import { describe, runCli, runOk } from "../support/cli.ts";
import { tempFolder } from "../support/tmp.ts";
import { treeOf } from "../ca/support.ts";

/** A folder with keys, a CA, a credential and what else outputs might hit. */
async function world(folder: string): Promise<void> {
  const qpki = (line: string) => runOk(line.split(" "), { cwd: folder, env: { PASS: "Owl-1234" } });
  await qpki("key generate -a ecdsa-p256 --out k.key");
  await qpki("key generate -a ecdsa-p256 --out other.key");
  await qpki("key generate -a ecdsa-p256 --out locked.key --passphrase env:PASS");
  await qpki("key convert other.key --format der --out k.der");
  await qpki("key convert other.key --format cose --out k.cosekey");
  await qpki("key pub --key other.key --out other.pub");
  await qpki("ca init -P ec/root-ca --var cn=Root -d ca");
  await qpki("credential enroll alice -P ec/tls-client --var cn=Alice -d ca");
  Deno.symlinkSync("k.key", `${folder}/link.key`);
  Deno.mkdirSync(`${folder}/sub`);
  Deno.writeTextFileSync(`${folder}/pass`, "Owl-1234\n", { mode: 0o600 });
  Deno.writeTextFileSync(`${folder}/claims.jsonl`, '{"claims": {"sub": "x"}, "out": "k.key"}\n');
}

function keyIn(folder: string, below: string): string {
  const found = treeOf(`${folder}/${below}`).find((path) => path.endsWith(".key"));
  assert.ok(found, `no key in ${below}`);
  return `${below}/${found}`;
}

Deno.test("no output takes the place of a key or of a file that is read, with --force neither", async () => {
  using tmp = tempFolder();
  await world(tmp.path);
  const caKey = keyIn(tmp.path, "ca");
  const aliceKey = keyIn(tmp.path, "credentials/alice");
  const lines: readonly [line: string, message: RegExp][] = [
    ["csr gen -a ecdsa-p256 --keyout g.key --cn x -o g.key", /"g.key": it is the same file as --keyout/],
    ["csr gen -a ecdsa-p256 --keyout g.key --cn x -o sub/../g.key", /the same file as --keyout/],
    ["csr gen -a p256 --hybrid ml-dsa-44 --keyout g.key --hybrid-keyout ./g.key --cn x -o x.csr", /same file as/],
    ["csr gen --key k.key --cn x -o k.key", /"k.key": it is the same file as --key, which would be lost/],
    ["csr gen --key k.key --cn x -o link.key", /the same file as --key/],
    ["csr gen --key k.key --cn x -o other.key", /"other.key": there is a private key in that file/],
    ["csr gen -a p256 --hybrid ml-dsa-44 --key k.key --hybrid-keyout k.key --cn x -o x.csr", /the same file as --key/],
    ["csr gen -a p256 --keyout n.key --passphrase file:pass --cn x -o pass", /the same file as --passphrase/],
    ["key pub -k k.key -o k.key", /the same file as --key/],
    ["key pub -k k.key -o locked.key", /a private key in that file/],
    ["key pub -k k.key -o k.der", /a private key in that file/],
    ["key pub -k k.key -o k.cosekey", /a private key in that file/],
    ["key convert k.key --out k.key", /in its place: nothing says what is to change/],
    ["key convert k.key --out link.key", /in its place/],
    ["key convert k.key --public --format der --out k.key", /a private key in that file/],
    ["key convert other.pub --out k.key", /a private key in that file/],
    [`ca export -d ca -o ${caKey}`, /a private key in that file/],
    [`ca backup -d ca -o ${caKey}`, /a private key in that file/],
    [`credential export alice -o ${aliceKey}`, /a private key in that file/],
    [`credential export alice --format p12 --export-passphrase env:PASS -o ${aliceKey}`, /a private key in that file/],
    ["cose sign --key k.key --type cwt --sub x -o k.key", /the same file as --key/],
    [`cose sign --credential alice --type cwt --sub x -o ${aliceKey}`, /a private key in that file/],
    ["profile export ec/root-ca k.key", /a private key in that file/],
  ];
  const before = contents(tmp.path);
  for (const [line, message] of lines) {
    const result = await runCli([...line.split(" "), "--force"], { cwd: tmp.path, env: { PASS: "Owl-1234" } });
    assert.ok(result.code === 1 || result.code === 2, describe(line, result));
    assert.match(result.stderr, message);
    assert.deepEqual(contents(tmp.path), before, line);
  }
  const batch = await runCli(["cose", "sign", "--batch", "claims.jsonl", "--key", "k.key", "--force"], {
    cwd: tmp.path,
  });
  assert.match(batch.stdout, /file\.private_key/, describe("cose sign --batch", batch));
  assert.deepEqual(contents(tmp.path), before);
});

Deno.test("a key file is written anew in its place when the command line says what is to change", async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { PASS: "Owl-1234" } };
  await runOk("key generate -a ecdsa-p256 --out k.key".split(" "), at);
  for (const change of ["--new-passphrase env:PASS", "--passphrase env:PASS --decrypt", "--format der"]) {
    await runOk(`key convert k.key --out k.key --force ${change}`.split(" "), at);
  }
  await runOk("csr gen --key k.key --cn x --out x.csr".split(" "), at);
  await runOk("csr gen --key k.key --cn x --out x.csr --force".split(" "), at);
  await runOk("csr gen -a ecdsa-p256 --keyout k.key --cn x --out x.csr --force".split(" "), at);
});

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    treeOf(folder).filter((path) => Deno.statSync(`${folder}/${path}`).isFile)
      .map((path) => [path, Deno.readFileSync(`${folder}/${path}`).toHex()]),
  );
}
