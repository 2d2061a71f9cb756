import assert from "node:assert/strict";
import { FakeToken } from "../../tests/support/fake_token.ts";
import { AttributeQuery, Attributes, encodeTemplate } from "./attributes.ts";
import { CKA, CKO } from "./constants.ts";
import { CK_ATTRIBUTE, LP64, readUlong, UNAVAILABLE } from "./layout.ts";

const BASE = 0x1000;
const SIZE = CK_ATTRIBUTE.size(LP64);

Deno.test("a template is a table of attributes with its values behind it", () => {
  const { bytes, count } = encodeTemplate(new FakeToken(), {
    CKA_CLASS: "CKO_PRIVATE_KEY",
    CKA_SIGN: true,
    CKA_MODULUS_BITS: 3072,
    CKA_ID: Uint8Array.of(1, 2, 3),
    CKA_SUBJECT: new Uint8Array(0),
    "0x80000001": false,
  });
  assert.equal(count, 6);
  const entry = (i: number) => {
    const base = i * SIZE;
    const length = CK_ATTRIBUTE.number(LP64, bytes, "ulValueLen", base);
    const pointer = Number(CK_ATTRIBUTE.get(LP64, bytes, "pValue", base));
    const value = pointer === 0 ? [] : [...bytes.slice(pointer - BASE, pointer - BASE + length)];
    return [CK_ATTRIBUTE.get(LP64, bytes, "type", base), value];
  };
  assert.deepEqual(entry(0), [CKA.CKA_CLASS, [CKO.CKO_PRIVATE_KEY, 0, 0, 0, 0, 0, 0, 0]]);
  assert.deepEqual(entry(1), [CKA.CKA_SIGN, [1]]);
  assert.deepEqual(entry(2), [CKA.CKA_MODULUS_BITS, [0, 12, 0, 0, 0, 0, 0, 0]]);
  assert.deepEqual(entry(3), [CKA.CKA_ID, [1, 2, 3]]);
  assert.deepEqual(entry(4), [CKA.CKA_SUBJECT, []]);
  assert.deepEqual(entry(5), [0x80000001, [0]]);
  assert.throws(() => encodeTemplate(new FakeToken(), { CKA_NOPE: true }), RangeError);
});

Deno.test("a query tells absent from empty, and believes no length beyond its room", () => {
  const query = new AttributeQuery(new FakeToken(), ["CKA_ID", "CKA_LABEL", "CKA_VALUE"], [4, 4, 4]);
  const set = (i: number, value: number) =>
    CK_ATTRIBUTE.set(LP64, query.bytes, { field: "ulValueLen", value, base: i * SIZE });
  set(0, 0);
  set(1, UNAVAILABLE);
  set(2, 5000);
  assert.deepEqual([query.length(0), query.value(0)], [0, new Uint8Array(0)]);
  assert.deepEqual([query.length(1), query.value(1)], [undefined, undefined]);
  assert.deepEqual([query.length(2), query.value(2)], [5000, undefined]);
  assert.equal(readUlong(LP64, query.bytes), CKA.CKA_ID);
});

Deno.test("values of a wrong size are no booleans and no numbers", () => {
  const attributes = new Attributes(
    LP64,
    new Map([
      ["CKA_SIGN", Uint8Array.of(1, 0)],
      ["CKA_VERIFY", Uint8Array.of(0xff)],
      ["CKA_KEY_TYPE", Uint8Array.of(3)],
      ["CKA_LABEL", new TextEncoder().encode("clé ")],
    ]),
  );
  assert.equal(attributes.boolean("CKA_SIGN"), undefined);
  assert.deepEqual(attributes.booleans(), { CKA_VERIFY: true });
  assert.equal(attributes.ulong("CKA_KEY_TYPE"), undefined);
  assert.equal(attributes.text("CKA_LABEL"), "clé ");
  assert.equal(attributes.describe("CKA_LABEL"), '"clé "');
  assert.equal(attributes.describe("CKA_ID"), "absent");
});
