import assert from "node:assert/strict";
import {
  allocate,
  CK_ATTRIBUTE,
  CK_C_INITIALIZE_ARGS,
  CK_EDDSA_PARAMS,
  CK_INFO,
  CK_INTERFACE,
  CK_MECHANISM,
  CK_MECHANISM_INFO,
  CK_RSA_PKCS_PSS_PARAMS,
  CK_SESSION_INFO,
  CK_SIGN_ADDITIONAL_CONTEXT,
  CK_SLOT_INFO,
  CK_TOKEN_INFO,
  functionOffset,
  LP64,
  readUlong,
  type Struct,
  type StructFields,
  ulongBytes,
  UNAVAILABLE,
  WINDOWS,
} from "./layout.ts";

// sizes worked out by hand from the C declarations, with and without padding
const SIZES: [Struct<StructFields>, number, number][] = [
  [CK_INFO as unknown as Struct<StructFields>, 88, 72],
  [CK_INTERFACE as unknown as Struct<StructFields>, 24, 20],
  [CK_SLOT_INFO as unknown as Struct<StructFields>, 112, 104],
  [CK_TOKEN_INFO as unknown as Struct<StructFields>, 208, 160],
  [CK_SESSION_INFO as unknown as Struct<StructFields>, 32, 16],
  [CK_ATTRIBUTE as unknown as Struct<StructFields>, 24, 16],
  [CK_MECHANISM as unknown as Struct<StructFields>, 24, 16],
  [CK_MECHANISM_INFO as unknown as Struct<StructFields>, 24, 12],
  [CK_C_INITIALIZE_ARGS as unknown as Struct<StructFields>, 48, 44],
  [CK_RSA_PKCS_PSS_PARAMS as unknown as Struct<StructFields>, 24, 12],
  [CK_EDDSA_PARAMS as unknown as Struct<StructFields>, 24, 13],
  [CK_SIGN_ADDITIONAL_CONTEXT as unknown as Struct<StructFields>, 24, 16],
];

Deno.test("structures have the sizes of the C declarations on both platforms", () => {
  for (const [struct, lp64, windows] of SIZES) {
    assert.equal(struct.size(LP64), lp64, `${struct.name} on LP64`);
    assert.equal(struct.size(WINDOWS), windows, `${struct.name} on Windows`);
  }
});

Deno.test("fields lie where the compilers put them", () => {
  assert.equal(CK_INFO.offset(LP64, "flags"), 40);
  assert.equal(CK_INFO.offset(WINDOWS, "flags"), 34);
  assert.equal(CK_INFO.offset(LP64, "libraryVersion"), 80);
  assert.equal(CK_TOKEN_INFO.offset(LP64, "flags"), 96);
  assert.equal(CK_TOKEN_INFO.offset(WINDOWS, "hardwareVersion"), 140);
  assert.equal(CK_ATTRIBUTE.offset(WINDOWS, "pValue"), 4);
  assert.equal(CK_EDDSA_PARAMS.offset(LP64, "pContextData"), 16);
  assert.equal(functionOffset(LP64, 42), 344);
  assert.equal(functionOffset(WINDOWS, 42), 338);
});

Deno.test("numbers survive both widths, and all bits set means unavailable", () => {
  for (const platform of [LP64, WINDOWS]) {
    for (const value of [0, 1, 0x1041, 0x80000000]) {
      assert.equal(readUlong(platform, ulongBytes(platform, value)), value);
    }
    assert.equal(readUlong(platform, ulongBytes(platform, UNAVAILABLE)), UNAVAILABLE);
    const bytes = CK_MECHANISM.allocate(platform);
    CK_MECHANISM.set(platform, bytes, { field: "mechanism", value: 0x1041 });
    CK_MECHANISM.set(platform, bytes, { field: "pParameter", value: 0x7fff_1234_5678n });
    CK_MECHANISM.set(platform, bytes, { field: "ulParameterLen", value: 12 });
    assert.equal(CK_MECHANISM.get(platform, bytes, "mechanism"), 0x1041);
    assert.equal(CK_MECHANISM.get(platform, bytes, "pParameter"), 0x7fff_1234_5678n);
    assert.equal(CK_MECHANISM.number(platform, bytes, "ulParameterLen"), 12);
  }
  // a 64-bit handle keeps all its bits
  assert.equal(readUlong(LP64, ulongBytes(LP64, 0x8123456789abcdefn)), 0x8123456789abcdefn);
});

Deno.test("padded text loses blanks and NULs at its end only", () => {
  const bytes = allocate(CK_SLOT_INFO.size(LP64));
  bytes.set(new TextEncoder().encode("Slot  é  ".padEnd(40)));
  assert.equal(CK_SLOT_INFO.text(LP64, bytes, "slotDescription"), "Slot  é");
  assert.deepEqual(CK_SLOT_INFO.version(LP64, bytes, "hardwareVersion"), { major: 0, minor: 0 });
});
