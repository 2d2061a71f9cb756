import assert from "node:assert/strict";
import type { Deps } from "../ca/deps.ts";
import { initCa } from "../ca/init.ts";
import { type Issuers, soleIssuer } from "../ca/issuers.ts";
import { caSigner, type OpenCa } from "../ca/signer.ts";
import { InterruptedError, OperationError, TokenError } from "../errors.ts";
import { softwareProvider } from "../keys/software.ts";
import { compileProfile } from "../profile/compile.ts";
import { loadProfile } from "../profile/load.ts";
import { CaStore } from "../store/ca.ts";
import { CredentialStore } from "../store/credential.ts";
import { MemoryToken } from "../../tests/support/memory_token.ts";
import { type TempFolder, tempFolder } from "../../tests/support/tmp.ts";
import type { KeyPlace } from "../ca/obtain_keys.ts";
import { defaultId, enroll } from "./enroll.ts";
import { exportCertificates } from "./export.ts";
import { credentialState, RevocationLookup } from "./status.ts";

class World implements AsyncDisposable, Deps {
  readonly tmp: TempFolder = tempFolder();
  readonly cwd = this.tmp.path;
  readonly credDir = this.tmp.join("credentials");
  readonly token = new MemoryToken();
  readonly warnings: string[] = [];
  readonly #abort = new AbortController();
  time = new Date("2026-03-04T05:06:07.890Z");
  ca!: OpenCa;

  static async open(root = "ec/root-ca"): Promise<World> {
    const world = new World();
    const profile = compileProfile(await loadProfile(root), { cn: "Root" });
    await initCa({ folder: "ca", profiles: [profile], key: { type: "software" } }, world);
    world.ca = await caSigner(await CaStore.open(world.tmp.join("ca")), world);
    return world;
  }
  openProvider: Deps["openProvider"] = (request) =>
    Promise.resolve(request.type === "pkcs11" ? this.token : softwareProvider({ cwd: this.cwd, ...request }));
  now = () => this.time;
  progress() {}
  warn(text: string) {
    this.warnings.push(text);
  }
  get signal() {
    return this.#abort.signal;
  }
  interrupt() {
    this.#abort.abort();
  }
  get issuers(): Issuers {
    return soleIssuer(this.ca);
  }
  async enroll(key: KeyPlace, id?: string, profiles = ["ec/tls-server"], pqcKey?: KeyPlace) {
    const compiled = [];
    for (const name of profiles) {
      const given = { cn: "Host.test", ...(name.endsWith("server") ? { dns_names: ["host.test"] } : {}) };
      compiled.push(compileProfile(await loadProfile(name), given));
    }
    const { credDir } = this;
    const places = pqcKey ? { key, pqcKey } : { key };
    return await enroll(
      this.issuers,
      { credDir, ...places, profiles: compiled, ...(id === undefined ? {} : { id }) },
      this,
    );
  }
  async issued(): Promise<number> {
    return (await (await CaStore.open(this.tmp.join("ca"))).entries()).length;
  }
  /** Names in the folder of the credentials, or undefined when there is none. */
  left(): string[] | undefined {
    try {
      return [...Deno.readDirSync(this.credDir)].map((entry) => entry.name);
    } catch {
      return undefined;
    }
  }
  removeCredentials() {
    if (this.left()) Deno.removeSync(this.credDir, { recursive: true });
  }
  async [Symbol.asyncDispose]() {
    await this.ca[Symbol.asyncDispose]();
    this.tmp[Symbol.dispose]();
  }
}

const TOKEN: KeyPlace = { type: "pkcs11", ref: { type: "pkcs11", config: "./hsm.yaml", label: "server-key" } };
const FILES: KeyPlace = { type: "software" };

Deno.test("a credential in files: metadata, files, status, export", async () => {
  await using world = await World.open();
  const { meta } = await world.enroll(FILES, "server");
  const store = await CredentialStore.open(world.credDir, "server");
  assert.deepEqual(store.meta, meta);
  assert.deepEqual([meta.created, meta.not_before, meta.not_after], [
    "2026-03-04T05:06:07Z",
    "2026-03-04T05:06:07Z",
    "2027-03-04T05:06:07Z",
  ]);
  assert.equal(store.caFolder, `${world.credDir}/server/../../ca`);
  assert.deepEqual(meta.versions["v1"]!.keys[0]!.storage, {
    type: "software",
    path: "versions/v1/keys/credential.ecdsa-p256.key",
  });
  const key = Deno.statSync(store.path("versions/v1/keys/credential.ecdsa-p256.key"));
  assert.equal(key.mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(store.path("versions/v1/keys")).mode! & 0o777, 0o700);
  const lookup = new RevocationLookup();
  const at = async (time: string) => (await credentialState(store, { now: new Date(time), lookup })).status;
  assert.equal(await at("2026-06-01T00:00:00Z"), "valid");
  assert.equal(await at("2026-01-01T00:00:00Z"), "not_yet_valid");
  assert.equal(await at("2027-03-04T05:06:08Z"), "expired");
  const counts = [];
  for (const bundle of ["cert", "chain", "all"] as const) {
    counts.push((await exportCertificates(store, { bundle })).length);
  }
  assert.deepEqual(counts, [1, 2, 2]);
  await assert.rejects(world.enroll(FILES, "server"), { code: "file.exists" });
  assert.equal(await world.issued(), 1);
});

Deno.test("several profiles: a key each, labels numbered, one id in the metadata", async () => {
  await using world = await World.open();
  const profiles = ["ec/tls-server", "ec/tls-client", "rsa/tls-client"];
  const { meta } = await world.enroll(TOKEN, "many", profiles);
  assert.deepEqual(world.token.labels, ["server-key-0", "server-key-1", "server-key-2"]);
  assert.deepEqual(meta.versions["v1"]!.algos, ["ecdsa-p256", "ecdsa-p256", "rsa-2048"]);
  assert.deepEqual(meta.certificates.map((entry) => entry["path"]), [
    "versions/v1/certs/credential.ecdsa-p256.pem",
    "versions/v1/certs/credential.ecdsa-p256-1.pem",
    "versions/v1/certs/credential.rsa-2048.pem",
  ]);
  const [storage] = meta.certificates[0]!.storage;
  assert.ok(storage?.type === "pkcs11");
  assert.deepEqual([storage.config, storage.label], ["./hsm.yaml", "server-key-0"]);
  assert.match(storage.key_id!, /^[0-9a-f]{16}$/);
  assert.deepEqual([...Deno.readDirSync(`${world.credDir}/many/versions/v1/keys`)], []);
  assert.equal(await world.issued(), 3);
  const one = await world.enroll({ type: "pkcs11", ref: { type: "pkcs11", config: "hsm.yaml" } }, "plain");
  assert.equal(one.meta.certificates[0]!.storage[0]!.type, "pkcs11");
  assert.ok(world.token.labels.includes("plain-0"), "a generated label is numbered too");
});

Deno.test("two keys of one certificate share a label, in the token or with one of them in a file", async () => {
  await using world = await World.open("hybrid/catalyst/root-ca");
  const profiles = ["hybrid/catalyst/tls-client", "ec/tls-client", "hybrid/composite/tls-client"];
  const { meta, certificates } = await world.enroll(TOKEN, "both", profiles);
  assert.deepEqual(world.token.labels, [
    "server-key-0",
    "server-key-0",
    "server-key-1",
    "server-key-2",
    "server-key-2",
  ]);
  const version = meta.versions["v1"]!;
  assert.deepEqual(version.keys.map(({ id, algorithm }) => `${id} ${algorithm}`), [
    "classical ecdsa-p256",
    "pqc ml-dsa-65",
    "default ecdsa-p256",
    "classical ecdsa-p256",
    "pqc ml-dsa-65",
  ]);
  assert.deepEqual(meta.certificates.map(({ storage, path, role }) => [storage.length, path, role]), [
    [2, "versions/v1/certs/credential.ecdsa-p256-ml-dsa-65.pem", "signature"],
    [1, "versions/v1/certs/credential.ecdsa-p256.pem", "signature"],
    [2, "versions/v1/certs/credential.mldsa65-ecdsa-p256-sha512.pem", "signature"],
  ]);
  assert.equal(new Set(version.keys.map(({ spki_sha256 }) => spki_sha256)).size, 5);
  const store = await CredentialStore.open(world.credDir, "both");
  const { certificates: states } = await credentialState(store, { now: world.time, lookup: new RevocationLookup() });
  assert.deepEqual(states.map(({ keys }) => keys.length), [2, 1, 2]);
  assert.deepEqual(states.map(({ certificate }) => certificate.serial), certificates.map(({ serial }) => serial));

  await world.enroll(TOKEN, "mixed", ["hybrid/composite/tls-client"], FILES);
  const mixed = (await CredentialStore.open(world.credDir, "mixed")).meta.certificates[0]!.storage;
  assert.deepEqual(mixed.map(({ type }) => type), ["pkcs11", "software"]);
  assert.deepEqual(mixed[1], { type: "software", path: "versions/v1/keys/credential.ml-dsa-65.key" });
});

Deno.test("a key that cannot sign is certified on the strength of one that can, where the names agree", async () => {
  await using world = await World.open("ml/root-ca");
  for (const key of [TOKEN, FILES]) {
    const order = ["ml/encryption", "ec/tls-server", "ml/tls-client"];
    const { meta } = await world.enroll(key, `${key.type}-kem`, order);
    const [kem, server, client] = meta.certificates;
    assert.deepEqual([kem!.role, kem!.profile, kem!.attested_by], ["encryption", "ml/encryption", client!.serial]);
    assert.deepEqual([server!.attested_by, client!.attested_by], [undefined, undefined]);
  }
  const { meta } = await world.enroll(FILES, "alone", ["ml/encryption"]);
  assert.equal(meta.certificates[0]!.attested_by, undefined);
  assert.deepEqual(world.warnings, []);
  await world.enroll(FILES, "weak", ["ec/tls-client", "ml/encryption"]);
  assert.match(world.warnings.join(), /ECDSA P-256 key that attests is weaker than the ML-KEM-768 key/);
});

Deno.test("the id is made from the common name, the date and chance", async () => {
  await using world = await World.open();
  const profile = compileProfile(await loadProfile("ec/tls-client"), { cn: "Zoë  van Dyk" });
  assert.match(defaultId([profile], world.time), /^zoe-van-dyk-20260304-[0-9a-f]{6}$/);
  const foreign = compileProfile(await loadProfile("ec/tls-client"), { cn: "日本" });
  assert.match(defaultId([foreign], world.time), /^credential-20260304-[0-9a-f]{6}$/);
  for (const id of ["../x", ".hidden", "a/b", "", "x".repeat(129)]) {
    await assert.rejects(world.enroll(FILES, id), { code: "credential.id" });
  }
});

/** How an enrolment can end badly, and what the error must be. */
const FAILURES: readonly [what: string, spoil: (world: World) => void, error: new (...args: never[]) => Error][] = [
  ["interrupted before a key", (world) => world.interrupt(), InterruptedError],
  ["interrupted after the first key", (world) => world.token.onGenerated = () => world.interrupt(), InterruptedError],
  [
    "interrupted after the last key",
    (world) => world.token.onGenerated = () => world.token.generated === 2 && world.interrupt(),
    InterruptedError,
  ],
  ["a label is taken", (world) => world.token.failAt = "prepare", TokenError],
  ["the token fails at the second key", (world) => world.token.failAt = "generate", TokenError],
  ["the folder goes away", (world) => world.token.onGenerated = () => world.removeCredentials(), OperationError],
  ["the CA cannot record the certificates", (world) => replaceByFolder(world.tmp.join("ca", "index.txt")), Error],
];

function replaceByFolder(path: string): void {
  Deno.removeSync(path);
  Deno.mkdirSync(path);
}

for (const [what, spoil, error] of FAILURES) {
  Deno.test(`nothing stays when ${what}`, async () => {
    await using world = await World.open();
    spoil(world);
    await assert.rejects(world.enroll(TOKEN, undefined, ["ec/tls-server", "ec/tls-client"]), error);
    assert.deepEqual(world.token.keys, []);
    assert.equal(world.left(), undefined);
    assert.deepEqual([...Deno.readDirSync(world.tmp.join("ca", "issued"))], []);
    assert.deepEqual(world.warnings, []);
  });
}

Deno.test("a key that the token does not let go of is named with the command that deletes it", async () => {
  await using world = await World.open();
  world.token.onGenerated = () => world.interrupt();
  world.token.failAt = "delete";
  await assert.rejects(world.enroll(TOKEN), InterruptedError);
  assert.equal(world.warnings.length, 1);
  assert.match(
    world.warnings[0]!,
    /qpki key delete --hsm-config \/.*\/hsm\.yaml --key-label "server-key" --key-id [0-9a-f]{16} --yes$/,
  );
});

Deno.test("what a profile or the CA forbids is told before there is a key", async () => {
  await using world = await World.open();
  const ca = compileProfile(await loadProfile("ec/issuing-ca"), { cn: "No" });
  const { credDir } = world;
  await assert.rejects(enroll(world.issuers, { credDir, key: TOKEN, profiles: [ca] }, world), {
    code: "profile.is_ca",
  });
  const leaf = await loadProfile("ec/tls-client");
  const long = compileProfile(leaf, { cn: "x" }, { validity: "21y" });
  await assert.rejects(enroll(world.issuers, { credDir, key: TOKEN, profiles: [long] }, world), {
    code: "validity.beyond_issuer",
  });
  const pss = { ...compileProfile(leaf, { cn: "x" }), signature: { scheme: "rsassa-pss" } };
  await assert.rejects(enroll(world.issuers, { credDir, key: TOKEN, profiles: [pss] }, world), {
    code: "scheme.mismatch",
  });
  const usage = { critical: true, values: ["keyEncipherment"] as const };
  const bad = compileProfile(leaf, { cn: "x" });
  const linted = { ...bad, extensions: { ...bad.extensions, keyUsage: usage } };
  await assert.rejects(enroll(world.issuers, { credDir, key: TOKEN, profiles: [linted] }, world), {
    code: "lint.refused",
  });
  assert.equal(world.token.generated, 0);
  assert.equal(world.left(), undefined);
});
