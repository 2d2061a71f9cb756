import assert from "node:assert/strict";
import { encodePem, randomBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { encodeName, nameAttribute } from "../x509/name.ts";
import type { Certificate } from "../x509/types.ts";
import { CaStore } from "./ca.ts";

const HSM_META = {
  subject: { common_name: "HSM Root CA" },
  active: "v1",
  versions: {
    v1: {
      profiles: ["ec/root-ca"],
      algos: ["ecdsa-p384"],
      status: "active",
      keys: [{
        id: "default",
        algorithm: "ecdsa-p384",
        storage: { type: "pkcs11", config: "./hsm.yaml", label: "root-ca-key", key_id: "0001" },
      }],
    },
  },
};

async function makeCa(meta: unknown = HSM_META): Promise<CaStore> {
  const folder = `${await Deno.makeTempDir()}/ca`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}/ca.meta.json`, JSON.stringify(meta));
  await Deno.writeTextFile(`${folder}/index.txt`, "");
  return await CaStore.open(folder);
}

/** Enough of a certificate for the store. */
function fakeCertificate(serial: string): Certificate {
  const name = encodeName([[nameAttribute("2.5.4.3", `holder of ${serial}`)]]);
  return {
    der: randomBytes(100),
    serial,
    subject: name,
    notAfter: new Date("2030-01-01T00:00:00Z"),
  } as Partial<Certificate> as Certificate;
}

Deno.test("store: the documented metadata is read, unknown fields survive a rewrite", async () => {
  const store = await makeCa({ ...HSM_META, note: { by: "operator" } });
  assert.equal(store.version().id, "v1");
  assert.equal(store.version("1").id, "v1");
  await store.change("test", (change) => change.writeMeta(change.meta));
  const written = JSON.parse(await Deno.readTextFile(`${store.folder}/ca.meta.json`));
  assert.deepEqual(written.note, { by: "operator" });
  assert.equal(written.schema, 1);
  assert.deepEqual(written.versions.v1.keys, HSM_META.versions.v1.keys);
});

Deno.test("store: the unversioned form is raised in memory, the file stays", async () => {
  const older = {
    profile: "ec/root-ca",
    created: "2025-01-02T10:30:00Z",
    keys: [{
      id: "default",
      algorithm: "ecdsa-p384",
      storage: { type: "software", path: "private/ca.ecdsa-p384.key" },
    }],
  };
  const store = await makeCa(older);
  const { id, version } = store.version();
  assert.equal(id, "v1");
  assert.deepEqual(version.profiles, ["ec/root-ca"]);
  assert.deepEqual(version.algos, ["ecdsa-p384"]);
  assert.deepEqual(version.keys, older.keys);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(`${store.folder}/ca.meta.json`)), older);
});

Deno.test("store: metadata that cannot be used is refused", async () => {
  const cases: [meta: unknown, code: string, message: RegExp][] = [
    [{ ...HSM_META, schema: 99 }, "meta.newer", /schema 99/],
    [[], "meta.invalid", /not a JSON object/],
    [{ ...HSM_META, active: "v7" }, "meta.invalid", /"v7" is missing/],
    [{ ...HSM_META, versions: { "../x": {} } }, "meta.invalid", /no version id/],
    [{ ...HSM_META, versions: { v1: { keys: [{ id: "default" }] } } }, "meta.invalid", /keys\[0\]\.algorithm/],
    [
      { ...HSM_META, versions: { v1: { keys: [{ algorithm: "x", storage: { type: "cloud" } }] } } },
      "meta.invalid",
      /storage\.type/,
    ],
  ];
  for (const [meta, code, message] of cases) {
    await assert.rejects(makeCa(meta), (error) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(CaStore.open("/nonexistent"), (error) => (error as InputError).code === "ca.not_found");
});

Deno.test("store: issuing writes the file and one line, and never replaces a serial", async () => {
  const store = await makeCa();
  await store.change("issue", (change) => change.addCertificates([fakeCertificate("01"), fakeCertificate("0A0B")]));
  const text = await Deno.readTextFile(`${store.folder}/index.txt`);
  assert.equal(
    text,
    "V\t300101000000Z\t\t01\tunknown\t/CN=holder of 01\nV\t300101000000Z\t\t0A0B\tunknown\t/CN=holder of 0A0B\n",
  );
  await assert.rejects(
    store.change("issue", (change) => change.addCertificates([fakeCertificate("0C"), fakeCertificate("01")])),
    (error) => error instanceof OperationError && error.code === "serial.taken",
  );
  assert.equal(await Deno.readTextFile(`${store.folder}/index.txt`), text);
  assert.deepEqual([...Deno.readDirSync(`${store.folder}/issued`)].map((entry) => entry.name).sort(), [
    "01.pem",
    "0A0B.pem",
  ]);
});

Deno.test("store: nothing is appended behind a torn line", async () => {
  const store = await makeCa();
  const torn = "V\t300101000000Z\t\t01\tunknown\t/CN=a\nV\t3001";
  await Deno.writeTextFile(`${store.folder}/index.txt`, torn);
  for (
    const attempt of [
      store.change("issue", (change) => change.addCertificates([fakeCertificate("02")])),
      store.entries(),
    ]
  ) {
    await assert.rejects(attempt, (error) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.line, 2);
      assert.equal(error.file, `${store.folder}/index.txt`);
      return true;
    });
  }
  assert.equal(await Deno.readTextFile(`${store.folder}/index.txt`), torn);
  assert.deepEqual([...Deno.readDirSync(`${store.folder}/issued`)], []);
});

Deno.test("store: reasons that OpenSSL breaks on are kept beside the index", async () => {
  const store = await makeCa();
  await store.change("issue", (change) => change.addCertificates(["01", "02", "03"].map(fakeCertificate)));
  const date = new Date("2026-01-02T03:04:05Z");
  for (const [serial, reason] of [["02", "privilegeWithdrawn"], ["03", "superseded"]] as const) {
    await store.change("revoke", async (change) => {
      const row = (await change.rows()).find((candidate) => candidate.entry.serial === serial)!;
      await change.revoke(row, { date, reason });
    });
  }
  const lines = (await Deno.readTextFile(`${store.folder}/index.txt`)).split("\n");
  assert.match(lines[1]!, /^R\t300101000000Z\t260102030405Z\t02\t/);
  assert.match(lines[2]!, /^R\t300101000000Z\t260102030405Z,superseded\t03\t/);
  assert.deepEqual((await store.entries()).map((entry) => entry.revocation?.reason), [
    undefined,
    "privilegeWithdrawn",
    "superseded",
  ]);
});

Deno.test("store: CRL numbers are counted as OpenSSL counts them", async () => {
  const store = await makeCa();
  const take = () => store.change("crl", (change) => change.takeCrlNumber());
  const file = `${store.folder}/crlnumber`;
  assert.equal(await take(), "01");
  assert.equal(await Deno.readTextFile(file), "02\n");
  await Deno.writeTextFile(file, "0f\n");
  assert.equal(await take(), "0F");
  assert.equal(await Deno.readTextFile(file), "10\n");
  await Deno.writeTextFile(file, "FF\n");
  assert.equal(await take(), "FF");
  assert.equal(await Deno.readTextFile(file), "0100\n");
  for (const bad of ["", "1\n", "zz\n", `${"ab".repeat(21)}\n`]) {
    await Deno.writeTextFile(file, bad);
    await assert.rejects(take(), (error) => error instanceof InputError && error.code === "crlnumber.damaged");
    assert.equal(await Deno.readTextFile(file), bad);
  }
});

Deno.test("store: a CRL is written as PEM and DER", async () => {
  const store = await makeCa();
  const der = randomBytes(64);
  const path = await store.change("crl", (change) => change.writeCrl(der));
  assert.equal(path, `${store.folder}/crl/ca.crl`);
  assert.equal(await Deno.readTextFile(path), encodePem("X509 CRL", der));
  assert.deepEqual(await Deno.readFile(`${path}.der`), der);
  assert.deepEqual(await store.crlFiles(), [path]);
});
