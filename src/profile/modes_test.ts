import assert from "node:assert/strict";
import { compileProfile } from "./compile.ts";
import { lintProfile } from "./lint.ts";
import { parseProfile } from "./load.ts";
import { ProfileError } from "./types.ts";

function yaml(mode: string, algorithms: string): string {
  return `name: t\nmode: ${mode}\nalgorithms: ${algorithms}\nvalidity: 1d\nsubject: {cn: T}\n`;
}

const ACCEPTED: readonly [mode: string, algorithms: string, rows: string][] = [
  ["simple", "[ml-dsa-44]", "ml-dsa-44"],
  ["simple", "[slh-dsa-128f]", "slh-dsa-sha2-128f"],
  ["catalyst", "[rsa-3072, slh-dsa-shake-128s]", "rsa-3072 slh-dsa-shake-128s"],
  ["catalyst", "[ed25519, mldsa44]", "ed25519 ml-dsa-44"],
  ["composite", "[p384, ml-dsa-65]", "mldsa65-ecdsa-p384-sha512"],
  ["composite", "[rsa-2048, ml-dsa-44]", "mldsa44-rsa2048-pss-sha256"],
  ["composite", "[mldsa44-rsa2048-pkcs15-sha256]", "mldsa44-rsa2048-pkcs15-sha256"],
];

Deno.test("the algorithms of each mode lead to the rows of the certificate's keys", () => {
  for (const [mode, algorithms, rows] of ACCEPTED) {
    const compiled = compileProfile(parseProfile(yaml(mode, algorithms), "t.yaml"), {});
    assert.equal(compiled.rows.map((row) => row.name).join(" "), rows);
    assert.equal(compiled.mode, mode);
  }
});

/** [mode, algorithms, column, message] */
const REFUSED: readonly [mode: string, algorithms: string, column: number, message: RegExp][] = [
  ["simple", "[ecdsa-p256, ml-dsa-44]", 13, /mode simple takes one algorithm, and 2 stand here/],
  ["simple", "[mldsa65-ed25519-sha512]", 14, /is two keys in one: state "mode: composite"/],
  ["catalyst", "[ecdsa-p256]", 13, /takes two algorithms, the classical one first, and 1 stand here/],
  ["catalyst", "[ml-dsa-65, ecdsa-p256]", 14, /the classical algorithm stands first, and ML-DSA-65 is none/],
  ["catalyst", "[ecdsa-p256, ed25519]", 26, /takes a post-quantum signature algorithm here, not Ed25519/],
  ["catalyst", "[ecdsa-p256, ml-kem-768]", 26, /post-quantum signature algorithm here, not ML-KEM-768/],
  ["catalyst", "[ecdsa-p256, mldsa65-ed25519-sha512]", 26, /not MLDSA65-Ed25519-SHA512/],
  ["composite", "[ecdsa-p256]", 14, /two algorithms, or the name of a composite one/],
  ["composite", "[ecdsa-p256, ml-dsa-65, ml-dsa-87]", 13, /two algorithms/],
  ["composite", "[ml-dsa-65, ecdsa-p256]", 14, /the classical algorithm stands first/],
  [
    "composite",
    "[ecdsa-p256, ml-dsa-87]",
    13,
    /no composite algorithm is registered .*ecdsa-p256 with ml-dsa-65.*ecdsa-p384 with ml-dsa-87/,
  ],
  ["composite", "[rsa-2048, slh-dsa-128f]", 13, /no composite algorithm is registered/],
];

Deno.test("a pair that a mode cannot take is a mistake with its place, an unregistered one with what is registered", () => {
  for (const [mode, algorithms, column, message] of REFUSED) {
    assert.throws(() => parseProfile(yaml(mode, algorithms), "t.yaml"), (error) => {
      assert(error instanceof ProfileError, String(error));
      assert.match(error.message, message);
      assert.deepEqual([error.mistakes.length, error.mistakes[0]!.line, error.mistakes[0]!.column], [1, 3, column]);
      assert.equal(error.code, "profile.invalid");
      return true;
    }, `${mode} ${algorithms}`);
  }
});

/** [mode, algorithms, keyUsage, extKeyUsage, rule] */
const LINTED: readonly [mode: string, algorithms: string, usage: string, purposes: string, rule: string | undefined][] =
  [
    ["simple", "[ml-kem-768]", "keyEncipherment", "emailProtection", undefined],
    ["simple", "[ml-kem-768]", "digitalSignature", "emailProtection", "key_usage.key_type"],
    ["simple", "[ml-kem-768]", "keyAgreement", "emailProtection", "key_usage.key_type"],
    ["simple", "[ml-kem-768]", "keyEncipherment", "serverAuth", "key.kem_purpose"],
    ["simple", "[ml-dsa-65]", "keyEncipherment", "emailProtection", "key_usage.key_type"],
    ["simple", "[slh-dsa-128f]", "keyAgreement", "emailProtection", "key_usage.key_type"],
    ["composite", "[rsa-2048, ml-dsa-44]", "keyEncipherment", "emailProtection", "key_usage.key_type"],
    ["catalyst", "[rsa-2048, ml-dsa-44]", "keyEncipherment", "emailProtection", "key_usage.second_key"],
    ["catalyst", "[rsa-2048, ml-dsa-44]", "digitalSignature", "emailProtection", undefined],
  ];

Deno.test("keyUsage and purposes are held against every key of the certificate", () => {
  for (const [mode, algorithms, usage, purposes, rule] of LINTED) {
    const text = yaml(mode, algorithms) +
      `extensions:\n  keyUsage: {critical: true, values: [${usage}]}\n  extKeyUsage: {values: [${purposes}]}\n` +
      "  subjectAltName: {email: a@example.com, dns: a.example.com}\n";
    const rules = lintProfile(parseProfile(text, "t.yaml")).map((finding) => finding.rule)
      .filter((found) => !found.startsWith("cabf."));
    assert.deepEqual(rules, rule === undefined ? [] : [rule], `${algorithms} ${usage}`);
  }
});
