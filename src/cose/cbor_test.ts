import assert from "node:assert/strict";
import { decodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { CborFloat, CborSimple, CborTag, type CborValue, decodeCbor, encodeCbor, MAX_DEPTH } from "./cbor.ts";
import { diagnose } from "./diag.ts";
import { isNativeAccelerationEnabled } from "cbor-x/decode";

/** Items in their deterministic form, with their diagnostic notation (most are of RFC 8949 appendix A). */
const ITEMS: readonly (readonly [hex: string, diag: string])[] = [
  ["00", "0"],
  ["17", "23"],
  ["1818", "24"],
  ["190100", "256"],
  ["1a00010000", "65536"],
  ["1affffffff", "4294967295"],
  ["1b0000000100000000", "4294967296"],
  ["1b001fffffffffffff", "9007199254740991"],
  ["1bffffffffffffffff", "18446744073709551615"],
  ["20", "-1"],
  ["3863", "-100"],
  ["3903e7", "-1000"],
  ["3affffffff", "-4294967296"],
  ["3b0000000100000000", "-4294967297"],
  ["40", "h''"],
  ["4401020304", "h'01020304'"],
  ["60", '""'],
  ["62c3bc", null, '"ü"'],
  ["6161", '"a"'],
  ["80", "[]"],
  ["83010203", "[1, 2, 3]"],
  ["a0", "{}"],
  ["a201020304", "{1: 2, 3: 4}"],
  ["a3010220036161f4", '{1: 2, -1: 3, "a": false}'],
  ["43a10126", "<<{1: -7}>>"],
  ["c11a514b67b0", "1(1363896240)"],
  ["d83dd28100", "61(18([0]))"],
  ["f4", "false"],
  ["f5", "true"],
  ["f6", "null"],
  ["f7", "undefined"],
].map(([hex, diag, other]) => [hex!, other ?? diag!] as const);

Deno.test("what is read is written again, and has its notation", () => {
  for (const [hex, diag] of ITEMS) {
    const value = decodeCbor(decodeHex(hex), { deterministic: true });
    assert.equal(diagnose(value), diag, hex);
    if (hex !== "62c3bc") assert.equal(encodeCbor(value).toHex(), hex);
  }
});

Deno.test("floats and simple values are read and kept apart from integers", () => {
  const cases: [string, string, CborValue][] = [
    ["f93c00", "1.0", new CborFloat(1)],
    ["f93e00", "1.5", new CborFloat(1.5)],
    ["f98000", "-0.0", new CborFloat(-0)],
    ["fa47c35000", "100000.0", new CborFloat(100000)],
    ["fb3ff199999999999a", "1.1", new CborFloat(1.1)],
    ["f97c00", "Infinity", new CborFloat(Infinity)],
    ["f97e00", "NaN", new CborFloat(NaN)],
    ["f0", "simple(16)", new CborSimple(16)],
    ["f8ff", "simple(255)", new CborSimple(255)],
  ];
  for (const [hex, diag, value] of cases) {
    const found = decodeCbor(decodeHex(hex), { deterministic: true });
    assert.deepEqual(found, value);
    assert.equal(diagnose(found).replace("-0", "-0.0").replace("-0.0.0", "-0.0"), diag);
    assert.throws(() => encodeCbor(value), { code: "cbor.unsupported" });
  }
});

Deno.test("maps are written in the order of their keys' bytes, whatever order they have", () => {
  const keys: CborValue[] = [10, 100, -1, "z", "aa", [100], [-1], false, 33, 1, 4];
  const encoded = encodeCbor(new Map(keys.map((key) => [key, 0])));
  const [...shown] = (decodeCbor(encoded, { deterministic: true }) as Map<CborValue, CborValue>).keys();
  assert.deepEqual(shown, [1, 4, 10, 33, 100, -1, "z", "aa", [100], [-1], false]);
});

const BAD: readonly (readonly [hex: string, code: string, deterministicOnly?: true])[] = [
  ["", "cbor.truncated"],
  ["18", "cbor.truncated"],
  ["1b00000000000000", "cbor.truncated"],
  ["4401", "cbor.truncated"],
  ["5bffffffffffffffff", "cbor.truncated"],
  ["5b7fffffffffffffff00", "cbor.truncated"],
  ["7affffffff61", "cbor.truncated"],
  ["9bffffffffffffffff", "cbor.truncated"],
  ["9affffffff00", "cbor.truncated"],
  ["bb8000000000000000", "cbor.truncated"],
  ["bb7fffffffffffffff0000", "cbor.truncated"],
  ["a101", "cbor.truncated"],
  ["c1", "cbor.truncated"],
  ["1c", "cbor.invalid"],
  ["fe", "cbor.invalid"],
  ["f818", "cbor.invalid"],
  ["1f", "cbor.invalid"],
  ["3f", "cbor.invalid"],
  ["df00ff", "cbor.invalid"],
  ["ff", "cbor.invalid"],
  ["8201ff", "cbor.invalid"],
  ["5f42010243030405ff", "cbor.indefinite"],
  ["7f657374726561646d696e67ff", "cbor.indefinite"],
  ["9f01ff", "cbor.indefinite"],
  ["bf0102ff", "cbor.indefinite"],
  ["0000", "cbor.trailing"],
  ["8000", "cbor.trailing"],
  ["a201020103", "cbor.duplicate_key"],
  ["a20102180103", "cbor.duplicate_key"],
  ["a2416102416103", "cbor.duplicate_key"],
  ["a2616102616103", "cbor.duplicate_key"],
  ["a2810102810103", "cbor.duplicate_key"],
  ["a2a20102030400a20304010200", "cbor.duplicate_key"],
  ["61ff", "cbor.not_text"],
  ["63eda080", "cbor.not_text"],
  ["1801", "cbor.not_deterministic", true],
  ["190001", "cbor.not_deterministic", true],
  ["580100", "cbor.not_deterministic", true],
  ["9800", "cbor.not_deterministic", true],
  ["d80100", "cbor.not_deterministic", true],
  ["a203040102", "cbor.not_deterministic", true],
  ["a220020102", "cbor.not_deterministic", true],
  ["fa3f800000", "cbor.not_deterministic", true],
  ["fb3ff0000000000000", "cbor.not_deterministic", true],
];

Deno.test("what is no strict CBOR is an InputError with a code of its own", () => {
  for (const [hex, code, deterministicOnly] of BAD) {
    const bytes = decodeHex(hex);
    assert.throws(() => decodeCbor(bytes, { deterministic: deterministicOnly ?? false }), (error: InputError) => {
      assert.ok(error instanceof InputError, hex);
      assert.equal(error.code, code, hex);
      return true;
    });
    if (deterministicOnly) decodeCbor(bytes);
  }
});

Deno.test("nesting and the number of items have bounds", () => {
  const nested = (depth: number) => new Uint8Array(depth + 1).fill(0x81).with(depth, 0);
  decodeCbor(new Uint8Array(nested(MAX_DEPTH)));
  assert.throws(() => decodeCbor(new Uint8Array(nested(MAX_DEPTH + 1))), { code: "cbor.too_deep" });
  assert.throws(() => decodeCbor(new Uint8Array(nested(5_000_000))), { code: "cbor.too_deep" });
  const tags = new Uint8Array(1_000_000).fill(0xc1);
  assert.throws(() => decodeCbor(tags), { code: "cbor.too_deep" });
  const wide = new Uint8Array(1_000_005);
  wide.set([0x9a, 0x00, 0x0f, 0x42, 0x40]);
  assert.throws(() => decodeCbor(wide), { code: "cbor.too_large" });
});

Deno.test("tags are kept as they are: nothing is made of their content", () => {
  // cbor-x would make a RegExp, a Date, a record and a reference of these
  for (const hex of ["d81b826652656745787062282b", "c074323031", "d8698201810102", "d81d00", "d9dfff830181616101"]) {
    let value: CborValue;
    try {
      value = decodeCbor(decodeHex(hex));
    } catch (error) {
      assert.ok(error instanceof InputError);
      continue;
    }
    assert.ok(value instanceof CborTag, hex);
  }
});

Deno.test("numbers that CBOR has no place for, and text that is not Unicode, are not written", () => {
  for (const value of [1.5, NaN, 2n ** 64n, -(2n ** 63n) - 1n, "\ud800"]) {
    assert.throws(() => encodeCbor(value), { code: "cbor.unsupported" });
  }
});

Deno.test("cbor-x runs without its native part", () => assert.equal(isNativeAccelerationEnabled, false));
