import { deepStrictEqual as eq, ok, throws } from "node:assert/strict";
import { encodeHex } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import type { ExtensionValues } from "../types.ts";
import { decodeExtension, encodeExtensionList, encodeExtensions, readExtensionList } from "./mod.ts";
import { readDer } from "../../asn1/der.ts";

interface Golden {
  readonly values: ExtensionValues;
  readonly oid: string;
  readonly der: string;
  readonly text: string[];
}

const GOLDEN: Record<string, Golden> = {
  "a leaf: cA FALSE is left out": {
    values: { basicConstraints: { critical: true, ca: false } },
    oid: "2.5.29.19",
    der: "3000",
    text: ["CA:FALSE"],
  },
  "a CA with a path length": {
    values: { basicConstraints: { critical: true, ca: true, pathLen: 0 } },
    oid: "2.5.29.19",
    der: "30060101ff020100",
    text: ["CA:TRUE, pathlen:0"],
  },
  "keyUsage without trailing zero bits": {
    values: { keyUsage: { critical: true, values: ["cRLSign", "keyCertSign"] } },
    oid: "2.5.29.15",
    der: "03020106",
    text: ["Certificate Sign, CRL Sign"],
  },
  "keyUsage with one bit": {
    values: { keyUsage: { critical: true, values: ["digitalSignature"] } },
    oid: "2.5.29.15",
    der: "03020780",
    text: ["Digital Signature"],
  },
  "keyUsage with the ninth bit": {
    values: { keyUsage: { critical: true, values: ["keyAgreement", "decipherOnly"] } },
    oid: "2.5.29.15",
    der: "0303070880",
    text: ["Key Agreement, Decipher Only"],
  },
  "extKeyUsage, once each": {
    values: { extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.1", "1.2.3"] } },
    oid: "2.5.29.37",
    der: "300e06082b0601050507030106022a03",
    text: ["serverAuth, 1.2.3"],
  },
  "certificatePolicies with both qualifiers": {
    values: {
      certificatePolicies: {
        critical: false,
        policies: [{ oid: "1.2.3", cps: "http://a/", userNotice: "hi" }, { oid: "2.5.29.32.0" }],
      },
    },
    oid: "2.5.29.32",
    der: "3039302f06022a033029301506082b060105050702011609687474703a2f2f612f301006082b0601050507020230" +
      "040c026869" + "3006060455" + "1d2000",
    text: ["Policy: 1.2.3", "  CPS: http://a/", "  User Notice: hi", "Policy: 2.5.29.32.0 (anyPolicy)"],
  },
  "crlDistributionPoints: one point for each URL, the CHOICE tagged EXPLICIT": {
    values: { crlDistributionPoints: { critical: false, urls: ["http://a/", "http://b/"] } },
    oid: "2.5.29.31",
    der: "3022300fa00da00b8609687474703a2f2f612f300fa00da00b8609687474703a2f2f622f",
    text: ["Full Name: URI:http://a/", "Full Name: URI:http://b/"],
  },
  "authorityInfoAccess": {
    values: { authorityInfoAccess: { ocsp: ["http://o/"], caIssuers: ["http://i/"] } },
    oid: "1.3.6.1.5.5.7.1.1",
    der: "302e301506082b060105050730018609687474703a2f2f6f2f301506082b060105050730028609687474703a2f2f692f",
    text: ["ocsp - URI:http://o/", "caIssuers - URI:http://i/"],
  },
  "nameConstraints: minimum 0 is left out": {
    values: {
      nameConstraints: {
        critical: true,
        permitted: [{ type: "dns", value: "a.test" }],
        excluded: [{ type: "ip", value: "10.0.0.0/8" }],
      },
    },
    oid: "2.5.29.30",
    der: "301aa00a30088206612e74657374a10c300a87080a000000ff000000",
    text: ["Permitted: DNS:a.test", "Excluded: IP:10.0.0.0/8"],
  },
  "ocspNoCheck": {
    values: { ocspNoCheck: { critical: false } },
    oid: "1.3.6.1.5.5.7.48.1.5",
    der: "0500",
    text: ["present"],
  },
  "qcStatements with every statement": {
    values: {
      qcStatements: {
        critical: false,
        qcCompliance: true,
        qcSscd: true,
        qcTypes: ["0.4.0.1862.1.6.1"],
        qcPds: [{ url: "https://a/", language: "en" }],
        qcRetentionYears: 15,
        qcLegislation: ["FR"],
      },
    },
    oid: "1.3.6.1.5.5.7.1.3",
    der: "3064" + "3008060604008e460101" + "300b060604008e46010302010f" + "3008060604008e460104" +
      "301c060604008e4601053012" + "3010160a68747470733a2f2f612f1302656e" + "3013060604008e46010630090607" +
      "04008e46010601" + "300e060604008e46010730041302" + "4652",
    text: [
      "qcCompliance",
      "qcRetentionPeriod: 15 years",
      "qcSSCD",
      "qcPDS: en: https://a/",
      "qcType: esign",
      "qcLegislation: FR",
    ],
  },
  "a custom extension": {
    values: { custom: [{ oid: "1.2.3.4", critical: true, value: Uint8Array.of(5, 0) }] },
    oid: "1.2.3.4",
    der: "0500",
    text: ["0500"],
  },
};

for (const [name, { values, oid, der, text }] of Object.entries(GOLDEN)) {
  Deno.test(`golden DER: ${name}`, () => {
    const [extension, ...more] = encodeExtensions(values);
    eq(more.length, 0);
    eq(extension!.oid, oid);
    eq(encodeHex(extension!.value), der);
    eq(decodeExtension(extension!).text, text);
    // JSON must be JSON.
    ok(JSON.stringify(decodeExtension(extension!).json));
  });
}

Deno.test("Extensions: critical FALSE is left out, order is kept, lists read back", () => {
  const list = encodeExtensions({ ...GOLDEN["ocspNoCheck"]!.values, ...GOLDEN["a custom extension"]!.values });
  const der = encodeExtensionList(list);
  eq(encodeHex(der), "301f300f06092b0601050507300105" + "04020500" + "300c06032a03040101ff04020500");
  eq(readExtensionList(readDer(der)), list);
});

const REFUSED: [name: string, values: ExtensionValues, message: RegExp][] = [
  ["empty keyUsage", { keyUsage: { critical: true, values: [] } }, /no bit/],
  ["empty extKeyUsage", { extKeyUsage: { critical: true, values: [] } }, /no purpose/],
  ["empty SAN", { subjectAltName: { critical: true, names: [] } }, /no name/],
  ["empty policies", { certificatePolicies: { critical: false, policies: [] } }, /no policy/],
  ["long notice", {
    certificatePolicies: { critical: false, policies: [{ oid: "1.2", userNotice: "x".repeat(201) }] },
  }, /201 characters/],
  ["empty CRLDP", { crlDistributionPoints: { critical: false, urls: [] } }, /no URL/],
  ["empty AIA", { authorityInfoAccess: { ocsp: [], caIssuers: [] } }, /no URL/],
  ["empty name constraints", { nameConstraints: { critical: true, permitted: [], excluded: [] } }, /no name/],
  ["host in constraint", {
    nameConstraints: { critical: true, permitted: [{ type: "ip", value: "10.0.0.1/8" }], excluded: [] },
  }, /not a network address/],
  ["negative path length", { basicConstraints: { critical: true, ca: true, pathLen: -1 } }, /path length/],
  ["bad OID", { extKeyUsage: { critical: false, values: ["serverAuth"] } }, /OID/],
  ["custom that is not DER", { custom: [{ oid: "1.2.3", critical: false, value: Uint8Array.of(1) }] }, /not DER/],
  ["custom of a stated extension", {
    keyUsage: { critical: true, values: ["cRLSign"] },
    custom: [{ oid: "2.5.29.15", critical: false, value: Uint8Array.of(5, 0) }],
  }, /twice/],
  ["language", {
    qcStatements: {
      critical: false,
      qcCompliance: false,
      qcSscd: false,
      qcTypes: [],
      qcPds: [{ url: "https://a/", language: "eng" }],
    },
  }, /language/],
];

Deno.test("values that cannot be encoded are refused", () => {
  for (const [name, values, message] of REFUSED) {
    throws(() => encodeExtensions(values), (e) => e instanceof InputError && message.test(e.message), name);
  }
});

Deno.test("malformed content of a known extension is shown, never thrown", () => {
  for (const { oid } of Object.values(GOLDEN)) {
    for (const hex of ["", "ff", "3003", "30020101", "0401", "3000", "0500", "3003020101", "a000"]) {
      const { text } = decodeExtension({ oid, critical: false, value: Uint8Array.fromHex(hex) });
      ok(text.length > 0 || hex === "3000");
    }
  }
});

Deno.test("extension lists that are not lists", () => {
  const cases: [hex: string, message: RegExp][] = [
    ["3000", /is empty/],
    ["3009300706032a03040500", /extnValue/],
    ["300d300b06032a0304" + "0101ff" + "0403", /truncated/],
    ["3016" + "300906032a030404020500" + "300906032a030404020500", /there twice/],
    ["3005300306012a", /lacks extnValue/],
  ];
  for (const [hex, message] of cases) {
    throws(() => readExtensionList(readDer(Uint8Array.fromHex(hex))), message, hex);
  }
});
