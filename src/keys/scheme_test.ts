import assert from "node:assert/strict";
import { findSchemeRow, schemeRows } from "../alg/find.ts";
import { explicit, integer, nullDer, oid, sequence } from "../asn1/der.ts";
import { OID_MGF1, OID_RSASSA_PSS, OID_SHA256, OID_SHA384 } from "../asn1/oid.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { decodeScheme, describeAlgorithm, encodeScheme, unsupportedReason } from "./scheme.ts";

const BYTES: Readonly<Record<string, string>> = {
  "ecdsa-sha256": "300a06082a8648ce3d040302",
  "ecdsa-sha384": "300a06082a8648ce3d040303",
  "ecdsa-sha512": "300a06082a8648ce3d040304",
  "ed25519": "300506032b6570",
  "ed448": "300506032b6571",
  "rsa-pkcs1-sha256": "300d06092a864886f70d01010b0500",
  "rsa-pkcs1-sha384": "300d06092a864886f70d01010c0500",
  "rsa-pkcs1-sha512": "300d06092a864886f70d01010d0500",
  "rsa-pss-sha256": "304106092a864886f70d01010a3034a00f300d06096086480165030402010500" +
    "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
};

Deno.test("every scheme has the standard's bytes and is read back", () => {
  for (const row of schemeRows()) {
    const der = encodeScheme(row);
    if (BYTES[row.name]) assert.equal(der.toHex(), BYTES[row.name]);
    assert.equal(decodeScheme(der), row);
    assert.equal(describeAlgorithm(der), row.label);
    for (let length = 0; length < der.length; length++) {
      assert.throws(() => decodeScheme(der.subarray(0, length)), InputError);
    }
    for (let bit = 0; bit < der.length * 8; bit++) {
      const flipped = der.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        assert.notEqual(decodeScheme(flipped), row);
      } catch (error) {
        assert.ok(error instanceof InputError, String(error));
      }
    }
  }
});

function pss(hash: Bytes, mask: Bytes, ...rest: Bytes[]): Bytes {
  const generator = sequence(oid(OID_MGF1), mask);
  return sequence(oid(OID_RSASSA_PSS), sequence(explicit(0, hash), explicit(1, generator), ...rest));
}

Deno.test("what deviates: NULL missing is read, NULL too many is not, PSS by meaning", () => {
  assert.equal(decodeScheme(sequence(oid("1.2.840.113549.1.1.11")))?.name, "rsa-pkcs1-sha256");
  assert.equal(decodeScheme(sequence(oid("1.2.840.10045.4.3.2"), nullDer())), undefined);
  assert.equal(decodeScheme(sequence(oid("1.3.101.112"), nullDer())), undefined);
  assert.equal(decodeScheme(sequence(oid("1.2.840.113549.1.1.5"), nullDer())), undefined);
  assert.equal(describeAlgorithm(sequence(oid("1.2.840.113549.1.1.5"), nullDer())), "sha1WithRSAEncryption");
  assert.equal(describeAlgorithm(sequence(oid("1.2.3.4"))), "1.2.3.4");
  const bare = sequence(oid(OID_SHA256));
  const salt = explicit(2, integer(32));
  assert.equal(decodeScheme(pss(bare, bare, salt))?.name, "rsa-pss-sha256");
  assert.equal(decodeScheme(pss(bare, bare, salt, explicit(3, integer(1))))?.name, "rsa-pss-sha256");
  assert.deepEqual(decodeScheme(pss(bare, bare)), { ...findSchemeRow("rsa-pss-sha256"), saltBytes: 20 });
  const maximal = explicit(2, integer(222));
  assert.deepEqual(decodeScheme(pss(bare, bare, maximal)), { ...findSchemeRow("rsa-pss-sha256"), saltBytes: 222 });
  assert.equal(decodeScheme(pss(bare, bare, explicit(2, integer(1_000_000)))), undefined, "a salt without end");
  assert.match(unsupportedReason(sequence(oid(OID_RSASSA_PSS), sequence())), /uses SHA-1, which is broken/);
  assert.equal(decodeScheme(pss(bare, sequence(oid(OID_SHA384)), salt)), undefined, "other mask hash");
  assert.equal(decodeScheme(pss(bare, bare, salt, explicit(3, integer(2)))), undefined, "other trailer");
  assert.equal(decodeScheme(sequence(oid(OID_RSASSA_PSS))), undefined, "parameters are mandatory");
  assert.equal(decodeScheme(sequence(oid(OID_RSASSA_PSS), sequence())), undefined, "SHA-1 by default");
});
