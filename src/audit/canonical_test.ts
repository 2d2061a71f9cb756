import assert from "node:assert/strict";
import { InputError } from "../errors.ts";
import { canonicalJson, type Json } from "./canonical.ts";

Deno.test("members are sorted by UTF-16 code units, not by code points", () => {
  // RFC 8785 section 3.2.3: the names of its example, written with escapes
  const value = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
  };
  const order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"];
  const names = [...canonicalJson(value).matchAll(/"((?:[^"\\]|\\.)*)":/g)].map((match) => JSON.parse(`"${match[1]}"`));
  assert.deepEqual(names, order);
});

Deno.test("numbers are as ECMAScript writes them (RFC 8785 section 3.2.2.3, appendix B)", () => {
  const bits = (hex: string) => new DataView(Uint8Array.fromHex(hex).buffer).getFloat64(0);
  const table: readonly [ieee754: string, text: string][] = [
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555554", "333333333.33333325"],
    ["41b3de4355555555", "333333333.3333333"],
    ["41b3de4355555556", "333333333.3333334"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ];
  for (const [hex, text] of table) assert.equal(canonicalJson(bits(hex)), text, hex);
  for (const bad of ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"]) {
    assert.throws(() => canonicalJson(bits(bad)), { code: "json.not_canonical" });
  }
});

Deno.test("strings: short escapes, lower-case hex for other controls, all else as it is (section 3.2.2.2)", () => {
  const text = '\u20ac$\u000f\nA\'B"\\\\"/\b\t\f\r\u007f\u2028<é';
  assert.equal(canonicalJson(text), '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\t\\f\\r\u007f\u2028<é"');
  assert.throws(() => canonicalJson("\ud83d"), InputError);
  assert.throws(() => canonicalJson({ "\ude00": 1 }), InputError);
});

Deno.test("literals, arrays in their order, objects inside objects, no white space (section 3.2.4)", () => {
  const value: Json = {
    literals: [null, true, false],
    a: { z: [], y: {} },
    none: undefined,
    "": [56, { d: true, c: 1 }],
  };
  assert.equal(
    canonicalJson(value),
    '{"":[56,{"c":1,"d":true}],"a":{"y":{},"z":[]},"literals":[null,true,false]}',
  );
});

Deno.test("what JSON does not know is refused, and so is endless nesting", () => {
  assert.throws(() => canonicalJson(1n as unknown as Json), { code: "json.not_canonical" });
  let deep: Json = [];
  for (let i = 0; i < 100; i++) deep = [deep];
  assert.throws(() => canonicalJson(deep), { code: "json.not_canonical" });
});
