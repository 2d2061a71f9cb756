import { deepStrictEqual as eq, ok, throws } from "node:assert/strict";
import { encodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { encodeSerial, generateSerial, normalizeSerial, serialHex } from "./serial.ts";

Deno.test("generated serials are positive, 16 octets, canonical and all different", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const serial = generateSerial();
    ok(/^[0-7][0-9A-F]{31}$/.test(serial) && !serial.startsWith("00"), serial);
    eq(normalizeSerial(serial), serial);
    eq(encodeSerial(serial).length, 18);
    seen.add(serial);
  }
  eq(seen.size, 2000);
});

Deno.test("typed serials become the stored form", () => {
  const cases: [string, string][] = [
    ["1", "01"],
    ["0x0ff", "FF"],
    ["0X00ff", "FF"],
    ["00", "00"],
    ["0100", "0100"],
    ["ab:cd", "ABCD"],
    [" 7f ", "7F"],
  ];
  for (const [typed, stored] of cases) eq(normalizeSerial(typed), stored, typed);
  for (const bad of ["", "0x", "xyz", "-1", "1".repeat(129)]) throws(() => normalizeSerial(bad), InputError, bad);
});

Deno.test("serials as INTEGER, at the edges of 20 octets", () => {
  eq(encodeHex(encodeSerial("7F")), "02017f");
  eq(encodeHex(encodeSerial("80")), "02020080");
  ok(encodeSerial("7F" + "00".repeat(19)));
  // 160 bits with the top bit set are 21 octets of content.
  throws(() => encodeSerial("80" + "00".repeat(19)), /serial number/);
  throws(() => encodeSerial("00"), /above zero/);
});

Deno.test("foreign serials are read", () => {
  const cases: [string, string][] = [["00", "00"], ["0080", "80"], ["ff", "-01"], ["80", "-80"], ["ff00", "-0100"]];
  for (const [content, hex] of cases) eq(serialHex(Uint8Array.fromHex(content)), hex, content);
  throws(() => serialHex(new Uint8Array(65)), InputError);
});
