import assert from "node:assert/strict";
import { findKeyRow } from "../alg/find.ts";
import { InterruptedError, TokenError } from "../errors.ts";
import { softwareProvider } from "../keys/software.ts";
import { MemoryToken } from "../../tests/support/memory_token.ts";
import { type TempFolder, tempFolder } from "../../tests/support/tmp.ts";
import type { ProfileMode } from "../profile/types.ts";
import type { Deps } from "./deps.ts";
import { keyParts } from "./key_parts.ts";
import {
  type KeyPlaces,
  type ObtainedKeys,
  obtainKeys,
  openOfAlgorithm,
  placeOf,
  type WantedKey,
} from "./obtain_keys.ts";

/** A token and a folder, and the keys of a profile that go there. */
class World implements Disposable {
  readonly tmp: TempFolder = tempFolder();
  readonly token = new MemoryToken();
  readonly warnings: string[] = [];
  readonly abort = new AbortController();
  readonly deps: Deps = {
    cwd: this.tmp.path,
    now: () => new Date(),
    progress() {},
    warn: (text) => void this.warnings.push(text),
    signal: this.abort.signal,
    openProvider: (request) =>
      Promise.resolve(request.type === "pkcs11" ? this.token : softwareProvider({ cwd: this.tmp.path })),
  };

  obtain(mode: ProfileMode, names: readonly string[], places: KeyPlaces): Promise<ObtainedKeys> {
    const rows = names.map(findKeyRow);
    const wanted = keyParts({ mode, rows }).map((part): WantedKey => ({
      part,
      place: placeOf(part, places),
      profileName: "t",
      file: { path: this.tmp.join("v1/keys", `${part.row.name}.key`), stored: `keys/${part.row.name}.key` },
      label: "ca",
    }));
    return obtainKeys(wanted, this.deps);
  }

  /** Names of the key files. */
  get files(): string[] {
    try {
      return [...Deno.readDirSync(this.tmp.join("v1/keys"))].map(({ name }) => name).sort();
    } catch {
      return [];
    }
  }

  [Symbol.dispose]() {
    this.tmp[Symbol.dispose]();
  }
}

const TOKEN = { type: "pkcs11", ref: { type: "pkcs11", config: "./hsm.yaml", label: "ca" } } as const;
const FILES = { type: "software" } as const;
const CATALYST = ["ecdsa-p256", "ml-dsa-44"] as const;
const COMPOSITE = ["mldsa44-ecdsa-p256-sha256"] as const;

Deno.test("keys of a hybrid: both in the token under one label, both in files, or one in each", async () => {
  for (const [mode, names] of [["catalyst", CATALYST], ["composite", COMPOSITE]] as const) {
    const cases: [places: KeyPlaces, types: string[], files: string[]][] = [
      [{ key: TOKEN }, ["pkcs11", "pkcs11"], []],
      [{ key: FILES }, ["software", "software"], ["ecdsa-p256.key", "ml-dsa-44.key"]],
      [{ key: TOKEN, pqcKey: FILES }, ["pkcs11", "software"], ["ml-dsa-44.key"]],
      [{ key: FILES, pqcKey: TOKEN }, ["software", "pkcs11"], ["ecdsa-p256.key"]],
    ];
    for (const [places, types, files] of cases) {
      using world = new World();
      await using made = await world.obtain(mode, names, places);
      assert.deepEqual(made.entries.map(({ id, algorithm }) => [id, algorithm]), [
        ["classical", "ecdsa-p256"],
        ["pqc", "ml-dsa-44"],
      ]);
      assert.deepEqual(made.entries.map(({ storage }) => storage.type), types);
      assert.deepEqual(world.files, files);
      const ids = made.entries.flatMap(({ storage }) => storage.type === "pkcs11" ? [storage.key_id] : []);
      assert.equal(new Set(ids).size, ids.length, "each key has an id of its own");
      for (const { storage } of made.entries) {
        if (storage.type === "pkcs11") assert.deepEqual([storage.label, storage.config], ["ca", "./hsm.yaml"]);
      }
      await made.undo();
      assert.deepEqual([world.token.keys, world.files], [[], []]);
    }
  }
});

/** What goes wrong, and what the error must be; nothing may be left. */
const FAILURES: readonly [what: string, spoil: (world: World) => void, places: KeyPlaces, error: RegExp][] = [
  ["the token fails at the second key", ({ token }) => token.failAt = "generate", { key: TOKEN }, /device error/],
  [
    "Ctrl-C after the first key",
    ({ token, abort }) => token.onGenerated = () => abort.abort(),
    { key: TOKEN },
    /Interrupted/,
  ],
  [
    "Ctrl-C after the second key",
    ({ token, abort }) => token.onGenerated = () => token.generated === 2 && abort.abort(),
    { key: TOKEN },
    /Interrupted/,
  ],
  [
    "Ctrl-C after the key in the token, which comes after the one in a file",
    ({ token, abort }) => token.onGenerated = () => abort.abort(),
    { key: TOKEN, pqcKey: FILES },
    /Interrupted/,
  ],
  [
    "the token fails although the file was written",
    ({ token }) => {
      token.failAt = "generate";
      token.generated = 1;
    },
    { key: TOKEN, pqcKey: FILES },
    /device error/,
  ],
  ["the file cannot be written", ({ tmp }) => tmp.write("v1", "a file"), { key: TOKEN, pqcKey: FILES }, /Cannot/],
];

for (const [what, spoil, places, error] of FAILURES) {
  Deno.test(`no key of a hybrid stays when ${what}`, async () => {
    using world = new World();
    spoil(world);
    await assert.rejects(world.obtain("catalyst", CATALYST, places), error);
    assert.deepEqual([world.token.keys, world.files, world.warnings], [[], [], []]);
  });
}

Deno.test("every key is prepared before the first is made", async () => {
  for (const places of [{ key: TOKEN }, { key: FILES, pqcKey: TOKEN }]) {
    using world = new World();
    world.token.lacks.add("ml-dsa");
    await assert.rejects(world.obtain("catalyst", CATALYST, places), (error) => {
      assert(error instanceof TokenError && error.code === "mechanism.absent", String(error));
      assert.match(error.hint!, /--pqc-in software.*Use another token/);
      return true;
    });
    assert.deepEqual([world.token.generated, world.files], [0, []]);
  }
  using world = new World();
  await using _first = await world.obtain("simple", ["ml-dsa-65"], { key: TOKEN });
  await assert.rejects(world.obtain("catalyst", CATALYST, { key: TOKEN }), { code: "key.exists" });
  assert.equal(world.token.generated, 1);
  // a label that is taken is so for a key of another type, too
  await assert.rejects(world.obtain("simple", ["ecdsa-p256"], { key: TOKEN }), { code: "key.exists" });
  assert.equal(world.token.generated, 1);
});

Deno.test("a key that the token does not let go of is named with the command that deletes it", async () => {
  using world = new World();
  world.token.onGenerated = () => world.abort.abort();
  world.token.failAt = "delete";
  await assert.rejects(world.obtain("catalyst", CATALYST, { key: TOKEN }), InterruptedError);
  assert.equal(world.warnings.length, 1);
  assert.match(
    world.warnings[0]!,
    /qpki key delete --hsm-config \S+hsm\.yaml --key-label "ca" --key-id [0-9a-f]{16} --yes$/,
  );
});

Deno.test("existing keys of a hybrid share a label: the algorithm tells which is which", async () => {
  using world = new World();
  const made = await world.obtain("catalyst", CATALYST, { key: TOKEN });
  const again = await world.obtain("catalyst", CATALYST, { key: { ...TOKEN, existing: true } });
  assert.deepEqual(again.entries, made.entries);
  assert.equal(world.token.generated, 2);
  await again.undo();
  assert.equal(world.token.keys.length, 2, "keys that were there before stay");
  const other = ["ecdsa-p256", "ml-dsa-65"];
  await assert.rejects(world.obtain("catalyst", other, { key: { ...TOKEN, existing: true } }), {
    code: "key.ambiguous",
  });
  await world.token.generate(findKeyRow("ecdsa-p256"), { ...TOKEN.ref, label: "single" });
  await assert.rejects(openOfAlgorithm(world.token, TOKEN.ref, undefined), { code: "key.ambiguous" });
  const single = { ...TOKEN, ref: { ...TOKEN.ref, label: "single" }, existing: true };
  await assert.rejects(world.obtain("simple", ["ecdsa-p384"], { key: single }), { code: "key.algorithm_mismatch" });
});
