import assert from "node:assert/strict";
import type { Deps } from "../ca/deps.ts";
import { currentPlaces } from "../ca/current_places.ts";
import { initCa } from "../ca/init.ts";
import { type Issuers, soleIssuer } from "../ca/issuers.ts";
import type { KeyPlaces } from "../ca/obtain_keys.ts";
import { caSigner, type OpenCa } from "../ca/signer.ts";
import { InterruptedError, TokenError } from "../errors.ts";
import { softwareProvider } from "../keys/software.ts";
import { compileProfile } from "../profile/compile.ts";
import { loadProfile } from "../profile/load.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { CaStore } from "../store/ca.ts";
import { CredentialStore } from "../store/credential.ts";
import type { KeyStorage } from "../store/meta.ts";
import { MemoryToken } from "../../tests/support/memory_token.ts";
import { type TempFolder, tempFolder } from "../../tests/support/tmp.ts";
import { activateVersion } from "./activate.ts";
import { enroll } from "./enroll.ts";
import { keepKeys } from "./keep_keys.ts";
import { planRotation, rotateCredential, type RotateRequest, type RotateResult } from "./rotate.ts";
import { RevocationLookup } from "./status.ts";

/** A CA with a credential "c", whose keys are in files or in a token. */
class World implements AsyncDisposable, Deps {
  readonly tmp: TempFolder = tempFolder();
  readonly cwd = this.tmp.path;
  readonly credDir = this.tmp.join("credentials");
  readonly token = new MemoryToken();
  readonly warnings: string[] = [];
  readonly #abort = new AbortController();
  ca!: OpenCa;

  static async open(place: "token" | "files", profiles = ["ec/tls-client"]): Promise<World> {
    const world = new World();
    world.tmp.write("hsm.yaml", "");
    const root = compileProfile(await loadProfile("hybrid/catalyst/root-ca"), { cn: "Root" });
    await initCa({ folder: "ca", profiles: [root], key: { type: "software" } }, world);
    world.ca = await caSigner(await CaStore.open(world.tmp.join("ca")), world);
    const ref = { type: "pkcs11", config: "./hsm.yaml", label: "mine" } as const;
    await enroll(world.issuers, {
      credDir: world.credDir,
      id: "c",
      profiles: await world.compile(...profiles),
      key: place === "token" ? { type: "pkcs11", ref } : { type: "software" },
    }, world);
    return world;
  }
  openProvider: Deps["openProvider"] = (request) =>
    Promise.resolve(request.type === "pkcs11" ? this.token : softwareProvider({ cwd: this.cwd, ...request }));
  now = () => new Date();
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
  async compile(...names: string[]): Promise<CompiledProfile[]> {
    const given = { cn: "carol", email: "carol@a.test" };
    return await Promise.all(names.map(async (name) => compileProfile(await loadProfile(name), given)));
  }
  store(): Promise<CredentialStore> {
    return CredentialStore.open(this.credDir, "c");
  }
  async places(store: CredentialStore): Promise<KeyPlaces> {
    const all = Object.values(store.meta.versions).flatMap(({ keys }) => keys);
    const current = await currentPlaces(store.version().version.keys, all, { folder: store.folder, deps: this });
    const [classical = current.pqc!, pqc = classical] = [current.classical, current.pqc];
    const [key, pqcKey] = [classical, pqc].map((one) => one === "software" ? { type: "software" } as const : one);
    return { key: key!, pqcKey: pqcKey! };
  }
  async request(profiles: string[], more: Partial<RotateRequest> = {}): Promise<RotateRequest> {
    const compiled = await this.compile(...profiles);
    return { ...await this.places(await this.store()), plans: compiled.map((profile) => ({ profile })), ...more };
  }
  async rotate(profiles: string[], more: Partial<RotateRequest> = {}): Promise<RotateResult> {
    const request = await this.request(profiles, more);
    return await rotateCredential(this.issuers, await this.store(), { request, deps: this });
  }
  async storages(versionId: string): Promise<KeyStorage[]> {
    return (await this.store()).meta.versions[versionId]!.keys.map(({ storage }) => storage);
  }
  async issued(): Promise<number> {
    return (await (await CaStore.open(this.tmp.join("ca"))).entries()).length;
  }
  files(): string[] {
    const found: string[] = [];
    const walk = (folder: string) => {
      for (const entry of Deno.readDirSync(`${this.credDir}/c${folder}`)) {
        if (entry.isDirectory) walk(`${folder}/${entry.name}`);
        else if (!/journal|\.lock/.test(entry.name)) found.push(`${folder}/${entry.name}`.slice(1));
      }
    };
    walk("");
    return found.sort();
  }
  async [Symbol.asyncDispose]() {
    await this.ca[Symbol.asyncDispose]();
    this.tmp[Symbol.dispose]();
  }
}

function labels(storages: readonly KeyStorage[]): (string | undefined)[] {
  return storages.map((storage) => storage.type === "pkcs11" ? storage.label : storage.path);
}

Deno.test("the next version is pending, and its files are beside those of the first", async () => {
  await using world = await World.open("files");
  const before = world.files();
  const { versionId } = await world.rotate(["ec/tls-client"]);
  assert.equal(versionId, "v2");
  const { meta } = await world.store();
  assert.deepEqual([meta.active, meta.versions["v1"]!.status, meta.versions["v2"]!.status], [
    "v1",
    "active",
    "pending",
  ]);
  assert.deepEqual(world.files().filter((file) => !before.includes(file)), [
    "versions/v2/certs/chain.pem",
    "versions/v2/certs/credential.ecdsa-p256.pem",
    "versions/v2/keys/credential.ecdsa-p256.key",
  ]);
  const mode = (path: string) => Deno.statSync(`${world.credDir}/c/${path}`).mode! & 0o777;
  assert.deepEqual([mode("versions/v2/keys"), mode("versions/v2/keys/credential.ecdsa-p256.key")], [0o700, 0o600]);
  assert.notEqual(meta.versions["v1"]!.keys[0]!.spki_sha256, meta.versions["v2"]!.keys[0]!.spki_sha256);
});

Deno.test("activating archives the version before, and goes back", async () => {
  await using world = await World.open("files");
  await world.rotate(["ml/tls-client"]);
  const lookup = () => ({ deps: world, lookup: new RevocationLookup() });
  await activateVersion(await world.store(), undefined, lookup());
  let { meta } = await world.store();
  assert.deepEqual([meta.active, meta.profiles, meta.versions["v1"]!.status], ["v2", ["ml/tls-client"], "archived"]);
  assert.equal(meta.certificates[0]!.serial, meta.versions["v2"]!.certificates[0]!.serial);
  await activateVersion(await world.store(), "1", lookup());
  ({ meta } = await world.store());
  assert.deepEqual([meta.active, meta.profiles, meta.versions["v2"]!.status], ["v1", ["ec/tls-client"], "archived"]);
  await assert.rejects(activateVersion(await world.store(), undefined, lookup()), { code: "version.not_named" });
  await assert.rejects(activateVersion(await world.store(), "v7", lookup()), { code: "version.unknown" });
  Deno.removeSync(`${world.credDir}/c/versions/v2/keys/credential.ml-dsa-65.key`);
  await assert.rejects(activateVersion(await world.store(), "v2", lookup()), { code: "version.no_key" });
});

Deno.test("keys in a token stay there, under the label of their profile and with an id of their own", async () => {
  await using world = await World.open("token", ["ec/tls-client", "rsa/tls-client"]);
  assert.deepEqual(labels(await world.storages("v1")), ["mine-0", "mine-1"]);
  await world.rotate(["rsa/tls-client", "ec/tls-client", "ec/email"]);
  const second = await world.storages("v2");
  assert.deepEqual(labels(second), ["mine-1", "mine-0", "mine-2"]);
  const ids = [...await world.storages("v1"), ...second].map((one) => one.type === "pkcs11" && one.key_id);
  assert.equal(new Set(ids).size, 5);
  await activateVersion(await world.store(), "v2", { deps: world, lookup: new RevocationLookup() });
  // another profile takes over a label that is left
  await world.rotate(["hybrid/catalyst/tls-client"]);
  assert.deepEqual(labels(await world.storages("v3")), ["mine-1", "mine-1"]);
  await world.rotate(["ec/tls-client"], { key: { type: "software" }, pqcKey: { type: "software" } });
  assert.deepEqual(labels(await world.storages("v4")), ["versions/v4/keys/credential.ecdsa-p256.key"]);
});

Deno.test("a label that alone leads to an older key is not given to another", async () => {
  await using world = await World.open("token");
  const path = `${world.credDir}/c/credential.meta.json`;
  const meta = JSON.parse(Deno.readTextFileSync(path));
  delete meta.versions.v1.keys[0].storage.key_id;
  delete meta.versions.v1.keys[0].spki_sha256;
  Deno.writeTextFileSync(path, JSON.stringify(meta));
  await world.rotate(["ec/tls-client"]);
  assert.deepEqual(labels(await world.storages("v2")), ["mine-v2"]);
});

Deno.test("keys that are kept get another certificate", async () => {
  for (const place of ["files", "token"] as const) {
    await using world = await World.open(place, ["ec/tls-client", "rsa/tls-client"]);
    const store = await world.store();
    const { id, version } = store.version();
    const present = { version, certificates: await store.certificates(id) };
    const keep = async (...names: string[]) =>
      keepKeys((await world.compile(...names)).map((profile) => ({ profile })), present);
    const made = world.token.generated;
    const result = await world.rotate([], { plans: await keep("rsa/email", "ec/tls-client") });
    assert.equal(world.token.generated, made);
    assert.deepEqual(
      result.version.keys.map(({ spki_sha256 }) => spki_sha256),
      version.keys.toReversed().map(({ spki_sha256 }) => spki_sha256),
    );
    assert.ok(world.files().every((file) => !file.startsWith("versions/v2/keys")));
    await assert.rejects(keep("ml/tls-client"), {
      code: "key.algorithm_mismatch",
      message: /asks for ML-DSA-65, and the credential has ECDSA P-256; RSA 2048/,
    });
    await assert.rejects(keep("ec/tls-client", "ec/email"), { code: "key.algorithm_mismatch" });
    await assert.rejects(keep("hybrid/catalyst/tls-client"), { code: "key.algorithm_mismatch" });
  }
});

Deno.test("a kept key that is another one than its certificate's is refused", async () => {
  await using world = await World.open("files");
  await world.rotate(["ec/tls-client"]);
  const store = await world.store();
  const key = (version: string) => `${world.credDir}/c/versions/${version}/keys/credential.ecdsa-p256.key`;
  Deno.copyFileSync(key("v2"), key("v1"));
  const { id, version } = store.version();
  const [profile] = await world.compile("ec/tls-client");
  const plans = keepKeys([{ profile: profile! }], { version, certificates: await store.certificates(id) });
  await assert.rejects(world.rotate([], { plans }), { code: "key.pin_mismatch" });
});

Deno.test("a plan says what will be there, and changes nothing", async () => {
  await using world = await World.open("token");
  const before = [world.files(), world.token.labels, await world.issued()];
  const request = await world.request(["hybrid/catalyst/tls-client", "ec/tls-client"]);
  const plan = await planRotation(world.issuers, await world.store(), { request, deps: world });
  assert.deepEqual([world.files(), world.token.labels, await world.issued()], before);
  const { version } = await rotateCredential(world.issuers, await world.store(), { request, deps: world });
  const planned = plan.certificates.map(({ profile, path }) => ({ profile, path }));
  assert.deepEqual(planned, version.certificates.map(({ profile, path }) => ({ profile, path: path as string })));
  const withoutIds = version.keys.map(({ storage }) => ({ ...storage, key_id: undefined }));
  assert.deepEqual(
    plan.certificates.flatMap(({ keys }) => keys.map(({ storage }) => ({ ...storage, key_id: undefined }))),
    withoutIds,
  );
  assert.deepEqual(world.files().filter((file) => /v2/.test(file)), plan.files.filter((file) => /v2/.test(file)));
});

Deno.test("whatever goes wrong, the credential is as it was and no key is left", async () => {
  await using world = await World.open("token");
  const before = [world.files(), await world.issued()];
  const labelsBefore = world.token.labels;
  world.token.failAt = "prepare";
  // a shared label is no obstacle: the token itself has to refuse
  world.token.lacks.add("ecdsa");
  await assert.rejects(world.rotate(["ec/tls-client"]), { code: "mechanism.absent" });
  world.token.lacks.clear();
  world.token.failAt = undefined;
  world.token.onGenerated = () => world.interrupt();
  await assert.rejects(world.rotate(["ec/tls-client", "rsa/tls-client"]), InterruptedError);
  assert.deepEqual([world.files(), await world.issued()], before);
  assert.deepEqual(world.token.labels, labelsBefore);
});

Deno.test("a key that the token does not let go of is named with the command that deletes it", async () => {
  await using world = await World.open("token");
  world.token.onGenerated = () => {
    world.token.failAt = "delete";
    world.interrupt();
  };
  await assert.rejects(world.rotate(["ec/tls-client"]), InterruptedError);
  assert.match(
    world.warnings.join("\n"),
    /qpki key delete --hsm-config .*hsm\.yaml --key-label "mine" --key-id [0-9a-f]+ --yes/,
  );
  assert.equal(world.token.keys.length, 2);
});

Deno.test("certificates that the CA cannot record leave no version", async () => {
  await using world = await World.open("files");
  const before = world.files();
  const index = world.tmp.join("ca/index.txt");
  Deno.removeSync(index);
  Deno.mkdirSync(index);
  await assert.rejects(world.rotate(["ec/tls-client"]));
  assert.deepEqual(world.files(), before);
  assert.equal((await world.store()).meta.versions["v2"], undefined);
  assert.ok(!(await Array.fromAsync(Deno.readDir(`${world.credDir}/c/versions`))).some(({ name }) => name === "v2"));
});

Deno.test("two rotations at once make two versions", async () => {
  await using world = await World.open("files");
  const made = await Promise.all([world.rotate(["ec/tls-client"]), world.rotate(["ec/tls-client"])]);
  assert.deepEqual(made.map(({ versionId }) => versionId).sort(), ["v2", "v3"]);
  assert.deepEqual(Object.keys((await world.store()).meta.versions), ["v1", "v2", "v3"]);
});

Deno.test("a token error keeps its code", async () => {
  await using world = await World.open("token");
  world.token.failAt = "generate";
  world.token.generated = 1;
  await assert.rejects(world.rotate(["ec/tls-client"]), TokenError);
  assert.equal(world.token.keys.length, 1);
});
