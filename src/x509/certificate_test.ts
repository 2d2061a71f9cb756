import { deepStrictEqual as eq, ok, rejects, throws } from "node:assert/strict";
import { issue, leafExtensions, testKey } from "../../tests/support/pki.ts";
import { defaultScheme, findSchemeRow } from "../alg/find.ts";
import { integer, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes, encodeHex, encodePem } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import {
  basicConstraints,
  certificatePem,
  commonName,
  fingerprint,
  keyUsage,
  parseCertificate,
  readCertificates,
  subjectAltNames,
  subjectKeyId,
} from "./certificate.ts";
import { lintTbs } from "./lint.ts";
import { encodeName, parseNameText } from "./name.ts";
import { signCertificate } from "./sign.ts";
import { buildTbsCertificate, encodeTbs, type TbsSpec } from "./tbs.ts";

/** The key of RFC 7093 section 3, whose method 1 identifier the RFC states. */
const RFC7093_SPKI = Uint8Array.fromHex(
  "3059301306072a8648ce3d020106082a8648ce3d030107034200047f7f35a79794c950060b8029fc8f363a28f11159692d9d34e6ac9481" +
    "90434735f833b1a66652dc514337aff7f5c9c75d670c019d95a5d639b72744c64a9128bb",
);

function goldenSpec(): TbsSpec {
  return {
    serial: "0102030405060708090A0B0C0D0E0F10",
    issuer: encodeName(parseNameText("C=FR,CN=CA")),
    subject: parseNameText("CN=host.test"),
    notBefore: new Date("2026-01-02T03:04:05.999Z"),
    notAfter: new Date("2050-01-01T00:00:00Z"),
    spki: RFC7093_SPKI,
    scheme: findSchemeRow("ecdsa-sha256"),
    extensions: leafExtensions("host.test", { basicConstraints: { critical: true, ca: false } }),
    authorityKeyId: new Uint8Array(20).fill(0xab),
  };
}

Deno.test("golden DER of a TBSCertificate", async () => {
  const { der } = await buildTbsCertificate(goldenSpec());
  const expected = [
    "3082014a", // TBSCertificate
    "a003020102", // v3
    "02100102030405060708090a0b0c0d0e0f10",
    "300a06082a8648ce3d040302", // ecdsa-with-SHA256, no parameters
    "301a310b3009060355040613024652310b300906035504030c024341", // C PrintableString, CN UTF8String
    "3020170d3236303130323033303430355a180f32303530303130313030303030305a", // UTCTime, from 2050 GeneralizedTime
    "30143112301006035504030c09686f73742e74657374",
    encodeHex(RFC7093_SPKI),
    "a3763074",
    "301d0603551d0e04160414bf37b3e5808fd46d54b28e846311bcce1cad2e1a", // subjectKeyIdentifier, RFC 7093 method 1
    "301f0603551d23041830168014" + "ab".repeat(20), // authorityKeyIdentifier, keyIdentifier alone
    "300c0603551d130101ff04023000", // cA FALSE left out
    "300e0603551d0f0101ff040403020780",
    "30140603551d11040d300b8209686f73742e74657374", // not critical: left out
  ];
  eq(encodeHex(der), expected.join(""));
});

Deno.test("the part that an alternative signature covers has no signature field", async () => {
  const tbs = await buildTbsCertificate(goldenSpec());
  const whole = encodeHex(encodeTbs(tbs));
  const without = encodeHex(encodeTbs(tbs, { omitSignature: true }));
  eq(whole, encodeHex(tbs.der));
  eq(without.slice(8), whole.slice(8).replace("300a06082a8648ce3d040302", ""));
});

const SPEC_ERRORS: [name: string, change: Partial<TbsSpec>, message: RegExp][] = [
  ["serial zero", { serial: "00" }, /serial number/],
  ["serial of 21 octets", { serial: "80" + "00".repeat(19) }, /serial number/],
  ["year 10000", { notAfter: new Date("+010000-01-01T00:00:00Z") }, /1950 to 9999/],
  ["year 1949", { notBefore: new Date("1949-12-31T23:59:59Z") }, /1950 to 9999/],
  ["no date", { notBefore: new Date(NaN) }, /1950 to 9999/],
  ["issuer that is no name", { issuer: Uint8Array.of(5, 0) }, /Name is NULL/],
  ["subject that is no name", { subject: Uint8Array.of(0x30, 1, 0) }, /DER/],
  ["key that is none", { spki: Uint8Array.of(0x30, 0) }, /SubjectPublicKeyInfo/],
  ["own SKI in custom", {
    extensions: { custom: [{ oid: "2.5.29.14", critical: false, value: Uint8Array.of(4, 0) }] },
  }, /twice/],
];

Deno.test("values that no certificate can hold", async () => {
  for (const [name, change, message] of SPEC_ERRORS) {
    await rejects(
      buildTbsCertificate({ ...goldenSpec(), ...change }),
      (e) => e instanceof InputError && message.test(e.message),
      name,
    );
  }
});

Deno.test("fields of a parsed certificate are the original bytes", async () => {
  const root = await issue({ name: "CN=Root,O=x" });
  const { certificate } = await issue({ name: "O=y,CN=leaf", issuer: root });
  eq(certificate.version, 3);
  eq(certificate.issuer, root.certificate.subject);
  eq(commonName(certificate.subject), "leaf");
  eq(keyUsage(certificate), ["digitalSignature"]);
  eq(keyUsage(root.certificate), ["keyCertSign", "cRLSign"]);
  eq(basicConstraints(root.certificate), { ca: true });
  eq(basicConstraints(certificate), undefined);
  eq(subjectAltNames(certificate), [{ type: "dns", value: "host.test" }]);
  eq(subjectKeyId(certificate)?.length, 20);
  eq((await fingerprint(certificate)).length, 64);
  ok(encodeHex(certificate.der).includes(encodeHex(certificate.tbs)));
});

Deno.test("signing: scheme and signature are checked before anything comes out", async () => {
  const key = await testKey("ecdsa-p256");
  const other = await testKey("ecdsa-p256", "other");
  const scheme = defaultScheme(key.algorithm);
  const linted = lintTbs(await buildTbsCertificate({ ...goldenSpec(), scheme }));
  const wrong = key.signer(findSchemeRow("ecdsa-sha384"));
  await rejects(
    signCertificate(linted, wrong),
    (e) => e instanceof OperationError && e.code === "sign.scheme_mismatch",
  );
  const broken = { ...key.signer(scheme), algorithm: key.algorithm, scheme, spki: key.spki };
  const lying = { ...broken, sign: (message: Uint8Array) => other.signer(scheme).sign(message) };
  await rejects(signCertificate(linted, lying), (e) => e instanceof OperationError && e.code === "sign.verify_failed");
  const truncated = { ...broken, sign: () => Promise.resolve(new Uint8Array()) };
  await rejects(signCertificate(linted, truncated), /does not verify/);
});

/** Replaces one occurrence of hex, and mends the lengths of the two outer SEQUENCEs. */
function edited(der: Bytes, from: string, to: string): Bytes {
  const hex = encodeHex(der);
  ok(hex.split(from).length === 2, `"${from}" is not there once`);
  const grown = (to.length - from.length) / 2;
  const lengthAt = (at: number) => parseInt(hex.slice(at, at + 4), 16) + grown;
  const pad = (n: number) => n.toString(16).padStart(4, "0");
  const body = hex.slice(16).replace(from, to);
  return Uint8Array.fromHex(`3082${pad(lengthAt(4))}3082${pad(lengthAt(12))}${body}`);
}

Deno.test("certificates that are not as RFC 5280 has them are refused", async () => {
  const { certificate: { der } } = await issue({
    name: "CN=Strict",
    serial: "0123456789ABCDEF0123456789ABCDEF",
    notBefore: new Date("2026-01-02T03:04:05Z"),
    notAfter: new Date("2026-03-02T03:04:05Z"),
  });
  ok(parseCertificate(der));
  const cases: [name: string, from: string, to: string, message: RegExp][] = [
    ["version 4", "a003020102", "a003020103", /version 4/],
    ["explicit version 1", "a003020102", "a003020100", /version 1/],
    ["v1 with extensions", "a003020102", "", /version 1 certificate has extensions/],
    ["serial padded", "0210012345", "0210000045", /shortest form/],
    ["fraction of a second", "170d3236303130323033303430355a", "170d323630313032303330342e355a", /UTCTime/],
    ["no Z", "170d3236303130323033303430355a", "170d32363031303230333034303530", /UTCTime/],
    ["31 February", "170d3236303330323033303430355a", "170d3236303233313033303430355a", /UTCTime/],
    ["criticality 01", "0603551d130101ff", "0603551d13010101", /BOOLEAN/],
    ["basicConstraints twice", "0603551d0f0101ff", "0603551d130101ff", /there twice/],
    [
      "stray NULL in the inner algorithm",
      "300a06082a8648ce3d0403023011",
      "300c06082a8648ce3d04030205003011",
      /differs/,
    ],
  ];
  for (const [name, from, to, message] of cases) {
    throws(
      () => parseCertificate(edited(der, from, to)),
      (e) => e instanceof InputError && e.code === "certificate.invalid" && message.test(e.message),
      name,
    );
  }
  throws(() => parseCertificate(concatBytes(der, Uint8Array.of(0))), /follow the end/);
  throws(() => parseCertificate(sequence(integer(1))), (e) => e instanceof InputError && e.offset !== undefined);
});

Deno.test("files: bundles, text between, DER, and what is wrong with the others", async () => {
  const a = (await issue({ name: "CN=A" })).certificate;
  const b = (await issue({ name: "CN=B" })).certificate;
  const bytes = (text: string) => new TextEncoder().encode(text);
  const bundle = `subject=A\n${certificatePem(a)}\ntext\r\n${certificatePem(b).replaceAll("\n", "\r\n")}`;
  eq(readCertificates(bytes(bundle)).map((c) => c.der), [a.der, b.der]);
  eq(readCertificates(a.der).map((c) => c.der), [a.der]);
  const mixed = encodePem("PRIVATE KEY", Uint8Array.of(1)) + certificatePem(a);
  eq(readCertificates(bytes(mixed)).length, 1);
  const cases: [content: Uint8Array, message: RegExp][] = [
    [bytes(""), /empty/],
    [bytes("hello"), /neither PEM nor DER/],
    [bytes(encodePem("PRIVATE KEY", Uint8Array.of(1))), /has no "CERTIFICATE" block, only PRIVATE KEY/],
    [bytes(certificatePem(a).slice(0, 300)), /no end line/],
    [bytes(certificatePem(a).replace("MII", "M!I")), /invalid character/],
    [bytes(encodePem("CERTIFICATE", a.der.subarray(0, 100))), /truncated/],
    [a.der.subarray(0, a.der.length - 1), /truncated/],
  ];
  for (const [content, message] of cases) {
    throws(
      () => readCertificates(content, "x.pem"),
      (e) =>
        e instanceof InputError && e.code === "certificate.invalid" && e.file === "x.pem" && message.test(e.message),
      String(message),
    );
  }
});

Deno.test("building and checking a certificate costs well under 0.3 ms", async () => {
  const spec = goldenSpec();
  for (let i = 0; i < 300; i++) lintTbs(await buildTbsCertificate(spec));
  let best = Infinity;
  // The best of several rounds: other processes share this machine.
  for (let round = 0; round < 10; round++) {
    const start = performance.now();
    for (let i = 0; i < 50; i++) lintTbs(await buildTbsCertificate(spec));
    best = Math.min(best, (performance.now() - start) / 50);
  }
  ok(best < 0.3, `${best.toFixed(3)} ms`);
});
