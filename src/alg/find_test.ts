import assert from "node:assert/strict";
import { InputError, UsageError } from "../errors.ts";
import {
  allowsScheme,
  chooseScheme,
  defaultScheme,
  findKeyRow,
  findSchemeRow,
  keyRows,
  keyRowsBySpkiOid,
  lookUpCompositeRow,
  lookUpKeyRow,
  partsOf,
  requireAllowed,
  schemeRows,
  schemesByOid,
} from "./find.ts";

Deno.test("the table holds every algorithm of the contract, each name and alias once", () => {
  const families = Object.entries(Object.groupBy(keyRows(), ({ family }) => family));
  const counts = Object.fromEntries(families.map(([family, rows]) => [family, rows.length]));
  assert.deepEqual(counts, {
    ecdsa: 5,
    eddsa: 2,
    rsa: 3,
    "ml-dsa": 3,
    "slh-dsa": 12,
    "ml-kem": 3,
    composite: 18,
  });
  for (const row of keyRows()) {
    assert.match(row.name, /^[a-z0-9-]+$/);
    for (const name of [row.name, row.name.toUpperCase(), ...row.aliases]) assert.equal(lookUpKeyRow(name), row, name);
  }
  assert.equal(findKeyRow("slh-dsa-128f").name, "slh-dsa-sha2-128f");
  assert.throws(() => findKeyRow("ml-dsa-66"), (error: unknown) => {
    assert.ok(error instanceof UsageError);
    return /"ml-dsa-65"/.test(error.hint!) || /"ml-dsa-44"/.test(error.hint!);
  });
});

Deno.test("identifiers are unique where they tell rows apart", () => {
  const pure = keyRows().filter(({ spki }) => spki.parameters === "absent");
  assert.equal(new Set(pure.map(({ spki }) => spki.oid)).size, pure.length);
  for (const row of pure) assert.deepEqual(keyRowsBySpkiOid(row.spki.oid), [row]);
  for (const row of schemeRows()) assert.ok(schemesByOid(row.oid).includes(row));
  for (const row of pure.filter(({ kind }) => kind === "signature")) {
    // of these, key and signature have the same identifier (RFC 8410, RFC 9881, RFC 9909, composite draft)
    assert.equal(defaultScheme(row).oid, row.spki.oid, row.name);
  }
});

Deno.test("composite rows: parts exist, sign with the scheme's component, and are found by them", () => {
  const composite = keyRows().filter((row) => partsOf(row) !== undefined);
  assert.equal(composite.length, 18);
  for (const [i, row] of composite.entries()) {
    assert.equal(row.spki.oid, `1.3.6.1.5.5.7.6.${37 + i}`);
    const { pqc, classical } = partsOf(row)!;
    const { composite: facts } = defaultScheme(row);
    assert.ok(facts);
    requireAllowed(pqc, findSchemeRow(facts.pqc));
    requireAllowed(classical, findSchemeRow(facts.classical));
    assert.equal(
      lookUpCompositeRow(classical.name, pqc.name, { scheme: findSchemeRow(facts.classical).profileScheme }),
      row,
    );
    assert.equal(row.strength, pqc.strength);
    // two labels abbreviate the curve; the last word is the pre-hash
    assert.equal(facts.label, `COMPSIG-${row.label.replace(/brainpoolP(\d+)r1/, "BP$1")}`);
    assert.equal(row.label.split("-").at(-1), facts.prehash.replace("-", ""));
  }
  assert.equal(lookUpCompositeRow("ed448", "ml-dsa-44"), undefined);
});

Deno.test("schemes are chosen by wish; a key that signs nothing says so", () => {
  assert.equal(chooseScheme(findKeyRow("rsa-3072"), { scheme: "rsassa-pss", hash: "SHA-384" }).name, "rsa-pss-sha384");
  assert.equal(chooseScheme(findKeyRow("ml-dsa-65"), { scheme: "ml-dsa" }).name, "ml-dsa-65");
  assert.equal(chooseScheme(findKeyRow("slh-dsa-256s"), { scheme: "slh-dsa" }).name, "slh-dsa-sha2-256s");
  const joint = findKeyRow("mldsa44-ed25519-sha512");
  assert.equal(chooseScheme(joint, { scheme: "composite" }).name, "mldsa44-ed25519-sha512");
  const refused = (code: string) => (error: unknown) => error instanceof InputError && error.code === code;
  assert.throws(() => chooseScheme(findKeyRow("ml-dsa-65"), { hash: "SHA-256" }), refused("scheme.mismatch"));
  assert.throws(() => requireAllowed(findKeyRow("ml-dsa-65"), findSchemeRow("ml-dsa-44")), refused("scheme.mismatch"));
  assert.equal(allowsScheme(joint, "mldsa65-ed25519-sha512"), false);
  const kem = findKeyRow("ml-kem-768");
  for (
    const work of [
      () => defaultScheme(kem),
      () => chooseScheme(kem),
      () => requireAllowed(kem, findSchemeRow("ed25519")),
    ]
  ) {
    assert.throws(work, refused("scheme.none"));
  }
});
