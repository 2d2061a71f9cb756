import assert from "node:assert/strict";
import { keyRows } from "../../src/alg/find.ts";
import { decodePem } from "../../src/bytes.ts";
import { spkiFingerprint } from "../../src/keys/spki.ts";
import { isSlow } from "../support/back_ends.ts";
import { run, runCli, runJson, runOk } from "../support/cli.ts";
import { opensslFor } from "../support/openssl.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

/** One key as the key commands print it with --json. */
interface KeyJson {
  algorithm: string | null;
  description: string;
  spki_sha256: string | null;
  storage: { type: string; path?: string; config?: string; label?: string | null; key_id?: string | null };
  attributes: Record<string, string | boolean>;
}

testWith(
  "key generate, info, list, pub: every algorithm in files that openssl reads",
  { needs: ["openssl"] },
  async (t) => {
    using tmp = tempFolder();
    const at = { cwd: tmp.path };
    const rows = keyRows().filter((row) => !isSlow(row));
    const names = rows.map((row) => row.name);
    for (const row of rows) {
      const { name } = row;
      await t.step(name, async () => {
        const made = await runJson(["key", "gen", "-a", name, "-o", `${name}.key`], at) as KeyJson;
        assert.equal(made.algorithm, name);
        assert.deepEqual(made.storage, { type: "software", path: `${name}.key` });
        assert.equal(Deno.statSync(tmp.join(`${name}.key`)).mode! & 0o777, 0o600);
        const shown = await runJson(["key", "info", `${name}.key`], at) as { keys_found: number; keys: KeyJson[] };
        assert.deepEqual(shown, { keys_found: 1, keys: [made] });
        const pub = await runOk(["key", "pub", "--key", `${name}.key`], at);
        const [block] = decodePem(pub.stdout);
        assert.equal(await spkiFingerprint(block!.bytes), made.spki_sha256);
        // the laboratory's OpenSSL judges the others
        if (opensslFor(row) !== "openssl") return;
        const judged = await run("openssl", ["pkey", "-in", `${name}.key`, "-pubout"], at);
        assert.equal(pub.stdout, judged.stdout);
      });
    }
    const { keys } = await runJson(["key", "list", "--dir", "."], at) as { keys: KeyJson[] };
    assert.deepEqual(keys.map((key) => key.algorithm).sort(), [...names].sort());
    assert.ok(keys.every((key) => /^[0-9a-f]{64}$/.test(key.spki_sha256!)));
  },
);

testWith("encrypted keys: made, shown, converted", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { OLD: "old secret", NEW: "new secret" } };
  await runOk(["key", "generate", "-a", "ecdsa-p384", "-o", "a.key", "--passphrase", "env:OLD"], at);
  assert.match(tmp.read("a.key"), /BEGIN ENCRYPTED PRIVATE KEY/);
  const closed = await runOk(["key", "info", "a.key"], at);
  assert.match(closed.stdout, /^Keys found: 1\n[^]*Algorithm: +encrypted\n/);
  const open = await runOk(["key", "info", "a.key", "--passphrase", "env:OLD"], at);
  assert.match(open.stdout, /Algorithm: +ECDSA P-384\n/);
  assert.equal((await runCli(["key", "info", "a.key", "--passphrase", "env:NEW"], at)).code, 4);

  const convert = ["key", "convert", "a.key", "--passphrase", "env:OLD"];
  await runOk([...convert, "--out", "b.key", "--new-passphrase", "env:NEW"], at);
  await runOk([...convert, "--out", "c.der", "--format", "der"], at);
  await runOk([...convert, "--out", "d.key", "--decrypt"], at);
  const read = async (args: string) => (await run("openssl", ["pkey", "-pubout", ...args.split(" ")], at)).stdout;
  const expected = await read("-in a.key -passin env:OLD");
  assert.match(expected, /BEGIN PUBLIC KEY/);
  assert.equal(await read("-in b.key -passin env:NEW"), expected);
  assert.equal(
    await read("-in c.der -inform DER -passin env:OLD"),
    expected,
    "stays encrypted with the old passphrase",
  );
  assert.equal(await read("-in d.key"), expected);
  assert.equal((await runCli([...convert, "--out", "d.key", "--decrypt"], at)).code, 1);
  await runOk([...convert, "--out", "a.key", "--new-passphrase", "env:NEW", "--force"], at);
  assert.equal(await read("-in a.key -passin env:NEW"), expected);
  for (const name of ["a.key", "b.key", "c.der", "d.key"]) {
    assert.equal(Deno.statSync(tmp.join(name)).mode! & 0o777, 0o600, name);
  }
  const everything = [closed, open].map((result) => result.stdout + result.stderr).join();
  assert.doesNotMatch(everything, /secret/);
});

Deno.test("key info and convert tell the form of a key that has a seed; composite and KEM keys convert", async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { NEW: "new secret" } };
  const forms: [string, string | undefined][] = [
    ["ml-dsa-44", "seed"],
    ["ml-kem-512", "seed"],
    ["slh-dsa-128f", undefined],
    ["mldsa44-ed25519-sha512", undefined],
  ];
  for (const [name, form] of forms) {
    const made = await runJson(["key", "gen", "-a", name, "-o", `${name}.key`], at) as KeyJson;
    assert.equal(made.attributes.form, form);
    const options = ["--out", `${name}.der`, "--format", "der", "--new-passphrase", "env:NEW"];
    const closed = await runJson(["key", "convert", `${name}.key`, ...options], at) as KeyJson;
    const read = ["key", "info", `${name}.der`, "--passphrase", "env:NEW"];
    const { keys } = await runJson(read, at) as { keys: KeyJson[] };
    assert.deepEqual(keys, [closed]);
    assert.equal(closed.spki_sha256, made.spki_sha256);
    assert.equal(closed.attributes.form, form);
  }
  assert.match((await runOk(["key", "info", "ml-dsa-44.key"], at)).stdout, /Form: +seed/);
});

testWith("key convert reads what openssl writes in older forms", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await run("openssl", ["ecparam", "-genkey", "-name", "prime256v1", "-out", "sec1.key"], at);
  await run("openssl", ["genrsa", "-traditional", "-out", "pkcs1.key", "2048"], at);
  for (const name of ["sec1", "pkcs1"]) {
    await runOk(["key", "convert", `${name}.key`, "--out", `${name}.p8`], at);
    const [before, after] = await Promise.all(
      ["key", "p8"].map((end) => run("openssl", ["pkey", "-in", `${name}.${end}`, "-pubout"], at)),
    );
    assert.equal(before!.stdout, after!.stdout);
    assert.match(tmp.read(`${name}.p8`), /^-----BEGIN PRIVATE KEY-----/);
  }
  await run(
    "openssl",
    ["rsa", "-in", "pkcs1.key", "-traditional", "-aes256", "-passout", "pass:x", "-out", "old.key"],
    at,
  );
  const refused = await runCli(["key", "convert", "old.key", "--out", "new.key"], at);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /"old\.key".*legacy PEM form/);
  assert.match(refused.stderr, /hint: .*openssl pkcs8 -topk8/);
});

Deno.test("key commands: wrong usage and refusals, each with its exit status and message", async (t) => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  tmp.write("a.key", "old content", 0o600);
  tmp.write("broken.key", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n", 0o600);
  const cases: [string[], number, RegExp][] = [
    [["key", "generate", "-a", "ecdsa-p256"], 2, /neither --out nor --hsm-config[^]*hint: /],
    [["key", "generate", "-o", "x.key"], 2, /algorithm/],
    [
      ["key", "generate", "-a", "ecdsa-p257", "-o", "x.key"],
      2,
      /Unknown algorithm "ecdsa-p257"[^]*Did you mean "ecdsa-p256"/,
    ],
    [["key", "generate", "-a", "ed25519", "-o", "a.key"], 1, /"a\.key": the file exists[^]*--force/],
    [["key", "generate", "-a", "ed25519", "-o", "no/folder/x.key"], 1, /no such file or folder/],
    [["key", "generate", "-a", "ed25519", "-o", "x.key", "-p", ""], 2, /passphrase: it is empty/],
    [["key", "generate", "-a", "ed25519", "-o", "x.key", "-p", "env:NOT_SET"], 2, /env:NOT_SET/],
    [["key", "generate", "-a", "ed25519", "--key-label", "x"], 2, /--hsm-config is missing/],
    [
      ["key", "generate", "-a", "ed25519", "--hsm-config", "x", "--key-label", "x", "-o", "y"],
      2,
      /--out with --hsm-config/,
    ],
    [["key", "generate", "-a", "ed25519", "--hsm-config", "x"], 2, /--key-label is missing/],
    [
      ["key", "generate", "-a", "ed25519", "--hsm-config", "x", "--key-label", "x", "--key-id", "xyz"],
      2,
      /--key-id "xyz"/,
    ],
    [["key", "info"], 2, /neither a key file nor --hsm-config/],
    [["key", "info", "none.key"], 4, /none\.key": no such file/],
    [["key", "info", "broken.key"], 4, /broken\.key/],
    [["key", "pub", "--key", "broken.key"], 4, /broken\.key/],
    [["key", "pub", "--key", "none.key"], 4, /"none\.key": no such file/],
    [["key", "pub"], 2, /neither a key file nor/],
    [["key", "convert", "broken.key"], 2, /out/],
    [["key", "convert", "broken.key", "--out", "a.key"], 1, /"a\.key": the file exists/],
    [["key", "convert", "broken.key", "--out", "n.key", "--decrypt", "--new-passphrase", "x"], 2, /--decrypt with/],
    [["key", "list", "--dir", "none"], 4, /none/],
    [["key", "list", "--dir", ".", "--hsm-config", "x"], 2, /a folder and a token at once/],
    [["key", "delete"], 2, /--hsm-config is missing/],
    [["key", "delete", "--hsm-config", "x"], 2, /--key-label and --key-id are both missing/],
    [["key", "delete", "--hsm-config", "x", "--key-label", "x"], 2, /nobody can be asked[^]*--yes/],
    [["key", "info", "broken.key", "--nonsense"], 2, /nonsense/],
  ];
  for (const [args, code, message] of cases) {
    await t.step(args.join(" "), async () => {
      const result = await runCli(args, at);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
      assert.equal(result.stdout, "");
      assert.doesNotMatch(result.stderr, /\bat .*\.ts:/);
    });
  }
  assert.equal(tmp.read("a.key"), "old content");
  const forced = await runCli(["key", "generate", "-a", "ed25519", "-o", "a.key", "--force"], at);
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(tmp.read("a.key"), /BEGIN PRIVATE KEY/);
  Deno.chmodSync(tmp.join("a.key"), 0o644);
  assert.match((await runOk(["key", "info", "a.key"], at)).stderr, /warning: .*a\.key.*chmod 600/);
});

Deno.test("key pub and key list: files and text", async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  assert.equal((await runOk(["key", "list"], at)).stdout, "No keys found\n");
  await runOk(["key", "generate", "-a", "ed25519", "-o", "a.key"], at);
  const told = await runOk(["key", "pub", "-k", "a.key", "-o", "a.pub"], at);
  const json = await runJson(["key", "pub", "-k", "a.key"], at) as { pem: string; spki_sha256: string };
  assert.equal(tmp.read("a.pub"), json.pem);
  assert.ok(told.stdout.includes(json.spki_sha256));
  await runOk(["key", "pub", "-k", "a.key", "-o", "a.der", "--format", "der"], at);
  assert.equal(Deno.readFileSync(tmp.join("a.der")).length, 44);
  assert.equal((await runCli(["key", "pub", "-k", "a.key", "-o", "a.pub"], at)).code, 1);
  tmp.write("sub/note.txt", "no key");
  const listed = await runOk(["key", "list", "--dir", "./"], at);
  assert.match(
    listed.stdout,
    /^FILE +ALGORITHM +FORMAT +ENCRYPTED +SPKI SHA-256\n\S*a\.key +Ed25519 +PKCS#8 +no +[0-9a-f]{64}\n$/,
  );
});

testWith(
  "keys in a token: generate, list, info, pub, delete",
  { needs: ["softhsm", "openssl", "pkcs11-tool"] },
  async () => {
    using token = softhsmToken();
    const at = { cwd: token.folder, env: token.env };
    const hsm = ["--hsm-config", token.hsmYaml()];
    const made = await runJson(["key", "gen", "-a", "ecdsa-p384", ...hsm, "--key-label", "one"], at) as KeyJson;
    assert.equal(made.algorithm, "ecdsa-p384");
    assert.equal(made.storage.label, "one");
    assert.match(made.storage.key_id!, /^[0-9a-f]{32}$/);
    const stated = ["--key-label", "two", "--key-id", "0102030405"];
    const two = await runJson(["key", "gen", "-a", "rsa-2048", ...hsm, ...stated], at) as KeyJson;
    assert.equal(two.storage.key_id, "0102030405");

    const taken = await runCli(["key", "gen", "-a", "ecdsa-p384", ...hsm, "--key-label", "one"], at);
    assert.notEqual(taken.code, 0);
    const { keys } = await runJson(["key", "list", ...hsm], at) as { keys: KeyJson[] };
    assert.deepEqual(keys.map((key) => key.spki_sha256).sort(), [made.spki_sha256, two.spki_sha256].sort());

    const info = await runOk(["key", "info", ...hsm, "--key-label", "one"], at);
    assert.match(info.stdout, /^Keys found: 1\n/);
    assert.ok(info.stdout.includes(made.spki_sha256!));
    const login = ["--module", token.lib, "--token-label", token.label, "--login", "--pin", token.pin];
    const foreign = ["--keypairgen", "--key-type", "rsa:2048", "--label", "one", "--id", "77"];
    assert.equal((await run("pkcs11-tool", [...login, ...foreign], at)).code, 0);
    const both = await runOk(["key", "info", ...hsm, "--key-label", "one"], at);
    assert.match(both.stdout, /^Keys found: 2\n/);
    assert.ok(both.stdout.includes(made.spki_sha256!));
    const ambiguous = await runCli(["key", "delete", ...hsm, "--key-label", "one", "--yes"], at);
    assert.equal(ambiguous.code, 3);
    assert.match(ambiguous.stderr, /2 keys match[^]*hint: .*SPKI SHA-256/);
    await runOk(["key", "delete", ...hsm, "--key-id", "77", "--yes"], at);
    const pub = await runOk(["key", "pub", ...hsm, "--key-label", "one"], at);
    const judged = await run("openssl", ["pkey", "-pubin", "-noout", "-text"], { ...at, stdin: pub.stdout });
    assert.match(judged.stdout, /NIST CURVE: P-384/);

    const unknown = await runCli(["key", "info", ...hsm, "--key-label", "three"], at);
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, /label "three"/);
    assert.ok(unknown.stderr.includes(made.spki_sha256!), "the candidates are listed");

    const deleted = await runJson(["key", "delete", ...hsm, "--key-label", "one", "--yes"], at) as { deleted: boolean };
    assert.equal(deleted.deleted, true);
    assert.equal((await runCli(["key", "pub", ...hsm, "--key-label", "one"], at)).code, 3);
    assert.doesNotMatch(info.stdout + info.stderr + unknown.stderr, new RegExp(`\\b${token.pin}\\b`));
  },
);
