import { deepStrictEqual as eq, ok, throws } from "node:assert/strict";
import { readDer } from "../../asn1/der.ts";
import { encodeHex } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { parseNameText } from "../name.ts";
import type { GeneralName } from "../types.ts";
import {
  encodeGeneralName,
  encodeGeneralNames,
  formatGeneralName,
  type NameContext,
  readGeneralName,
} from "./general_name.ts";
import { absoluteUri, dnsName, emailAddress, uriHost } from "./host_names.ts";
import { formatIp, inRange, parseAnyRange, parseCidr, parseIp } from "./ip_address.ts";

const GOLDEN: [name: GeneralName, der: string, context?: NameContext][] = [
  [{ type: "dns", value: "a.test" }, "8206612e74657374"],
  [{ type: "email", value: "x@a.test" }, "810878" + "40612e74657374"],
  [{ type: "uri", value: "http://a.test/" }, "860e" + "687474703a2f2f612e746573742f"],
  [{ type: "ip", value: "10.1.2.3" }, "87040a010203"],
  [{ type: "ip", value: "2001:db8::1" }, "871020010db8000000000000000000000001"],
  [{ type: "registeredId", value: "1.2.3" }, "88022a03"],
  [{ type: "directory", value: parseNameText("CN=a") }, "a40e300c310a300806035504030c0161"],
  [{ type: "other", oid: "1.2.3", value: Uint8Array.of(0x0c, 1, 0x61) }, "a00906022a03a0030c0161"],
  [{ type: "ip", value: "10.0.0.0/8" }, "87080a000000ff000000", "constraint"],
  [{ type: "ip", value: "fc00::/7" }, "8720fc" + "00".repeat(15) + "fe" + "00".repeat(15), "constraint"],
  [{ type: "dns", value: ".a.test" }, "82072e612e74657374", "constraint"],
];

Deno.test("golden DER of each kind of general name, and back", () => {
  for (const [name, der, context] of GOLDEN) {
    eq(encodeHex(encodeGeneralName(name, context)), der, formatGeneralName(name));
    eq(readGeneralName(readDer(Uint8Array.fromHex(der)), context), name);
  }
});

Deno.test("DNS names: internationalised ones become A-labels, invalid ones are refused", () => {
  eq(dnsName("bücher.test"), "xn--bcher-kva.test");
  eq(dnsName("*.BÜCHER.test"), "*.xn--bcher-kva.test");
  eq(dnsName("Host-1.Test"), "Host-1.Test");
  eq(dnsName("localhost"), "localhost");
  const bad = [
    "",
    "a..b",
    ".a",
    "a.",
    "-a.test",
    "a-.test",
    "a b",
    "10.0.0.1",
    "::1",
    "a/b",
    "f*.test",
    "*",
    "*.*.test",
  ];
  for (
    const name of [...bad, "x".repeat(64) + ".test", ("a".repeat(60) + ".").repeat(5) + "b", "ü/x.test", "ü\u0000.test"]
  ) {
    throws(() => dnsName(name), InputError, name);
  }
});

Deno.test("e-mail addresses and URIs", () => {
  eq(emailAddress("a.b+c@bücher.test"), "a.b+c@xn--bcher-kva.test");
  for (const bad of ["a", "@a.test", "a@", "é@a.test", "a b@c.test", "a@*.test", "a@b@c d"]) {
    throws(() => emailAddress(bad), InputError, bad);
  }
  eq(absoluteUri("http://a.test/x?y=1#z"), "http://a.test/x?y=1#z");
  eq(absoluteUri("urn:uuid:00000000-0000-0000-0000-000000000000"), "urn:uuid:00000000-0000-0000-0000-000000000000");
  eq(absoluteUri("ldap://[::1]/cn=a?b"), "ldap://[::1]/cn=a?b");
  eq(absoluteUri("http://bücher.test/é"), "http://xn--bcher-kva.test/%C3%A9");
  for (const bad of ["a.test/x", "http:", "http:///x", "http://a.test/ x", "http://a/%zz", "http://a/<x>", "//a"]) {
    throws(() => absoluteUri(bad), InputError, bad);
  }
  eq(uriHost("https://u:p@a.test:8443/x"), "a.test");
  eq(uriHost("urn:x:y"), undefined);
});

Deno.test("IP addresses: strict text, canonical printing", () => {
  const good: [string, string][] = [
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["::ffff:10.0.0.1", "::ffff:a00:1"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6::", "1:2:3:4:5:6::"],
  ];
  for (const [text, printed] of good) eq(formatIp(parseIp(text)!), printed, text);
  const bad = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "256.1.1.1",
    "1.2.3.4 ",
    "0x1.2.3.4",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
  ];
  for (
    const text of [...bad, "1:2:3:4:5:6:7:8:9", "::12345", "fe80::1%eth0", "1.2.3.4::", "::1.2.3", "1:2:3:4:5:6:7::8"]
  ) {
    eq(parseIp(text), undefined, text);
  }
});

Deno.test("IP ranges", () => {
  eq(encodeHex(parseCidr("10.0.0.0/8")!), "0a000000ff000000");
  eq(encodeHex(parseCidr("10.0.0.0/255.0.0.0")!), "0a000000ff000000");
  eq(encodeHex(parseCidr("10.1.2.3")!), "0a010203ffffffff");
  eq(encodeHex(parseCidr("0.0.0.0/0")!), "0000000000000000");
  for (const bad of ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "10.0.0.0/08", "10.0.0.0/", "/8", "::/129"]) {
    eq(parseCidr(bad), undefined, bad);
  }
  const range = parseAnyRange("10.0.0.5/255.0.255.0")!;
  ok(inRange(parseIp("10.9.0.7")!, range));
  ok(!inRange(parseIp("10.9.1.7")!, range));
  ok(!inRange(parseIp("::1")!, range));
});

Deno.test("a name given twice is written once", () => {
  const names: GeneralName[] = [
    { type: "dns", value: "a.test" },
    { type: "dns", value: "A.test" },
    { type: "dns", value: "b.test" },
    { type: "ip", value: "::1" },
    { type: "ip", value: "0:0:0:0:0:0:0:1" },
  ];
  eq(readDer(encodeGeneralNames(names)).children.length, 3);
});

Deno.test("malformed general names are typed errors", () => {
  const bad = ["8702" + "0a01", "a200", "8900", "0c0161", "a403300100", "a0020500", "8201ff", "8800", "880180"];
  for (const hex of bad) throws(() => readGeneralName(readDer(Uint8Array.fromHex(hex))), InputError, hex);
});
