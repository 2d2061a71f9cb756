import assert from "node:assert/strict";
import { issue } from "../../tests/support/pki.ts";
import { findKeyRow } from "../alg/find.ts";
import type { KeyMode } from "../store/meta.ts";
import { alternativeSpki } from "../x509/certificate.ts";
import { type CaCertificate, fitsPins, issuingCertificate, modeOf, pinsOf } from "./certificates.ts";
import { certificatesFor } from "./crl.ts";
import { keysName } from "./key_parts.ts";

/** A certificate of a CA as far as the choice goes: `catalyst:ecdsa-p384+ml-dsa-87`, or an algorithm. */
function certificateOf(text: string, index: number): CaCertificate {
  const [, catalyst, names] = /^(catalyst:)?(.*)$/.exec(text)!;
  const rows = names!.split("+").map(findKeyRow);
  const mode: KeyMode = catalyst ? "catalyst" : rows[0]!.parts ? "composite" : "simple";
  const alternative = rows[1] ? { alternativeRow: rows[1] } : {};
  return { index, name: keysName({ rows }), mode, row: rows[0]!, ...alternative } as CaCertificate;
}

const [EC, RSA, ML, SLH] = ["ecdsa-p384", "rsa-4096", "ml-dsa-87", "slh-dsa-sha2-256f"] as const;
const CATALYST = "catalyst:ecdsa-p384+ml-dsa-87";
const COMPOSITE = "mldsa87-ecdsa-p521-sha512";

/** [certificates of the CA, mode and algorithms of the profile, which one issues] */
const CHOICES: readonly [ca: string[], mode: KeyMode, algorithms: string[], chosen: string][] = [
  [[EC, ML], "simple", ["ecdsa-p256"], EC],
  [[EC, ML], "simple", ["ml-dsa-65"], ML],
  [[ML, EC], "simple", ["ecdsa-p256"], EC],
  [[EC, RSA], "simple", ["rsa-2048"], RSA],
  [[EC, RSA], "simple", ["ed25519"], EC],
  [[EC, ML], "simple", ["ml-kem-768"], ML],
  [[EC, ML, SLH], "simple", ["slh-dsa-128f"], SLH],
  [[EC, ML], "simple", ["slh-dsa-128f"], ML],
  [[EC, RSA], "simple", ["ml-dsa-65"], EC],
  [[CATALYST, EC], "simple", ["ecdsa-p256"], EC],
  [[EC, CATALYST], "simple", ["ml-dsa-65"], CATALYST],
  [[EC, CATALYST], "catalyst", ["ecdsa-p256", "ml-dsa-65"], CATALYST],
  [[CATALYST, EC], "catalyst", ["rsa-2048", "ml-dsa-65"], CATALYST],
  [[EC, COMPOSITE], "composite", ["mldsa65-ecdsa-p256-sha512"], COMPOSITE],
  [[EC, ML], "composite", ["mldsa65-ecdsa-p256-sha512"], ML],
  [[EC], "simple", ["ml-dsa-65"], EC],
];

Deno.test("a CA of several certificates issues with the one that fits the profile", () => {
  for (const [ca, mode, algorithms, chosen] of CHOICES) {
    const all = ca.map(certificateOf) as [CaCertificate, ...CaCertificate[]];
    const found = issuingCertificate(all, { mode, rows: algorithms.map(findKeyRow) });
    assert.equal(ca[found.index], chosen, `${ca} for ${algorithms}`);
  }
});

/** [word of --algo, positions] among EC, ML, Catalyst, composite */
const WORDS: readonly [word: string | undefined, found: number[]][] = [
  [undefined, [0, 1, 2, 3]],
  ["ec", [0]],
  ["ECDSA", [0]],
  ["p384", [0]],
  ["ml-dsa", [1]],
  ["ml", [1]],
  ["ML", [1]],
  ["mldsa87", [1]],
  ["catalyst", [2]],
  ["ecdsa-p384-ml-dsa-87", [2]],
  ["composite", [3]],
  ["mldsa87-ecdsa-p521-sha512", [3]],
];

Deno.test("--algo names CRLs by family, algorithm, mode or file name", () => {
  const all = [EC, ML, CATALYST, COMPOSITE].map(certificateOf);
  for (const [word, found] of WORDS) {
    assert.deepEqual(certificatesFor(all, word).map(({ index }) => index), found, word);
  }
  assert.deepEqual(certificatesFor([RSA, CATALYST].map(certificateOf), "ml-dsa").map(({ index }) => index), [1]);
  for (const word of ["rsa", "slh"]) assert.deepEqual(certificatesFor(all, word), []);
  assert.deepEqual(certificatesFor([EC, SLH].map(certificateOf), "slh").map(({ index }) => index), [1]);
});

Deno.test("pins are those of each key, also of the two inside a composite one", async () => {
  const composite = (await issue({ name: "CN=C", algorithm: "mldsa44-ed25519-sha512" })).certificate;
  const catalyst = (await issue({ name: "CN=K", algorithm: "ecdsa-p256", alternative: "ml-dsa-44" })).certificate;
  const simple = (await issue({ name: "CN=S", algorithm: "ml-dsa-44" })).certificate;
  assert.deepEqual([composite, catalyst, simple].map(modeOf), ["composite", "catalyst", "simple"]);
  const storage = { type: "software", path: "k" } as const;
  for (const certificate of [composite, catalyst]) {
    const pins = await pinsOf({ spki: certificate.spki, alternative: alternativeSpki(certificate) });
    assert.deepEqual(Object.keys(pins), ["classical", "pqc"]);
    assert.notEqual(pins["classical"], pins["pqc"]);
    const entry = (id: "classical" | "pqc", pin = pins[id]!) => ({ id, algorithm: "", storage, spki_sha256: pin });
    assert.ok(fitsPins([entry("classical"), entry("pqc")], pins));
    assert.ok(
      fitsPins([entry("pqc", pins["pqc"]!.toUpperCase()), { ...entry("classical"), spki_sha256: undefined! }], pins),
    );
    assert.ok(!fitsPins([entry("classical")], pins));
    assert.ok(!fitsPins([entry("classical", pins["pqc"]!), entry("pqc")], pins));
  }
  const pins = await pinsOf({ spki: simple.spki });
  assert.ok(fitsPins([{ id: "default", algorithm: "", storage, spki_sha256: pins["default"]! }], pins));
});
