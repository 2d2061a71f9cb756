/** Versions of a CA with keys in files: rotate, activate, roll back, discard. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { Work } from "../support/work.ts";
import { openssl, treeOf } from "./support.ts";

interface Rotated {
  version: string;
  status: string;
  active: string;
  certificates: { serial: string; path: string }[];
  cross_certificates: { subject: string; issuer: string; serial: string; path: string; chain: string }[];
}

/** Times and sizes of everything below a folder. */
function stateOf(folder: string): string[] {
  return [".", ...treeOf(folder)].map((name) => {
    const { mtime, size } = Deno.statSync(`${folder}/${name}`);
    return `${name} ${mtime?.toISOString()} ${size}`;
  });
}

async function leaf(work: Work, ca: string, name: string, profile = "ec/tls-client"): Promise<string> {
  await work.run("credential", "enroll", name, "-d", ca, "-P", profile, "--var", `cn=${name}`);
  await work.run("credential", "export", name, "--out", `${name}.crt`);
  return `${name}.crt`;
}

testWith("rotate makes a pending version, activate switches, and back again", { needs: ["openssl"] }, async () => {
  using work = new Work();
  const at = work.tmp.join;
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "--var", "organization=Acme", "-d", "ca");
  const first = await leaf(work, "ca", "first");
  const rotated = await work.json<Rotated>("ca", "rotate", "-d", "ca");
  assert.deepEqual([rotated.version, rotated.status, rotated.active], ["v2", "pending", "v1"]);
  const { v1, v2 } = work.meta("ca").versions;
  assert.deepEqual([v1!.status, v2!.status], ["active", "pending"]);
  assert.deepEqual([v2!.profiles, v2!.algos, v2!.variables], [v1!.profiles, v1!.algos, v1!.variables]);
  assert.deepEqual(v2!.keys.map(({ storage }) => storage), [
    { type: "software", path: "versions/v2/keys/ca.ecdsa-p384.key" },
  ]);
  assert.notEqual(v1!.keys[0]!.spki_sha256, v2!.keys[0]!.spki_sha256);
  const [one, two] = [
    await work.certificate("ca/ca.crt"),
    await work.certificate("ca/versions/v2/certs/ca.ecdsa-p384.pem"),
  ];
  assert.deepEqual(two.subject, one.subject, "the subject stays, byte for byte");
  for (const path of ["keys", "keys/ca.ecdsa-p384.key"]) {
    assert.equal(Deno.statSync(at(`ca/versions/v2/${path}`)).mode! & 0o077, 0, path);
  }
  await work.fails(
    1,
    /v2 is pending[\s\S]*ca activate --version v2[\s\S]*ca discard --version v2/,
    "ca",
    "rotate",
    "-d",
    "ca",
  );
  // still the first one
  const between = await leaf(work, "ca", "between");
  await openssl(["verify", "-CAfile", at("ca/ca.crt"), at(between)]);

  await work.run("ca", "activate", "-d", "ca", "--version", "2");
  assert.deepEqual(Object.values(work.meta("ca").versions).map(({ status }) => status), ["archived", "active"]);
  assert.equal(work.tmp.read("ca/ca.crt"), work.tmp.read("ca/versions/v2/certs/ca.ecdsa-p384.pem"));
  const second = await leaf(work, "ca", "second");
  await openssl(["verify", "-x509_strict", "-CAfile", at("ca/ca.crt"), at(second)]);
  await openssl(["verify", "-x509_strict", "-CAfile", at("ca/versions/v1/certs/ca.ecdsa-p384.pem"), at(first)]);
  for (const file of [first, between, second]) await work.run("cert", "verify", file, "--ca", "ca");

  const again = await work.json<{ was: string }>("ca", "activate", "-d", "ca", "-v", "v2");
  assert.equal(again.was, "active");
  const back = await work.json<{ was: string; archived: string }>("ca", "activate", "-d", "ca", "-v", "v1");
  assert.deepEqual([back.was, back.archived], ["archived", "v2"]);
  const third = await leaf(work, "ca", "third");
  await openssl(["verify", "-CAfile", at("ca/ca.crt"), at(third)]);
  for (const file of [first, between, second, third]) await work.run("cert", "verify", file, "--ca", "ca");
  await work.fails(4, /version "7"/, "ca", "activate", "-d", "ca", "-v", "7");
});

Deno.test("a dry run says everything, and leaves every file and time as it is", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  const before = stateOf(work.tmp.path);
  const plan = await work.json<Record<string, unknown>>(
    ...["ca", "rotate", "-d", "ca", "-P", "hybrid/catalyst/root-ca", "--cross-sign", "--dry-run"],
  );
  assert.deepEqual(stateOf(work.tmp.path), before);
  assert.deepEqual([plan.dry_run, plan.version, plan.active], [true, "v2", "v1"]);
  assert.deepEqual(plan.files, [
    "ca.meta.json",
    "index.txt",
    "issued/SERIAL.pem",
    "versions/v2/certs/ca.ecdsa-p384-ml-dsa-87.pem",
    "versions/v2/certs/ca.ecdsa-p384-ml-dsa-87.v2-by-v1.chain.pem",
    "versions/v2/certs/ca.ecdsa-p384-ml-dsa-87.v2-by-v1.pem",
    "versions/v2/certs/ca.ecdsa-p384.v1-by-v2.chain.pem",
    "versions/v2/certs/ca.ecdsa-p384.v1-by-v2.pem",
    "versions/v2/keys/ca.ecdsa-p384.key",
    "versions/v2/keys/ca.ml-dsa-87.key",
  ]);
  await work.run("ca", "rotate", "-d", "ca", "-P", "hybrid/catalyst/root-ca", "--cross-sign");
  const planned = (plan.files as string[]).filter((path) => path.startsWith("versions/"));
  const made = treeOf(work.tmp.join("ca/versions/v2")).filter((name) => name.includes("."));
  assert.deepEqual(made.map((name) => `versions/v2/${name}`), planned, "what was planned was made");
  // a refusal comes in the dry run too
  await work.fails(1, /v2 is pending/, "ca", "rotate", "-d", "ca", "--dry-run");
});

Deno.test("what a rotation refuses costs nothing", async () => {
  using work = new Work();
  const secret = work.tmp.write("secret", "pass\n");
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca", "-p", `file:${secret}`);
  const before = treeOf(work.tmp.path);
  const rotate = (...more: string[]) => ["ca", "rotate", "-d", "ca", ...more];
  const cases: [status: number, message: RegExp, args: string[]][] = [
    [2, /present ones are encrypted/, rotate()],
    [4, /not the profile of a CA/, rotate("-P", "ec/tls-client", "-p", `file:${secret}`)],
    [4, /"cn".*would change the subject/, rotate("--var", "cn=Other", "-p", `file:${secret}`)],
    [4, /"colour" is not one of its variables/, rotate("--var", "colour=red", "-p", `file:${secret}`)],
    [2, /is a root/, rotate("--csr-only", "-p", `file:${secret}`)],
    [2, /is a root/, rotate("--parent", "ca", "-p", `file:${secret}`)],
    [2, /--hsm-config is missing/, rotate("--key-label", "x")],
    [4, /pass phrase|passphrase/i, rotate("--cross-sign", "-p", `file:${secret}`, "--ca-passphrase", "")],
  ];
  for (const [status, message, args] of cases) {
    await work.fails(status, message, ...args);
    const after = treeOf(work.tmp.path).filter((name) => !name.endsWith("journal.jsonl") && !name.includes(".staging"));
    assert.deepEqual(after, before.filter((name) => !name.endsWith("journal.jsonl")), args.join(" "));
  }
  await work.run(...rotate("-p", `file:${secret}`));
  assert.match(work.tmp.read("ca/versions/v2/keys/ca.ecdsa-p384.key"), /ENCRYPTED/);
  // where a certificate is still awaited there is nothing to rotate
  await work.run("ca", "init", "-P", "ec/issuing-ca", "--var", "cn=Sub", "--csr-only", "-d", "sub");
  await work.fails(1, /v1 is pending[\s\S]*ca accept/, "ca", "rotate", "-d", "sub");
});

Deno.test("a pending version is discarded: keys and files go, its number is free again", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  const meta = work.tmp.read("ca/ca.meta.json");
  const { cross_certificates: links } = await work.json<Rotated>("ca", "rotate", "-d", "ca", "--cross-sign");
  const { revoked } = await work.json<{ revoked: string[] }>("ca", "discard", "-d", "ca", "-v", "v2");
  assert.deepEqual(revoked, links.map(({ serial }) => serial));
  assert.equal(work.tmp.read("ca/ca.meta.json"), meta);
  assert.deepEqual([...Deno.readDirSync(work.tmp.join("ca/versions"))].map(({ name }) => name), ["v1"]);
  const { certificates } = await work.json<{ certificates: { serial: string; status: string }[] }>(
    ...["cert", "list", "-d", "ca", "--status", "all"],
  );
  assert.deepEqual(certificates.map(({ status }) => status), ["revoked", "revoked"]);
  await work.fails(1, /v1.*is active, not pending/, "ca", "discard", "-d", "ca", "-v", "v1");
  assert.equal((await work.json<Rotated>("ca", "rotate", "-d", "ca")).version, "v2");
});

Deno.test("a rotation that is interrupted leaves nothing", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  const before = treeOf(work.tmp.join("ca/versions"));
  const meta = work.tmp.read("ca/ca.meta.json");
  const { runInProcess } = await import("../support/in_process.ts");
  for (const delay of [0, 5, 15, 40]) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), delay);
    const { status } = await runInProcess(
      ["ca", "rotate", "-d", "ca", "-P", "hybrid/catalyst/root-ca", "--cross-sign"],
      { cwd: work.tmp.path, signal: stop.signal },
    );
    clearTimeout(timer);
    if (status === 0) await work.run("ca", "discard", "-d", "ca", "-v", "v2");
    else assert.equal(status, 130);
    assert.deepEqual(treeOf(work.tmp.join("ca/versions")), before, `after ${delay} ms`);
    assert.equal(work.tmp.read("ca/ca.meta.json"), meta);
    assert.deepEqual(treeOf(work.tmp.join("ca")).filter((name) => name.startsWith(".staging/rotate")), []);
  }
});

Deno.test("of rotations at once one makes a version, and the others leave nothing", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  const results = await Promise.all(Array.from({ length: 6 }, () => work.try("ca", "rotate", "-d", "ca")));
  assert.deepEqual(results.map(({ status }) => status).sort(), [0, 1, 1, 1, 1, 1]);
  for (const { status, stderr } of results) if (status === 1) assert.match(stderr, /version v2 is pending/);
  assert.deepEqual(Object.keys(work.meta("ca").versions), ["v1", "v2"]);
  const keys = treeOf(work.tmp.path).filter((name) => name.endsWith(".key"));
  assert.deepEqual(keys, ["ca/versions/v1/keys/ca.ecdsa-p384.key", "ca/versions/v2/keys/ca.ecdsa-p384.key"]);
  await work.run("ca", "check", "-d", "ca");
});

testWith(
  "a CA of the older tool goes on with new keys; nothing of the former version is lost",
  { needs: ["openssl"] },
  async () => {
    using work = new Work();
    for (const [ca, isVersioned] of [["versioned", true], ["older", false]] as const) {
      await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "--var", "country=FR", "-d", ca);
      work.tmp.write(`${ca}/private/ca.key`, work.tmp.read(`${ca}/versions/v1/keys/ca.ecdsa-p384.key`), 0o600);
      Deno.removeSync(work.tmp.join(ca, "versions"), { recursive: true });
      const key = { id: "default", algorithm: "ecdsa-p384", storage: { type: "software", path: "private/ca.key" } };
      const version = { profiles: ["ec/root-ca"], algos: ["ecdsa-p384"], status: "active", keys: [key], note: "kept" };
      const meta = isVersioned
        ? { subject: { common_name: "Root" }, active: "v1", versions: { v1: version } }
        : { profile: "ec/root-ca", created: "2025-01-02T10:30:00Z", keys: [key] };
      work.tmp.write(`${ca}/ca.meta.json`, JSON.stringify(meta, null, 4));
      const first = await leaf(work, ca, `${ca}-first`);
      const own = work.tmp.read(`${ca}/ca.crt`);
      await work.run("ca", "rotate", "-d", ca, "--cross-sign");
      await work.run("ca", "activate", "-d", ca, "-v", "v2");
      assert.equal(work.tmp.read(`${ca}/versions/v1/certs/ca.ecdsa-p384.pem`), own);
      if (isVersioned) assert.equal(work.meta(ca).versions["v1"]!["note"], "kept", "unknown fields survive");
      assert.deepEqual(
        (await work.certificate(`${ca}/ca.crt`)).subject,
        (await work.certificate(`${ca}/versions/v1/certs/ca.ecdsa-p384.pem`)).subject,
      );
      const second = await leaf(work, ca, `${ca}-second`);
      await work.run("cert", "revoke", (await work.certificate(first)).serial, "-d", ca, "--gen-crl");
      await work.run("crl", "gen", "-d", ca);
      await work.fails(1, /revoked/, "cert", "verify", first, "--ca", ca);
      await work.run("cert", "verify", second, "--ca", ca);
      await work.run("ca", "activate", "-d", ca, "-v", "v1");
      assert.equal(work.tmp.read(`${ca}/ca.crt`), own);
    }
  },
);

Deno.test("regression list, row 24: the profile is known without being named again, unless it was given by its path", async () => {
  using work = new Work();
  await work.run("profile", "export", "ec/root-ca", "mine.yaml");
  work.tmp.write("own.yaml", work.tmp.read("mine.yaml").replace("name: ec/root-ca", "name: own-root"));
  await work.run("ca", "init", "-P", "./own.yaml", "--var", "cn=Root", "-d", "ca");
  await work.fails(4, /"own-root" of the present version[\s\S]*--profile PATH/, "ca", "rotate", "-d", "ca");
  await work.run("ca", "rotate", "-d", "ca", "-P", "./own.yaml");
  await work.run("ca", "discard", "-d", "ca", "-v", "2");
  Deno.mkdirSync(work.tmp.join("ca/profiles"));
  Deno.renameSync(work.tmp.join("own.yaml"), work.tmp.join("ca/profiles/own-root.yaml"));
  await work.run("ca", "rotate", "-d", "ca");
});
