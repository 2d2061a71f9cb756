import assert from "node:assert/strict";
import { InputError } from "../errors.ts";
import { decodeHex, encodeHex } from "../bytes.ts";
import * as der from "./der.ts";

function hex(text: string): Uint8Array {
  return decodeHex(text.replaceAll(" ", ""));
}

function refuses(text: string, reason: RegExp, limits?: der.DerLimits): void {
  assert.throws(() => der.readDer(hex(text), limits), (error: unknown) => {
    assert.ok(error instanceof InputError);
    assert.equal(error.code, "der.invalid");
    assert.match(error.message, reason);
    assert.equal(typeof error.offset, "number");
    return true;
  });
}

Deno.test("readDer refuses what is not DER", () => {
  const cases: [string, RegExp][] = [
    ["", /offset 0: truncated/],
    ["30", /truncated/],
    ["3001", /goes beyond the end/],
    ["3080 0500 0000", /indefinite length/],
    ["308100", /shortest form/],
    ["30820005 0500050005", /shortest form/],
    ["30817f" + "05".padEnd(254, "0"), /shortest form/],
    ["3087 01000000000000", /more than 6 octets/],
    ["3086 ffffffffffff", /goes beyond the end/],
    ["0500 00", /1 bytes follow/],
    ["0501 00", /NULL with content/],
    ["0000", /end-of-contents/],
    ["1000", /SEQUENCE is encoded primitive/],
    ["2203 020100", /INTEGER is encoded constructed/],
    ["2403 040100", /OCTET_STRING is encoded constructed/],
    ["010101", /BOOLEAN/],
    ["0100", /BOOLEAN/],
    ["01020000", /BOOLEAN/],
    ["0200", /INTEGER without content/],
    ["02020001", /INTEGER is not in its shortest form/],
    ["0202ff80", /INTEGER is not in its shortest form/],
    ["0a020001", /INTEGER is not in its shortest form/],
    ["0300", /unused bits/],
    ["030101", /unused bits/],
    ["03020800", /unused bits/],
    ["03020101", /not zero/],
    ["0600", /empty/],
    ["06028001", /shortest form/],
    ["060181", /ends within an arc/],
    ["1f1e00", /tag number/],
    ["1f801f00", /tag number/],
    ["1fffffffff7f00", /tag number/],
    ["1f", /tag number/],
  ];
  for (const [text, reason] of cases) {
    refuses(text, reason);
  }
  refuses("06820101" + "01".repeat(257), /oversized/);
});

Deno.test("readDer bounds nesting", () => {
  let nested = der.nullDer();
  for (let i = 0; i < 63; i++) nested = der.sequence(nested);
  assert.ok(der.readDer(nested));
  refuses(encodeHex(der.sequence(nested)), /nested too deeply/);
  refuses("3002 0500", /nested too deeply/, { maxDepth: 1 });
  let deep = der.nullDer();
  for (let i = 0; i < 20_000; i++) deep = i < 5000 ? der.sequence(deep) : deep;
  refuses(encodeHex(deep), /nested too deeply/);
});

Deno.test("an offset points at the fault", () => {
  assert.throws(() => der.readDer(hex("300a 0201 01 3005 0101 01 0500")), (error: unknown) => {
    assert.equal((error as InputError).offset, 9);
    return true;
  });
});

Deno.test("integers go both ways", () => {
  const cases: [bigint | number, string][] = [
    [0, "020100"],
    [127, "02017f"],
    [128, "02020080"],
    [255n, "020200ff"],
    [256, "02020100"],
    [-1, "0201ff"],
    [-128, "020180"],
    [-129, "0202ff7f"],
    [-256n, "0202ff00"],
    [2n ** 64n, "0209010000000000000000"],
  ];
  for (const [value, expected] of cases) {
    const encoded = der.integer(value);
    assert.equal(encodeHex(encoded), expected);
    assert.equal(der.readInteger(der.readDer(encoded)), BigInt(value));
  }
  assert.equal(encodeHex(der.integer(hex("0000ff"))), "020200ff");
  assert.equal(encodeHex(der.integer(new Uint8Array())), "020100");
  assert.equal(encodeHex(der.readUnsigned(der.readDer(hex("020200ff")))), "ff");
  assert.throws(() => der.readUnsigned(der.readDer(hex("0201ff"))), /negative/);
  assert.throws(() => der.readSmallInteger(der.readDer(hex("0201ff"))), /not from 0/);
  assert.throws(() => der.readSmallInteger(der.readDer(der.integer(2n ** 40n))), /not from 0/);
  assert.throws(() => der.readInteger(der.readDer(der.integer(new Uint8Array(9000).fill(1)))), /9002|9000 octets/);
  assert.throws(() => der.integer(0.5), /whole number/);
  assert.throws(() => der.integer(2 ** 60), /whole number/);
});

Deno.test("object identifiers go both ways", () => {
  const cases: [string, string][] = [
    ["2.5.4.3", "0603550403"],
    ["1.2.840.113549.1.1.1", "06092a864886f70d010101"],
    ["2.999.3", "0603883703"],
    ["0.0", "060100"],
    ["1.39", "06014f"],
    ["2.0", "060150"],
    ["2.25.340282366920938463463374607431768211455", "06146983ffffffffffffffffffffffffffffffffff7f"],
  ];
  for (const [dotted, expected] of cases) {
    assert.equal(encodeHex(der.oid(dotted)), expected);
    assert.equal(der.readOid(der.readDer(hex(expected))), dotted);
  }
  for (const bad of ["", "1", "3.1", "1.40", "0.40", "1..2", "1.2.", "1.02", "a.b", "2.5.4.3 ", "1.2.-3"]) {
    assert.throws(() => der.oid(bad), (e: unknown) => (e as InputError).code === "oid.invalid", bad);
  }
});

Deno.test("strings: what each type may hold", () => {
  assert.equal(der.readString(der.readDer(der.utf8String("Zoë ☃ 🙂"))), "Zoë ☃ 🙂");
  assert.equal(der.readString(der.readDer(der.printableString("A-1 (x)"))), "A-1 (x)");
  assert.equal(der.readString(der.readDer(hex("1e04 0041 2603"))), "A☃");
  assert.equal(der.readString(der.readDer(hex("1c04 0001f642"))), "🙂");
  assert.equal(der.readString(der.readDer(hex("1402 41e9"))), "Aé");
  assert.throws(() => der.printableString("a*b"), /PrintableString/);
  assert.throws(() => der.ia5String("é"), /ASCII/);
  assert.throws(() => der.utf8String("\ud800"), /surrogate/);
  for (const bad of ["0c01 ff", "1301 80", "1601 80", "1e01 41", "1c03 000041", "1c04 00110000", "1c04 0000d800"]) {
    assert.throws(
      () => der.readString(der.readDer(hex(bad))),
      (e: unknown) => (e as InputError).code === "der.invalid",
    );
  }
  assert.throws(() => der.readString(der.readDer(hex("0401 41"))), /OCTET_STRING where/);
  assert.throws(() => der.readString(undefined, "commonName"), /commonName is missing/);
});

Deno.test("times: UTCTime through 2049, real dates only", () => {
  const cases: [string, string][] = [
    ["1950-01-01T00:00:00Z", "500101000000Z"],
    ["2049-12-31T23:59:59Z", "491231235959Z"],
    ["2050-01-01T00:00:00Z", "20500101000000Z"],
    ["1949-12-31T23:59:59Z", "19491231235959Z"],
    ["9999-12-31T23:59:59Z", "99991231235959Z"],
    ["2024-02-29T12:00:00Z", "240229120000Z"],
  ];
  for (const [iso, text] of cases) {
    const encoded = der.time(new Date(iso));
    const node = der.readDer(encoded);
    assert.equal(new TextDecoder().decode(node.content), text);
    assert.equal(der.readTime(node).getTime(), Date.parse(iso));
  }
  assert.equal(der.readTime(der.readDer(der.generalizedTime(new Date("2020-05-05")))).getUTCFullYear(), 2020);
  for (const text of ["230229120000Z", "231301000000Z", "230101240000Z", "2301010000Z", "230101000000+0100", ""]) {
    assert.throws(() => der.readTime(der.readDer(timeDer(23, text))), /not a valid UTCTime/, text);
  }
  for (const text of ["20230229120000Z", "20230101000000.5Z", "20230101000000", "2023010100Z"]) {
    assert.throws(() => der.readTime(der.readDer(timeDer(24, text))), /not a valid GeneralizedTime/, text);
  }
  assert.throws(() => der.time(new Date(NaN)), /years 0 to 9999/);
  assert.throws(() => der.time(new Date("+010000-01-01T00:00:00Z")), /years 0 to 9999/);
});

function timeDer(tag: number, text: string): Uint8Array {
  return Uint8Array.of(tag, text.length, ...new TextEncoder().encode(text));
}

Deno.test("bit strings and named bit lists", () => {
  assert.equal(encodeHex(der.namedBits([0])), "03020780");
  assert.equal(encodeHex(der.namedBits([5, 6])), "03020106");
  assert.equal(encodeHex(der.namedBits([0, 8])), "0303078080");
  assert.equal(encodeHex(der.namedBits([])), "030100");
  assert.deepEqual(der.readNamedBits(der.readDer(hex("0303078080"))), [0, 8]);
  assert.deepEqual(der.readBitString(der.readDer(hex("03020780"))), { bytes: hex("80"), unused: 7 });
  assert.throws(() => der.readBitOctets(der.readDer(hex("03020780")), "signature"), /signature is not a whole/);
  assert.throws(() => der.bitString(Uint8Array.of(1), 1), /must be zero/);
  assert.throws(() => der.bitString(new Uint8Array(), 1), /must be zero/);
});

Deno.test("sets are sorted, tags wrap and replace", () => {
  assert.equal(
    encodeHex(der.setOf(der.integer(300), der.integer(2), der.nullDer())),
    "3109 020102 0202012c 0500".replaceAll(" ", ""),
  );
  assert.equal(encodeHex(der.explicit(3, der.nullDer())), "a3020500");
  assert.equal(encodeHex(der.implicit(1, der.octetString(hex("aa")))), "8101aa");
  assert.equal(encodeHex(der.implicit(0, der.sequence(der.nullDer()))), "a0020500");
  const long = der.implicit(2, der.octetString(new Uint8Array(300)));
  assert.equal(encodeHex(long.subarray(0, 4)), "8282012c");
  assert.equal(long.length, 304);
  const high = der.tlv({ class: "context", number: 200, constructed: false }, [hex("aa")]);
  assert.equal(encodeHex(high), "9f814801aa");
  assert.ok(der.readDer(high).isContext(200));
});

Deno.test("fields are taken in order", () => {
  const node = der.readDer(der.sequence(der.explicit(0, der.integer(2)), der.integer(5), der.boolean(true)));
  const fields = new der.DerFields(node, "Thing");
  assert.equal(fields.optionalContext(1), undefined);
  assert.equal(der.readInteger(der.expectExplicit(fields.optionalContext(0), 0, "version")), 2n);
  assert.equal(fields.optional(der.TAG.BOOLEAN), undefined);
  assert.equal(der.readSmallInteger(fields.next("number")), 5);
  assert.throws(() => fields.end(), /Thing has an unexpected BOOLEAN/);
  assert.equal(der.readBoolean(fields.next("flag")), true);
  fields.end();
  assert.throws(() => fields.next("more"), /Thing lacks more/);
  assert.throws(() => new der.DerFields(der.readDer(der.nullDer()), "Thing"), /Thing is NULL where SEQUENCE/);
});

Deno.test("nodes are views of the input and lists may be long", () => {
  const parts = Array.from({ length: 200_000 }, (_, i) => der.integer(i));
  const all = der.sequenceOf(parts);
  const node = der.readDer(all);
  assert.equal(node.children.length, parts.length);
  assert.equal(node.raw.buffer, all.buffer);
  assert.equal(node.children, node.children);
  assert.equal(der.readSmallInteger(node.children[199_999]), 199_999);
});

Deno.test("hostile input ends soon: a folder of empty elements makes no nodes", () => {
  const many = der.sequence(new Uint8Array(8_000_000).fill(0).map((_, i) => i % 2 === 0 ? 5 : 0));
  const start = performance.now();
  assert.ok(der.readDer(many));
  assert.ok(performance.now() - start < 5000);
});

Deno.test("every truncation and every bit flip gives a node or an InputError", () => {
  const sample = der.sequence(
    der.explicit(0, der.integer(2)),
    der.sequence(der.oid("1.2.840.10045.4.3.2"), der.nullDer()),
    der.setOf(der.sequence(der.oid("2.5.4.3"), der.utf8String("Zoë"))),
    der.sequence(der.time(new Date("2024-01-01")), der.time(new Date("2060-01-01"))),
    der.bitString(hex("0102030405060780"), 4),
    der.explicit(3, der.sequence(der.boolean(true), der.octetString(new Uint8Array(200)))),
  );
  let refused = 0;
  for (let length = 0; length < sample.length; length++) {
    assert.throws(() => der.readDer(sample.subarray(0, length)), InputError);
  }
  for (let bit = 0; bit < sample.length * 8; bit++) {
    const flipped = sample.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      walk(der.readDer(flipped));
    } catch (error) {
      assert.ok(error instanceof InputError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 100);
});

/** Reads every value by its own type, as a caller would. */
function walk(node: der.DerNode): void {
  assert.equal(node.raw.length, node.headerLength + node.content.length);
  for (const child of node.children) walk(child);
  if (node.is(der.TAG.OID)) der.readOid(node);
  if (node.is(der.TAG.UTC_TIME) || node.is(der.TAG.GENERALIZED_TIME)) der.readTime(node);
  if (node.is(der.TAG.UTF8_STRING)) der.readString(node);
  if (node.is(der.TAG.INTEGER)) der.readInteger(node);
}
