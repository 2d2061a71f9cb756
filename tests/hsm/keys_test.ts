import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow, keyRows } from "../../src/alg/find.ts";
import { encodePem } from "../../src/bytes.ts";
import { proveSigner } from "../../src/keys/verify.ts";
import { Module } from "../../src/pkcs11/module.ts";
import { constantValue } from "../../src/pkcs11/names.ts";
import { run } from "../support/cli.ts";
import { softhsmLibrary, testWith } from "../support/require.ts";
import { open, ownToken, pkcs11Tool, refTo, shimFor } from "./support.ts";

/** The rows that SoftHSM2 lacks are skipped by its own list of mechanisms. */
function skipReason(generate: string): string | undefined {
  if (softhsmLibrary() === undefined) return undefined;
  using token = ownToken();
  using module = Module.load(token.lib);
  return module.slots()[0]!.mechanisms().includes(constantValue(generate)!) ? undefined : `SoftHSM2 lacks ${generate}`;
}

const WANTED: Record<string, boolean> = {
  CKA_TOKEN: true,
  CKA_PRIVATE: true,
  CKA_SENSITIVE: true,
  CKA_ALWAYS_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_NEVER_EXTRACTABLE: true,
  CKA_LOCAL: true,
  CKA_SIGN: true,
  CKA_SIGN_RECOVER: false,
  CKA_DECRYPT: false,
  CKA_UNWRAP: false,
  CKA_DERIVE: false,
};

for (const row of keyRows()) {
  // what PKCS#11 has no mechanism for is made of two keys, or not in a token at all
  if (!row.pkcs11 || row.kind !== "signature") continue;
  testWith(
    `${row.label}: generate, read back, sign with every scheme, delete`,
    { needs: ["softhsm"], skip: skipReason(row.pkcs11.generate) },
    async () => {
      using token = ownToken();
      await using provider = await open(token);
      const key = await provider.generate(row, refTo({ label: "key" }));
      assert.match(key.ref.type === "pkcs11" ? key.ref.keyId! : "", /^[0-9a-f]{32}$/);
      for (const scheme of row.schemes) await proveSigner(key.signer(findSchemeRow(scheme)));
      const [info, ...others] = await provider.list();
      assert.equal(others.length, 0);
      assert.equal(info!.algorithm?.name, row.name);
      assert.deepEqual(info!.ref, key.ref);
      for (const [name, value] of Object.entries(WANTED)) assert.equal(info!.attributes[name], value, name);
      const halves = await provider.objects();
      assert.deepEqual(halves.map((half) => half.class).sort(), ["CKO_PRIVATE_KEY", "CKO_PUBLIC_KEY"]);
      const publicHalf = halves.find((half) => half.class === "CKO_PUBLIC_KEY")!;
      for (const use of ["CKA_ENCRYPT", "CKA_WRAP", "CKA_DERIVE", "CKA_VERIFY_RECOVER"]) {
        assert.equal(publicHalf.attributes[use], false, use);
      }
      assert.equal(publicHalf.attributes["CKA_VERIFY"], true);
      assert.deepEqual((await provider.delete(key.ref)).ref, key.ref);
      assert.deepEqual(await provider.objects(), []);
    },
  );
}

testWith("a key is found by label, by id, by both and by its public key", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  await using provider = await open(token);
  const row = findKeyRow("ecdsa-p256");
  const { ref } = await provider.generate(row, refTo({ label: "one", keyId: "0102AB" }));
  await provider.generate(row, refTo({ label: "two" }));
  assert.equal(ref.type === "pkcs11" && ref.keyId, "0102ab");
  const { spkiSha256 } = ref as { spkiSha256: string };
  for (
    const names of [
      { label: "one" },
      { keyId: "01:02:ab" },
      { label: "one", keyId: "0102ab" },
      { spkiSha256 },
      { label: "one", spkiSha256: spkiSha256.toUpperCase() },
    ]
  ) {
    assert.deepEqual((await provider.open(refTo(names))).ref, ref, JSON.stringify(names));
  }
  await assert.rejects(provider.open(refTo({})), { exit: 2 });
  const pin = "0".repeat(64);
  for (
    const [names, code] of [
      [{ label: "three" }, "key.not_found"],
      [{ label: "two", keyId: "0102ab" }, "key.not_found"],
      [{ spkiSha256: pin }, "key.not_found"],
      [{ label: "one", spkiSha256: pin }, "key.pin_mismatch"],
    ] as const
  ) {
    await assert.rejects(provider.open(refTo(names)), (error: { code: string; hint: string; exit: number }) => {
      assert.deepEqual([error.code, error.exit], [code, 3], JSON.stringify(names));
      // every refusal shows which keys there are
      assert.match(error.hint, new RegExp(`label "one", id 0102ab, ECDSA P-256, SPKI SHA-256 ${spkiSha256}`));
      return true;
    });
  }
  await assert.rejects(provider.open({ type: "software", path: "x" }), { exit: 2 });
});

testWith("two keys with one label are ambiguous, and listed", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using token = ownToken();
  await pkcs11Tool(token, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "k", "--id", "01");
  await pkcs11Tool(token, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "k", "--id", "02");
  await using provider = await open(token);
  await assert.rejects(provider.open(refTo({ label: "k" })), (error: { code: string; hint: string }) => {
    assert.equal(error.code, "key.ambiguous");
    assert.match(error.hint, /id 01, ECDSA P-256, SPKI SHA-256 [0-9a-f]{64}.*id 02, ECDSA P-256/);
    return true;
  });
  const second = await provider.open(refTo({ label: "k", keyId: "02" }));
  // the public key tells them apart as well
  assert.deepEqual((await provider.open(refTo({ label: "k", spkiSha256: second.ref.spkiSha256! }))).ref, second.ref);
});

testWith("a taken label or id is refused before anything is made", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  await using provider = await open(token);
  const p256 = findKeyRow("ecdsa-p256");
  await provider.generate(p256, refTo({ label: "ca", keyId: "aa" }));
  const before = await provider.objects();
  for (
    const [row, names] of [
      [p256, { label: "ca" }],
      [findKeyRow("ecdsa-p384"), { label: "ca", keyId: "bb" }],
      [findKeyRow("rsa-2048"), { label: "ca" }],
      [findKeyRow("ed25519"), { label: "ca", keyId: "bb" }],
      [findKeyRow("rsa-2048"), { label: "ca", partnerId: "ab" }],
      [findKeyRow("rsa-2048"), { keyId: "aa", partnerId: "aa" }],
      [p256, { label: "other", keyId: "AA" }],
      [findKeyRow("rsa-2048"), { keyId: "aa" }],
    ] as const
  ) {
    for (const attempt of [() => provider.prepare(row, refTo(names)), () => provider.generate(row, refTo(names))]) {
      await assert.rejects(attempt, (error: { code: string; hint: string }) => {
        assert.equal(error.code, "key.exists");
        assert.match(error.hint, /label "ca", id aa, type CKK_EC/);
        return true;
      });
    }
  }
  assert.deepEqual(await provider.objects(), before);
  // the second key of a hybrid may have the label of the first, and of no third one
  const rsa = refTo({ label: "ca", partnerId: "aa" });
  await provider.generate(findKeyRow("rsa-2048"), rsa);
  await assert.rejects(provider.generate(findKeyRow("ed25519"), rsa), { code: "key.exists" });
  // a new version of a key may have it as well
  await provider.generate(p256, refTo({ label: "ca", sharesLabel: true }));
  await assert.rejects(provider.generate(p256, refTo({})), { exit: 2 });
});

testWith("a key of one scheme family refuses the others", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  await using provider = await open(token);
  const key = await provider.generate(findKeyRow("ecdsa-p256"), refTo({ label: "k" }));
  assert.throws(() => key.signer(findSchemeRow("rsa-pss-sha256")), { code: "scheme.mismatch", exit: 4 });
});

testWith("labels keep every character, and a key may have an id alone", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  await using provider = await open(token);
  const label = "clé «racine» 鍵 ";
  await provider.generate(findKeyRow("ecdsa-p256"), refTo({ label }));
  assert.equal((await provider.open(refTo({ label }))).ref.label, label);
  await assert.rejects(provider.open(refTo({ label: label.trim() })), { code: "key.not_found" });
  const { ref } = await provider.generate(findKeyRow("ecdsa-p256"), refTo({ keyId: "77" }));
  assert.equal("label" in ref, false);
});

testWith("signing is concurrent over a pool of sessions", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  for (const sessions of [1, 4]) {
    await using provider = await open(token, { sessions });
    const key = await provider.generate(findKeyRow("ecdsa-p384"), refTo({ label: `pool ${sessions}` }));
    const signer = key.signer(findSchemeRow("ecdsa-sha384"));
    await Promise.all(Array.from({ length: 24 }, () => proveSigner(signer)));
  }
});

testWith("an application that logs out after use signs again", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  await using provider = await open(token, { logoutAfterUse: true });
  const key = await provider.generate(findKeyRow("ecdsa-p256"), refTo({ label: "k" }));
  const signer = key.signer(findSchemeRow("ecdsa-sha256"));
  for (let i = 0; i < 3; i++) await proveSigner(signer);
  await Promise.all([proveSigner(signer), proveSigner(signer)]);
});

testWith("raw signing for measurements", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  await using provider = await open(token, { sessions: 2 });
  for (const name of ["ecdsa-p384", "rsa-2048"]) {
    const { ref } = await provider.generate(findKeyRow(name), refTo({ label: name }));
    const loop = () =>
      provider.withRawSigner(ref, async (raw) => {
        for (let i = 0; i < 3; i++) raw.sync();
        await raw.async();
      });
    await Promise.all([loop(), loop(), loop()]);
  }
});

testWith(
  "pkcs11-tool sees our keys and signs with them",
  { needs: ["softhsm", "pkcs11-tool", "openssl"] },
  async () => {
    using token = ownToken();
    const keys: { name: string; spki: Uint8Array; id: string }[] = [];
    {
      await using provider = await open(token);
      for (const name of ["ecdsa-p256", "rsa-2048"]) {
        const { ref, spki } = await provider.generate(findKeyRow(name), refTo({ label: name }));
        keys.push({ name, spki, id: (ref as { keyId: string }).keyId });
      }
    }
    const listed = (await pkcs11Tool(token, "--list-objects")).stdout;
    Deno.writeTextFileSync(`${token.folder}/data`, "to be signed");
    for (const { name, spki, id } of keys) {
      assert.match(listed, new RegExp(`label:\\s+${name}`));
      Deno.writeTextFileSync(`${token.folder}/pub.pem`, encodePem("PUBLIC KEY", spki));
      const [mechanism, ...more] = name === "rsa-2048" ? ["SHA256-RSA-PKCS"] : ["ECDSA-SHA256", "-f", "openssl"];
      if (name === "ecdsa-p256") {
        // this SoftHSM2 does ECDSA on digests only
        await run("openssl", ["dgst", "-sha256", "-binary", "-out", `${token.folder}/digest`, `${token.folder}/data`]);
      }
      const input = name === "ecdsa-p256" ? "digest" : "data";
      await pkcs11Tool(
        token,
        ...["--sign", "--mechanism", name === "ecdsa-p256" ? "ECDSA" : mechanism!, ...more, "--id", id],
        ...["--input-file", `${token.folder}/${input}`, "--output-file", `${token.folder}/sig`],
      );
      const verdict = await run("openssl", [
        ...["dgst", "-sha256", "-verify", `${token.folder}/pub.pem`, "-signature", `${token.folder}/sig`],
        `${token.folder}/data`,
      ]);
      assert.equal(verdict.stdout, "Verified OK\n", name);
    }
  },
);

for (const [type, name] of [["EC:secp384r1", "ecdsa-p384"], ["rsa:3072", "rsa-3072"], ["EC:edwards25519", "ed25519"]]) {
  testWith(`a ${type} key made by pkcs11-tool is ours to use`, { needs: ["softhsm", "pkcs11-tool"] }, async () => {
    using token = ownToken();
    await pkcs11Tool(token, "--keypairgen", "--key-type", type!, "--label", "theirs", "--id", "0a0b", "--usage-sign");
    await using provider = await open(token);
    const key = await provider.open(refTo({ label: "theirs" }));
    assert.deepEqual([key.algorithm.name, key.ref.keyId], [name, "0a0b"]);
    for (const scheme of key.algorithm.schemes) await proveSigner(key.signer(findSchemeRow(scheme)));
  });
}

testWith("a key without a row is listed and named, not used", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using token = ownToken();
  await pkcs11Tool(token, "--keypairgen", "--key-type", "rsa:1024", "--label", "weak", "--id", "01");
  await pkcs11Tool(token, "--keypairgen", "--key-type", "EC:secp256k1", "--label", "odd", "--id", "02");
  await using provider = await open(token);
  const descriptions = (await provider.list()).map((key) => key.description).sort();
  assert.deepEqual(descriptions, ["EC secp256k1", "RSA 1024"]);
  await assert.rejects(provider.open(refTo({ label: "weak" })), { code: "key.unsupported", message: /RSA 1024/ });
  assert.equal((await provider.info(refTo({ label: "weak" }))).description, "RSA 1024");
  await provider.delete(refTo({ label: "weak" }));
  assert.equal((await provider.list()).length, 1);
});

testWith("a private key without its public half says so", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using token = ownToken();
  await pkcs11Tool(token, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "lone", "--id", "01");
  await pkcs11Tool(token, "--delete-object", "--type", "pubkey", "--id", "01");
  await using provider = await open(token);
  await assert.rejects(provider.open(refTo({ label: "lone" })), {
    code: "key.unsupported",
    hint: /public half is missing/,
  });
  assert.equal((await provider.list())[0]!.spkiSha256, undefined);
});

testWith("an ALWAYS_AUTHENTICATE key is logged in to for each use", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using token = ownToken();
  await pkcs11Tool(
    token,
    ...["--keypairgen", "--key-type", "rsa:2048", "--label", "careful", "--id", "01", "--always-auth", "--usage-sign"],
  );
  const ffi = shimFor(token);
  await using provider = await open(token, { ffi });
  const key = await provider.open(refTo({ label: "careful" }));
  assert.equal((await provider.info(key.ref)).attributes["CKA_ALWAYS_AUTHENTICATE"], true);
  for (let i = 0; i < 2; i++) await proveSigner(key.signer(findSchemeRow("rsa-pkcs1-sha256")));
  assert.deepEqual([ffi.count("C_Login"), ffi.count("C_Sign"), ffi.count("C_OpenSession")], [3, 2, 1]);
});
