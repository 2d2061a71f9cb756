import assert from "node:assert/strict";
import { daysFromNow, issue, leafExtensions } from "../../tests/support/pki.ts";
import { csrWithout, csrWithoutStatement, makeCsr } from "../../tests/support/requests.ts";
import { InputError } from "../errors.ts";
import { compileProfile } from "../profile/compile.ts";
import { loadProfile } from "../profile/load.ts";
import type { CompiledProfile } from "../profile/types.ts";
import type { Csr } from "../x509/types.ts";
import { checkCsr } from "./csr_keys.ts";

const profiles = new Map<string, Promise<CompiledProfile>>();

function profileOf(name: string): Promise<CompiledProfile> {
  const known = profiles.get(name) ?? loadProfile(name).then((profile) => compileProfile(profile, { cn: "host.test" }));
  profiles.set(name, known);
  return known;
}

/** [profile, algorithms of the request, accepted, or code and message] */
const KEYS: readonly [profile: string, algorithms: [string, string?], refused?: [code: string, message: RegExp]][] = [
  ["ml/tls-server", ["ml-dsa-65"]],
  ["ml/tls-server", ["ml-dsa-87"]],
  ["ml/tls-server", ["ml-dsa-44"], ["csr.key_mismatch", /its key is ML-DSA-44, and .* is for ML-DSA-65 or stronger/]],
  ["ml/tls-server", ["ecdsa-p256"], ["csr.key_mismatch", /its key is ECDSA P-256, and .* is for ML-DSA-65$/]],
  ["ml/tls-server", ["mldsa65-ed25519-sha512"], ["csr.key_mismatch", /MLDSA65-Ed25519-SHA512/]],
  ["ml/tls-server", ["ecdsa-p256", "ml-dsa-65"], ["csr.key_mismatch", /it has two \(Catalyst\), .* is for one key/]],
  ["ec/tls-server", ["ecdsa-p256", "ml-dsa-65"], ["csr.key_mismatch", /it has two \(Catalyst\)/]],
  ["slh/tls-server", ["slh-dsa-shake-128f"]],
  ["hybrid/catalyst/tls-server", ["ecdsa-p256", "ml-dsa-65"]],
  ["hybrid/catalyst/tls-server", ["ecdsa-p384", "ml-dsa-87"]],
  ["hybrid/catalyst/tls-server", ["ecdsa-p256", "ml-dsa-44"], ["csr.key_mismatch", /ML-DSA-44.*ML-DSA-65 or stronger/]],
  ["hybrid/catalyst/tls-server", ["rsa-2048", "ml-dsa-65"], ["csr.key_mismatch", /RSA 2048 and ML-DSA-65/]],
  ["hybrid/catalyst/tls-server", ["ecdsa-p256"], ["csr.key_mismatch", /it has one key.* is for two \(Catalyst\)/]],
  ["hybrid/composite/tls-server", ["mldsa65-ecdsa-p256-sha512"]],
  ["hybrid/composite/tls-server", ["mldsa87-ecdsa-p384-sha512"]],
  ["hybrid/composite/tls-server", ["mldsa44-ecdsa-p256-sha256"], ["csr.key_mismatch", /MLDSA44-ECDSA-P256-SHA256/]],
  ["hybrid/composite/tls-server", ["mldsa65-ed25519-sha512"], ["csr.key_mismatch", /MLDSA65-Ed25519-SHA512/]],
  ["hybrid/composite/tls-server", ["ecdsa-p256"], ["csr.key_mismatch", /ECDSA P-256.*MLDSA65-ECDSA-P256-SHA512/]],
  ["hybrid/composite/tls-server", ["ecdsa-p256", "ml-dsa-65"], ["csr.key_mismatch", /two \(Catalyst\)/]],
];

async function refuses(csr: Csr, profile: string, code: string, message: RegExp): Promise<void> {
  await assert.rejects(checkCsr(csr, await profileOf(profile)), (error) => {
    assert(error instanceof InputError && error.code === code, String(error));
    assert.match(error.message, message);
    assert.notEqual(error.hint, undefined);
    return true;
  }, `${profile} ${message}`);
}

Deno.test("a request has the keys that its profile is for: how many, of which family, how strong", async () => {
  for (const [profile, algorithms, refused] of KEYS) {
    const csr = await makeCsr({ algorithms });
    if (refused) {
      await refuses(csr, profile, ...refused);
      continue;
    }
    const keys = await checkCsr(csr, await profileOf(profile));
    assert.deepEqual(keys.spki, csr.spki);
    assert.equal(keys.alternativeSpki !== undefined, algorithms.length === 2);
  }
});

Deno.test("a Catalyst request without one of its three attributes is refused", async () => {
  for (const arc of [72, 73, 74] as const) {
    const csr = await csrWithout(arc, ["ecdsa-p256", "ml-dsa-65"]);
    const [code, message] = arc === 72 ? ["csr.key_mismatch", /it has one key/] as const : [
      "csr.bad_signature",
      arc === 73 ? /altSignatureAlgorithm/ : /altSignatureValue|no alternative signature/,
    ] as const;
    await refuses(csr, "hybrid/catalyst/tls-server", code, message);
    await refuses(csr, "ec/tls-server", arc === 72 ? "csr.bad_signature" : "csr.key_mismatch", /./);
  }
});

Deno.test("both signatures of a Catalyst request must be good", async () => {
  const csr = await makeCsr({ algorithms: ["ecdsa-p256", "ml-dsa-65"] });
  const signature = csr.signature.slice();
  signature[signature.length - 1]! ^= 1;
  await refuses({ ...csr, signature }, "hybrid/catalyst/tls-server", "csr.bad_signature", /does not verify/);
  const attributes = csr.attributes.map(({ oid, values }) => {
    const changed = values[0]!.slice();
    if (oid === "2.5.29.74") changed[changed.length - 1]! ^= 1;
    return { oid, values: [changed] };
  });
  await refuses({ ...csr, attributes }, "hybrid/catalyst/tls-server", "csr.bad_signature", /alternative ML-DSA-65/);
});

Deno.test("a key that cannot sign needs the word of a certificate holder of the same name, whom the CA knows", async () => {
  const root = await issue({ name: "CN=Root", algorithm: "ml-dsa-87" });
  const other = await issue({ name: "CN=Other Root", algorithm: "ml-dsa-87" });
  const holder = (name: string, issuer = root, algorithm = "ml-dsa-65") =>
    issue({ name, issuer, algorithm, extensions: leafExtensions() });
  const alice = await holder("CN=host.test");
  const trust = { anchors: [root.certificate], intermediates: [], at: daysFromNow(0) };
  const profile = await profileOf("ml/encryption");
  const ask = (csr: Csr, given = [alice.certificate]) =>
    checkCsr(csr, profile, { attestCertificates: given, attestTrust: trust });
  const attest = { certificate: alice.certificate, key: alice.key };

  const good = await makeCsr({ algorithms: ["ml-kem-768"], attest });
  const { attestation, warnings } = await ask(good);
  assert.equal(attestation?.certificate.serial, alice.certificate.serial);
  assert.deepEqual(warnings, []);
  assert.equal((await ask(await makeCsr({ algorithms: ["ml-kem-1024"], attest }))).warnings.length, 1, "weaker key");

  const stranger = await holder("CN=host.test", other);
  const foreign = { certificate: stranger.certificate, key: stranger.key };
  const cases: [csr: Csr, message: RegExp, given?: typeof alice.certificate[]][] = [
    [await csrWithoutStatement("ml-kem-768", alice.key), /there is no statement of possession/],
    [await makeCsr({ algorithms: ["ml-kem-768"], attest: foreign }), /not the one given/],
    [
      await makeCsr({ algorithms: ["ml-kem-768"], attest: { ...foreign, include: true } }),
      /attesting certificate is not valid/,
    ],
    [await makeCsr({ algorithms: ["ml-kem-768"], attest }), /neither included nor given/, []],
  ];
  for (const [csr, message, given] of cases) {
    await assert.rejects(ask(csr, given), (error) => {
      assert(error instanceof InputError && error.code === "csr.possession", String(error));
      assert.match(error.message, message);
      return true;
    });
  }
  const renamed = compileProfile(await loadProfile("ml/encryption"), { cn: "bob" });
  const options = { attestCertificates: [alice.certificate], attestTrust: trust };
  await assert.rejects(
    checkCsr(good, renamed, options),
    /for "CN=bob", and the attesting certificate for "CN=host.test"/,
  );
});
