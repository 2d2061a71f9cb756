import assert from "node:assert/strict";
import { InputError, InterruptedError, type OperationError, type QpkiError } from "../../src/errors.ts";
import { generateCrl } from "../../src/ca/crl.ts";
import { issueCertificate } from "../../src/ca/issue.ts";
import { soleIssuer } from "../../src/ca/issuers.ts";
import { generateSoftwareKey } from "../../src/keys/software.ts";
import { findKeyRow } from "../../src/alg/find.ts";
import { CaStore } from "../../src/store/ca.ts";
import { basicConstraints } from "../../src/x509/certificate.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";
import { makeCa, openCa, openssl, passphrase, profileOf, testDeps, treeOf } from "./support.ts";

Deno.test("ca init: a root has exactly the documented files, keys owner-only", async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  const { meta } = await makeCa("./ca", deps, { key: { type: "software", passphrase: passphrase("secret") } });
  assert.deepEqual(treeOf(tmp.path).filter((name) => name.startsWith("ca/")), [
    "ca/.lock",
    "ca/ca.crt",
    "ca/ca.meta.json",
    "ca/crl",
    "ca/crlnumber",
    "ca/index.txt",
    "ca/index.txt.attr",
    "ca/issued",
    "ca/journal.jsonl",
    "ca/versions",
    "ca/versions/v1",
    "ca/versions/v1/certs",
    "ca/versions/v1/certs/ca.ecdsa-p384.pem",
    "ca/versions/v1/keys",
    "ca/versions/v1/keys/ca.ecdsa-p384.key",
  ]);
  assert.equal(Deno.statSync(tmp.join("ca/versions/v1/keys")).mode! & 0o777, 0o700);
  assert.equal(Deno.statSync(tmp.join("ca/versions/v1/keys/ca.ecdsa-p384.key")).mode! & 0o777, 0o600);
  assert.match(tmp.read("ca/versions/v1/keys/ca.ecdsa-p384.key"), /BEGIN ENCRYPTED PRIVATE KEY/);
  assert.equal(tmp.read("ca/index.txt.attr"), "unique_subject = no\n");
  assert.equal(tmp.read("ca/crlnumber"), "01\n");
  assert.equal(tmp.read("ca/ca.crt"), tmp.read("ca/versions/v1/certs/ca.ecdsa-p384.pem"));
  assert.deepEqual(JSON.parse(tmp.read("ca/ca.meta.json")), meta);
  const { keys, ...version } = meta.versions["v1"]!;
  assert.deepEqual(meta.subject, { common_name: "Test Root" });
  assert.equal(meta.active, "v1");
  assert.deepEqual(version.profiles, ["ec/root-ca"]);
  assert.deepEqual(version.algos, ["ecdsa-p384"]);
  assert.equal(version.status, "active");
  assert.deepEqual(keys[0]!.storage, { type: "software", path: "versions/v1/keys/ca.ecdsa-p384.key" });
});

testWith("ca init: OpenSSL accepts a chain of two CAs with CRLs", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  await makeCa("root", deps);
  const at = tmp.join;
  {
    await using parent = await openCa(at("root"), deps);
    await makeCa("issuing", deps, {
      profileName: "ec/issuing-ca",
      given: { cn: "Issuing" },
      parent: soleIssuer(parent),
    });
    await generateCrl(parent, { days: 7 }, deps);
  }
  const index = tmp.read("root/index.txt");
  const serial = index.split("\t")[3]!;
  assert.match(index, /^V\t\d{12}Z\t\t[0-9A-F]{32}\tunknown\t\/CN=Issuing\n$/);
  assert.equal(tmp.read(`root/issued/${serial}.pem`), tmp.read("issuing/ca.crt"));
  assert.equal(tmp.read("issuing/chain.pem"), tmp.read("issuing/ca.crt") + tmp.read("root/ca.crt"));

  await using issuing = await openCa(at("issuing"), deps);
  await generateCrl(issuing, { days: 7 }, deps);
  using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
  const profile = await profileOf("ec/tls-server", { cn: "www.test" });
  const leaf = await issueCertificate(issuing, { profile, spki: key.spki }, deps);
  tmp.write("all.crl", tmp.read("root/crl/ca.crl") + tmp.read("issuing/crl/ca.crl"));
  await openssl([
    ...["verify", "-x509_strict", "-CAfile", at("root/ca.crt"), "-untrusted", at("issuing/chain.pem")],
    ...["-CRLfile", at("all.crl"), "-crl_check_all", at(`issuing/issued/${leaf.serial}.pem`)],
  ]);
  await openssl([
    "crl",
    "-in",
    at("issuing/crl/ca.crl.der"),
    "-inform",
    "DER",
    "-CAfile",
    at("issuing/ca.crt"),
    "-noout",
  ]);
});

Deno.test("ca init: what a parent cannot sign is refused before there is a key", async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  await makeCa("root", deps);
  await using root = await openCa(tmp.join("root"), deps);
  await makeCa("issuing", deps, { profileName: "ec/issuing-ca", given: { cn: "I" }, parent: soleIssuer(root) });
  await using issuing = await openCa(tmp.join("issuing"), deps);
  const late = testDeps(tmp.path, { now: () => new Date(Date.now() + 25 * 365 * 86_400_000) });
  const before = treeOf(tmp.path);
  const base = { profileName: "ec/issuing-ca", given: { cn: "X" } };
  const cases: [name: string, attempt: () => Promise<unknown>, code: string, message: RegExp][] = [
    [
      "path length 0",
      () => makeCa("x", deps, { ...base, parent: soleIssuer(issuing), validitySeconds: 60 }),
      "path_len.violated",
      /is 0/,
    ],
    [
      "path length too long",
      () =>
        makeCa("x", deps, { profileName: "ec/root-ca", given: { cn: "X", validity: "1d" }, parent: soleIssuer(root) }),
      "path_len.violated",
      /pathLen 1 .* allows 0/,
    ],
    [
      "beyond the parent's end",
      () => makeCa("x", deps, { ...base, given: { cn: "X", validity: "30y" }, parent: soleIssuer(root) }),
      "validity.beyond_issuer",
      /until \d{4}-\d\d-\d\dT.*Z.* ends \d{4}-\d\d-\d\dT.*Z/,
    ],
    ["expired parent", () => makeCa("x", late, { ...base, parent: soleIssuer(root) }), "ca.expired", /expired on/],
    [
      "no CA profile",
      () => makeCa("x", deps, { profileName: "ec/tls-server", given: { cn: "a.test" } }),
      "profile.not_ca",
      /not/,
    ],
    ["a CA is there", () => makeCa("root", deps), "ca.exists", /already/],
  ];
  for (const [name, attempt, code, message] of cases) {
    const error = await attempt().then(() => undefined, (reason: QpkiError) => reason);
    assert.equal(error?.code, code, name);
    assert.match(error!.message, message, name);
  }
  assert.deepEqual(treeOf(tmp.path), before);
  assert.equal((await root.store.entries()).length, 1);
});

Deno.test("ca init: two profiles for the same kind of key are refused, a root without CAs below it is told", async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  const root = await profileOf("ec/root-ca", { cn: "Twice" });
  const twins = [[root, /profile "ec\/root-ca" twice/], [
    { ...root, name: "mine" },
    /"mine": both are for ECDSA P-384/,
  ]] as const;
  for (const [second, message] of twins) {
    await assert.rejects(makeCa("twice", deps, { profiles: [root, second] }), { code: "profile.same_keys", message });
  }
  assert.deepEqual(treeOf(tmp.path), []);
  await makeCa("root", deps);
  assert.deepEqual(deps.warnings, []);
  await makeCa("alone", deps, { profileName: "ec/issuing-ca", given: { cn: "Alone" } });
  assert.match(
    deps.warnings.join("\n"),
    /^The CA signs its own certificate and allows no CA below it \(pathLen 0 .*--parent/,
  );
});

Deno.test("ca init: Ctrl-C at any step leaves nothing", async () => {
  using tmp = tempFolder();
  const profile = await profileOf("ec/root-ca", { cn: "Interrupted" });
  for (let step = 1; step <= 40; step++) {
    const control = new AbortController();
    let looked = 0;
    // the signal is looked at between the steps of the use case: abort at the n-th look
    const signal = new Proxy(control.signal, {
      get(target, name) {
        if (name === "aborted" && ++looked === step) control.abort();
        return Reflect.get(target, name, target);
      },
    });
    const deps = testDeps(tmp.path, { signal });
    const outcome = await makeCa("./a/ca", deps, { profiles: [profile] }).then(() => undefined, (error) => error);
    if (outcome === undefined) {
      assert.ok(step > 2, "the signal was looked at");
      return;
    }
    assert.ok(outcome instanceof InterruptedError, String(outcome));
    assert.deepEqual(treeOf(tmp.path), [], `step ${step}`);
  }
  assert.fail("init never finished");
});

Deno.test("ca init: an existing key file is used when its algorithm fits", async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
  tmp.write("mine.key", await key.toPem(), 0o600);
  await assert.rejects(
    makeCa("ca", deps, { key: { type: "software", existing: "mine.key" } }),
    (error) => error instanceof InputError && error.code === "key.algorithm_mismatch",
  );
  assert.deepEqual(treeOf(tmp.path), ["mine.key"]);
  const made = await makeCa("ca", deps, {
    key: { type: "software", existing: "mine.key" },
    profileName: "ec/issuing-ca",
    given: { cn: "Own key" },
  });
  assert.deepEqual(made.certificates[0]!.spki, key.spki);
  await using ca = await openCa(tmp.join("ca"), deps);
  assert.deepEqual(ca.key.spki, key.spki);
});

Deno.test("ca: another key in the place of the pinned one is refused", async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  await makeCa("ca", deps);
  using other = await generateSoftwareKey(findKeyRow("ecdsa-p384"));
  await Deno.writeTextFile(tmp.join("ca/versions/v1/keys/ca.ecdsa-p384.key"), await other.toPem());
  await assert.rejects(openCa(tmp.join("ca"), deps), (error) => {
    assert.equal((error as OperationError).code, "key.pin_mismatch");
    return true;
  });
  // and without a pin, as in older metadata, the certificate tells
  const meta = JSON.parse(tmp.read("ca/ca.meta.json"));
  delete meta.versions.v1.keys[0].spki_sha256;
  tmp.write("ca/ca.meta.json", JSON.stringify(meta));
  await assert.rejects(openCa(tmp.join("ca"), deps), (error) => {
    assert.equal((error as OperationError).code, "key.pin_mismatch");
    return true;
  });
});

Deno.test("ca: a wrong passphrase is an input error and changes nothing", async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  await makeCa("ca", deps, { key: { type: "software", passphrase: passphrase("right") } });
  const before = treeOf(tmp.path);
  await assert.rejects(openCa(tmp.join("ca"), deps, passphrase("wrong")), (error) => (error as QpkiError).exit === 4);
  await assert.rejects(openCa(tmp.join("ca"), deps));
  await using _ca = await openCa(tmp.join("ca"), deps, passphrase("right"));
  assert.deepEqual(treeOf(tmp.path), before);
});

Deno.test("ca: directories of the older tool are used as they are", async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  const [certificate] = (await makeCa("made", deps)).certificates;
  // the layout and metadata that the older tool writes: no schema, no pins, no list of certificates
  tmp.write("old/ca.crt", tmp.read("made/ca.crt"));
  tmp.write("old/private/ca.ecdsa-p384.key", tmp.read("made/versions/v1/keys/ca.ecdsa-p384.key"), 0o600);
  tmp.write("old/index.txt", "V\t300101000000Z\t\t0a\tunknown\tCN=old leaf\n");
  tmp.write("old/crlnumber", "0a\n");
  tmp.write(
    "old/ca.meta.json",
    JSON.stringify({
      profile: "ec/root-ca",
      created: "2025-01-02T10:30:00Z",
      keys: [{
        id: "default",
        algorithm: "ecdsa-p384",
        storage: { type: "software", path: "private/ca.ecdsa-p384.key" },
      }],
    }),
  );
  const metaBefore = tmp.read("old/ca.meta.json");
  await using ca = await openCa(tmp.join("old"), deps);
  assert.equal(ca.certificate.serial, certificate!.serial);
  assert.equal(ca.signer.scheme.name, "ecdsa-sha384");
  const { crl } = await generateCrl(ca, { days: 1 }, deps);
  assert.equal(crl.number, "0A");
  assert.equal(tmp.read("old/crlnumber"), "0B\n");
  assert.equal(tmp.read("old/ca.meta.json"), metaBefore);
  assert.equal((await CaStore.open(tmp.join("old"))).version().id, "v1");
});

testWith("ca init: every CA profile, accepted by OpenSSL", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const deps = testDeps(tmp.path);
  for (const family of ["ec", "rsa"]) {
    await makeCa(`${family}-root`, deps, { profileName: `${family}/root-ca`, given: { cn: `Root ${family}` } });
    await using parent = await openCa(tmp.join(`${family}-root`), deps);
    for (const below of ["ec", "rsa"]) {
      const name = `${family}-${below}`;
      const { certificates: [certificate] } = await makeCa(name, deps, {
        profileName: `${below}/issuing-ca`,
        given: { cn: name },
        parent: soleIssuer(parent),
      });
      assert.equal(basicConstraints(certificate!)?.pathLen, 0);
      await openssl([
        "verify",
        "-x509_strict",
        "-CAfile",
        tmp.join(`${family}-root/ca.crt`),
        tmp.join(`${name}/ca.crt`),
      ]);
    }
  }
});
