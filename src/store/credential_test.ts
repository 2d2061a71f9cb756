import assert from "node:assert/strict";
import { tempFolder } from "../../tests/support/tmp.ts";
import { CREDENTIAL_META_FILE, credentialIds, CredentialStaging, CredentialStore } from "./credential.ts";

const VERSION = {
  profiles: ["p"],
  algos: ["ecdsa-p256"],
  status: "active",
  created: "2026-01-01T00:00:00Z",
  not_before: "2026-01-01T00:00:00Z",
  not_after: "2027-01-01T00:00:00Z",
  keys: [{ id: "default", algorithm: "ecdsa-p256", storage: { type: "software", path: "k" } }],
  certificates: [{ serial: "0x01", role: "signature", profile: "p", algorithm: "a", fingerprint: "F", storage: [] }],
};
const META = { schema: 1, id: "x", subject: {}, active: "v1", versions: { v1: VERSION } };

Deno.test("staging shows nothing until it is committed, and leaves nothing when it is not", async () => {
  using tmp = tempFolder();
  const credDir = tmp.join("a", "b");
  {
    await using staging = await CredentialStaging.create(credDir, "x", { version: "v1" });
    Deno.writeTextFileSync(staging.path("versions/v1/keys/k"), "secret");
    assert.deepEqual(await credentialIds(credDir), []);
  }
  assert.deepEqual([...Deno.readDirSync(tmp.path)], [], "the folders that were made are gone too");
  await using staging = await CredentialStaging.create(credDir, "x", { version: "v1" });
  await using rival = await CredentialStaging.create(credDir, "x", { version: "v1" });
  Deno.writeTextFileSync(staging.path(CREDENTIAL_META_FILE), JSON.stringify(META));
  assert.equal(await staging.commit(), `${credDir}/x`);
  await assert.rejects(rival.commit(), { code: "file.exists" });
  await assert.rejects(CredentialStaging.create(credDir, "x", { version: "v1" }), { code: "file.exists" });
  assert.deepEqual(await credentialIds(credDir), ["x"]);
  assert.equal(Deno.statSync(credDir).mode! & 0o777, 0o700);
  assert.equal(Deno.statSync(`${credDir}/x/versions/v1/keys`).mode! & 0o777, 0o700);
});

Deno.test("ids are names of folders and nothing else", async () => {
  for (const id of ["", ".", "..", "../x", "a/b", ".x", "-x", "a\0b", "x".repeat(129), "a b"]) {
    await assert.rejects(CredentialStore.open("/nowhere", id), { code: "credential.id" }, id);
  }
  await assert.rejects(CredentialStore.open("/nowhere", "x"), { code: "credential.not_found" });
  assert.deepEqual(await credentialIds("/nowhere"), []);
});

Deno.test("metadata: unknown fields survive, versions are found, damage names the field", async () => {
  using tmp = tempFolder();
  const open = (value: unknown) => {
    tmp.write("x/credential.meta.json", JSON.stringify(value));
    return CredentialStore.open(tmp.path, "x");
  };
  const store = await open({ ...META, extra: 1, versions: { v1: { ...VERSION, more: [2] } }, ca: "../../ca" });
  assert.equal(store.meta["extra"], 1);
  assert.deepEqual(store.meta.versions["v1"]!["more"], [2]);
  assert.equal(store.caFolder, `${tmp.path}/x/../../ca`);
  for (const wanted of [undefined, "1", "v1"]) assert.equal(store.version(wanted).id, "v1");
  assert.throws(() => store.version("v2"), { code: "version.unknown" });
  await assert.rejects(store.certificates(), { code: "credential.certificate_missing" });
  assert.deepEqual(await store.chain(), []);

  const damaged: [unknown, RegExp][] = [
    [{ ...META, schema: 99 }, /schema 99/],
    [{ ...META, id: 7 }, /"id" is missing/],
    [{ ...META, active: "v2" }, /"active"/],
    [{ ...META, versions: { "../x": VERSION } }, /"\.\.\/x" is no version id/],
    [{ ...META, versions: { v1: { ...VERSION, status: "odd" } } }, /versions\.v1\.status/],
    [{ ...META, versions: { v1: { ...VERSION, keys: [{ algorithm: 1 }] } } }, /versions\.v1\.keys\[0\]\.algorithm/],
    [{ ...META, versions: { v1: { ...VERSION, certificates: [{}] } } }, /certificates\[0\]\.serial/],
    [
      { ...META, versions: { v1: { ...VERSION, certificates: [{ serial: "1", storage: [{ type: "x" }] }] } } },
      /storage/,
    ],
    [[], /not a JSON object/],
  ];
  for (const [value, message] of damaged) await assert.rejects(open(value), message);
});
