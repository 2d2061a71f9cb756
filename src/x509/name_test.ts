import { deepStrictEqual as eq, ok, throws } from "node:assert/strict";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { issue } from "../../tests/support/pki.ts";
import { encodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { certificatePem } from "./certificate.ts";
import {
  commonName,
  decodeName,
  encodeName,
  formatName,
  formatOneLine,
  isWithin,
  nameAttribute,
  parseNameText,
  sameName,
} from "./name.ts";
import type { NameEncoding } from "./types.ts";

Deno.test("each attribute gets the string type of the standard", () => {
  const tagOf = (type: string, value: string) =>
    encodeHex(encodeName([[nameAttribute(type, value)]])).slice(-4 - 2 * value.length, -2 - 2 * value.length);
  eq(tagOf("CN", "abc"), "0c");
  eq(tagOf("C", "FR"), "13");
  eq(tagOf("serialNumber", "77"), "13");
  eq(tagOf("dnQualifier", "77"), "13");
  eq(tagOf("emailAddress", "a@b.test"), "16");
  eq(tagOf("DC", "test"), "16");
  eq(nameAttribute("commonName", "a"), { type: "2.5.4.3", value: "a", encoding: "utf8" });
  eq(nameAttribute("1.2.3.4", "a").type, "1.2.3.4");
});

Deno.test("golden DER of a name, with a multi-valued set sorted", () => {
  const name = [[nameAttribute("C", "FR")], [nameAttribute("OU", "b"), nameAttribute("CN", "a")]];
  eq(
    encodeHex(encodeName(name)),
    "3023310b300906035504061302465231143008060355040" + "30c01613008060355040b0c0162",
  );
  eq(encodeHex(encodeName([])), "3000");
});

const REFUSED: [type: string, value: string, encoding: NameEncoding | undefined, message: RegExp][] = [
  ["C", "FRA", undefined, /3 characters are more than the 2/],
  ["C", "F", undefined, /1 characters are fewer than the 2/],
  ["C", "FR", "utf8", /is a PrintableString, not a UTF8String/],
  ["CN", "", undefined, /empty/],
  ["CN", "x".repeat(65), undefined, /65 characters are more than the 64/],
  ["CN", "a@b", "printable", /PrintableString has no such character/],
  ["CN", "é", "ia5", /only ASCII/],
  ["serialNumber", "a_b", undefined, /PrintableString has no such character/],
  ["emailAddress", "é@b.test", undefined, /only ASCII/],
  ["CN", "\ud800", undefined, /lone surrogate/],
  ["commonname2", "x", undefined, /neither a known name nor a dotted OID/],
];

Deno.test("attributes that cannot be written are refused", () => {
  for (const [type, value, encoding, message] of REFUSED) {
    throws(() => nameAttribute(type, value, encoding), (e) => e instanceof InputError && message.test(e.message), type);
  }
  // Bounds are characters, not bytes or UTF-16 units.
  ok(nameAttribute("CN", "é".repeat(64)));
  ok(nameAttribute("CN", "\u{1f600}".repeat(64)));
  throws(() => encodeName([[]]), /no attribute/);
  throws(() => encodeName([[{ type: "2.5.4.6", value: "FRA", encoding: "printable" }]]), InputError);
});

const TEXTS: [text: string, printed: string, oneLine: string][] = [
  ["CN=a,O=b", "CN=a,O=b", "/CN=a/O=b"],
  ["CN = a , O = b c ", "CN=a,O=b c", "/CN=a/O=b c"],
  ["/C=FR/O=x/CN=y", "C=FR,O=x,CN=y", "/C=FR/O=x/CN=y"],
  ["CN=a\\,b+OU=c", "OU=c+CN=a\\,b", "/OU=c/CN=a,b"],
  ['O="Name, Inc.",CN=z', "O=Name\\, Inc.,CN=z", "/O=Name, Inc./CN=z"],
  ["CN=\\C3\\A9t\\C3\\A9", "CN=été", "/CN=\\xC3\\xA9t\\xC3\\xA9"],
  ["CN=a/b", "CN=a/b", "/CN=a\\/b"],
  ["CN=\\ a\\ ", "CN=\\ a\\ ", "/CN= a "],
  ["CN=\\#1", "CN=\\#1", "/CN=#1"],
  ["CN=#0c0161", "CN=a", "/CN=a"],
  ["OID.2.5.4.10=x", "O=x", "/O=x"],
  ["CN=a\\0Ab", "CN=a\\0ab", "/CN=a\\x0Ab"],
  ["cn=a;o=b", "CN=a,O=b", "/CN=a/O=b"],
  ["", "", ""],
];

Deno.test("name texts: read, printed, as one line, and back", () => {
  for (const [text, printed, oneLine] of TEXTS) {
    const der = encodeName(parseNameText(text));
    eq(formatName(der), printed, text);
    eq(formatOneLine(der), oneLine, text);
    ok(sameName(encodeName(parseNameText(printed)), der), text);
  }
  for (const bad of ["CN", "=a", "CN=a+", "CN=a,,O=b", 'CN="a', "CN=#zz", "FOO=a", "CN=\\FF\\FF"]) {
    throws(() => parseNameText(bad), InputError, bad);
  }
  eq(commonName(parseNameText("CN=a,O=b,CN=c")), "c");
  eq(commonName(parseNameText("O=b")), undefined);
});

Deno.test("a name cannot rearrange a terminal", () => {
  const name = [[nameAttribute("CN", "a\u202eb\u001b[31m\u0000")]];
  eq(formatName(name), "CN=a\\e2\\80\\aeb\\1b[31m\\00");
});

Deno.test("foreign string types are read", () => {
  const rdn = (tag: string, hex: string) => {
    const value = tag + (hex.length / 2).toString(16).padStart(2, "0") + hex;
    const atv = "0603550403" + value;
    const wrap = (t: string, body: string) => t + (body.length / 2).toString(16).padStart(2, "0") + body;
    return Uint8Array.fromHex(wrap("30", wrap("31", wrap("30", atv))));
  };
  eq(formatName(rdn("14", "e9")), "CN=é");
  eq(formatName(rdn("1e", "00e9")), "CN=é");
  eq(formatName(rdn("1c", "000000e9")), "CN=é");
  eq(formatName(rdn("03", "0080")), "CN=#03020080");
  throws(() => decodeName(rdn("13", "e9")), InputError);
  throws(() => decodeName(Uint8Array.fromHex("31003000")), InputError);
  throws(() => decodeName(Uint8Array.fromHex("30023100")), /empty/);
});

Deno.test("names compare without case and repeated space", () => {
  const der = (text: string) => encodeName(parseNameText(text));
  ok(sameName(der("CN=A  b,O=x"), der("CN=a B,O=X")));
  ok(!sameName(der("CN=a,O=x"), der("O=x,CN=a")));
  ok(!sameName(der("CN=a+O=x"), der("CN=a,O=x")));
  ok(sameName(der("CN=a+O=x"), der("O=X+CN=A")));
  const name = parseNameText("C=FR,O=x,CN=y");
  ok(isWithin(name, parseNameText("c=fr,O=X")));
  ok(!isWithin(name, parseNameText("O=x")));
  ok(isWithin(name, []));
});

testWith("OpenSSL prints the same one-line form", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const names = TEXTS.map(([text]) => text).filter((text) => text !== "" && !text.includes("+"));
  for (const text of names) {
    const { certificate } = await issue({ name: text });
    const file = tmp.write("a.pem", certificatePem(certificate));
    const { stdout } = new Deno.Command("openssl", {
      args: ["x509", "-in", file, "-noout", "-subject", "-nameopt", "compat"],
    }).outputSync();
    // OpenSSL 3.0 prints a slash within a value as it is here, and as \/ in index.txt.
    const printed = new TextDecoder().decode(stdout).replace(/^subject=/, "").trimEnd();
    eq(printed.replaceAll("\\/", "/"), formatOneLine(certificate.subject).replaceAll("\\/", "/").trimEnd(), text);
  }
});
