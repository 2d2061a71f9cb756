import { deepStrictEqual as eq, match, ok, rejects, throws } from "node:assert/strict";
import { caExtensions, crlOf, daysFromNow, issue, signerOf } from "../../tests/support/pki.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import {
  bitString,
  boolean,
  explicit,
  generalizedTime,
  integer,
  nullDer,
  octetString,
  oid,
  readDer,
  sequence,
  time,
} from "../asn1/der.ts";
import { type Bytes, concatBytes, encodeHex, encodePem } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { buildCrl, crlPem, describeCrl, parseCrl, readCrl, REVOCATION_REASONS, verifyCrl } from "./crl.ts";
import { encodeName, parseNameText } from "./name.ts";
import { generateSerial } from "./serial.ts";
import type { RevokedCertificate } from "./types.ts";

Deno.test("a CRL without revocations has no list, and is version 2 with key id and number", async () => {
  const root = await issue({ name: "CN=Root" });
  const crl = await crlOf(root, { number: "ff" });
  eq(crl.revoked, []);
  eq(crl.number, "FF");
  eq(crl.extensions.map(({ oid, critical }) => [oid, critical]), [["2.5.29.35", false], ["2.5.29.20", false]]);
  const fields = readDer(crl.tbs).children;
  // version, signature, issuer, thisUpdate, nextUpdate, [0]
  eq(fields.length, 6);
  eq(encodeHex(fields[0]!.raw), "020101");
  eq(await verifyCrl(crl, root.certificate), {
    valid: true,
    signatures: [{ subject: "CN=Root", scheme: "ECDSA-SHA256" }],
  });
});

Deno.test("entries keep their order; unspecified is not written", async () => {
  const root = await issue({ name: "CN=Root" });
  const reasons = REVOCATION_REASONS.filter((reason) => reason !== "removeFromCRL");
  const revoked: RevokedCertificate[] = reasons.map((reason, i) => ({
    serial: (0x90 - i).toString(16).toUpperCase(),
    revocationDate: new Date(`20${i % 2 ? 20 : 55}-01-0${1 + (i % 9)}T00:00:00Z`),
    reason,
  }));
  const crl = await crlOf(root, {
    revoked: [...revoked, { serial: "01", revocationDate: new Date("2024-02-29T23:59:59Z") }],
  });
  eq(crl.revoked.slice(1, -1), revoked.slice(1));
  eq(crl.revoked[0], { serial: "90", revocationDate: revoked[0]!.revocationDate });
  eq(crl.revoked.at(-1), { serial: "01", revocationDate: new Date("2024-02-29T23:59:59Z") });
  // privilegeWithdrawn is 9 here, not its bit in ReasonFlags.
  ok(encodeHex(crl.der).includes("300c300a0603551d1504030a0109"));
});

Deno.test("what no CRL can say is refused", async () => {
  const root = await issue({ name: "CN=Root" });
  const entry = { serial: "01", revocationDate: daysFromNow(0) };
  const cases: [spec: Parameters<typeof crlOf>[1], message: RegExp][] = [
    [{ nextUpdate: daysFromNow(-1) }, /nextUpdate is not after/],
    [{ issuer: encodeName([]) }, /issuer name is empty/],
    [{ number: "xyz" }, /hex/],
    [{ number: "80" + "00".repeat(19) }, /20 octets/],
    [{ revoked: [{ ...entry, reason: "removeFromCRL" }] }, /delta CRLs only/],
    [{ revoked: [{ ...entry, serial: "00" }] }, /serial/],
  ];
  for (const [spec, message] of cases) {
    await rejects(crlOf(root, spec), (e) => e instanceof InputError && message.test(e.message), String(message));
  }
});

Deno.test("who may have issued a CRL", async () => {
  const root = await issue({ name: "CN=Root" });
  const crl = await crlOf(root);
  const sameName = await issue({ name: "CN=root", key: (await issue({ name: "CN=x" })).key });
  const stranger = await issue({ name: "CN=Stranger" });
  const noBit = await issue({
    name: "CN=Root",
    key: root.key,
    extensions: caExtensions(undefined, { keyUsage: { critical: true, values: ["keyCertSign"] } }),
  });
  match((await verifyCrl(crl, sameName.certificate)).reason!, /does not verify/);
  match((await verifyCrl(crl, stranger.certificate)).reason!, /issued by "CN=Root", not by "CN=Stranger"/);
  match((await verifyCrl(crl, noBit.certificate)).reason!, /no cRLSign/);
  const tampered = parseCrl(crl.der);
  eq((await verifyCrl({ ...tampered, tbs: concatBytes(tampered.tbs) }, root.certificate)).valid, true);
  const bytes = concatBytes(tampered.tbs);
  bytes[bytes.length - 1]! ^= 1;
  eq((await verifyCrl({ ...tampered, tbs: bytes }, root.certificate)).valid, false);
});

const NAME = encodeName(parseNameText("CN=Root"));
const ALGORITHM = sequence(oid("1.2.840.10045.4.3.2"));
const THEN = new Date("2026-01-01T00:00:00Z");

function shape(...tbs: Bytes[]): Bytes {
  return sequence(sequence(...tbs), ALGORITHM, bitString(Uint8Array.of(0)));
}

function withList(list: Bytes, ...more: Bytes[]): Bytes {
  return shape(integer(1), ALGORITHM, NAME, time(THEN), time(THEN), list, ...more);
}

const number = (der: Bytes) => sequence(sequence(oid("2.5.29.20"), octetString(der)));

Deno.test("CRLs that are not as RFC 5280 has them are refused, with the offset", () => {
  const entry = (...parts: Bytes[]) => sequence(sequence(...parts));
  const reason = (value: Bytes) => sequence(sequence(oid("2.5.29.21"), octetString(value)));
  const padded = Uint8Array.of(2, 2, 0, 1);
  const cases: [name: string, der: Bytes, message: RegExp][] = [
    ["version 1 stated", shape(integer(0), ALGORITHM, NAME, time(THEN)), /version 1/],
    ["version 3", shape(integer(2), ALGORITHM, NAME, time(THEN)), /version 3/],
    [
      "extensions in version 1",
      shape(ALGORITHM, NAME, time(THEN), explicit(0, number(integer(1)))),
      /version 1 CRL has/,
    ],
    ["other algorithm inside", shape(integer(1), sequence(oid("1.2.3")), NAME, time(THEN)), /differs/],
    ["no thisUpdate", shape(integer(1), ALGORITHM, NAME), /thisUpdate is missing/],
    ["entry without date", withList(entry(integer(1))), /truncated/],
    ["entry with padded serial", withList(entry(padded, time(THEN))), /shortest form/],
    ["entry with a wrong date", withList(entry(integer(1), Uint8Array.of(0x17, 1, 0x30))), /revocationDate/],
    ["entry that is no SEQUENCE", withList(sequence(integer(1))), /a CRL entry has tag 02/],
    ["entry with an extra field", withList(entry(integer(1), time(THEN), nullDer())), /crlEntryExtensions/],
    ["reason 7", withList(entry(integer(1), time(THEN), reason(Uint8Array.of(10, 1, 7)))), /no reason 7/],
    ["reason as INTEGER", withList(entry(integer(1), time(THEN), reason(integer(1)))), /ENUMERATED/],
    ["number that is none", withList(sequence(), explicit(0, number(nullDer()))), /cRLNumber/],
    ["empty extensions", withList(sequence(), explicit(0, sequence())), /is empty/],
    ["field at the end", withList(sequence(), explicit(1, integer(1))), /unexpected field/],
  ];
  for (const [name, der, message] of cases) {
    throws(
      () => parseCrl(der),
      (e) => e instanceof InputError && e.code === "crl.invalid" && message.test(e.message),
      name,
    );
  }
  throws(
    () => parseCrl(withList(entry(integer(1), nullDer()))),
    (e) => e instanceof InputError && e.offset !== undefined && e.offset > 60,
  );
  // Version 1 without extensions, an empty list and GeneralizedTime are read.
  eq(parseCrl(shape(ALGORITHM, NAME, time(THEN))).nextUpdate, undefined);
  eq(parseCrl(withList(sequence())).revoked, []);
  eq(parseCrl(withList(entry(integer(255), generalizedTime(THEN)))).revoked, [{ serial: "FF", revocationDate: THEN }]);
});

Deno.test("a critical entry extension that is not processed makes a CRL unusable", async () => {
  const root = await issue({ name: "CN=Root" });
  const issuerEntry = sequence(sequence(oid("2.5.29.29"), boolean(true), octetString(sequence())));
  const crl = parseCrl(withList(sequence(sequence(integer(1), time(THEN), issuerEntry))));
  eq(crl.unsupportedEntryExtension, "2.5.29.29");
  match((await verifyCrl(crl, root.certificate)).reason!, /critical extension 2\.5\.29\.29/);
  const date = sequence(sequence(oid("2.5.29.24"), octetString(generalizedTime(THEN))));
  eq(parseCrl(withList(sequence(sequence(integer(1), time(THEN), date)))).unsupportedEntryExtension, undefined);
});

Deno.test("files with CRLs", async () => {
  const crl = await crlOf(await issue({ name: "CN=Root" }));
  eq(readCrl(new TextEncoder().encode(crlPem(crl))).der, crl.der);
  eq(readCrl(crl.der).der, crl.der);
  throws(() => readCrl(new TextEncoder().encode(encodePem("CERTIFICATE", crl.der)), "a"), /no "X509 CRL" block/);
});

Deno.test("a CRL is described", async () => {
  const root = await issue({ name: "CN=Root" });
  const crl = await crlOf(root, { revoked: [{ serial: "0A", revocationDate: THEN, reason: "keyCompromise" }] });
  const { json, text } = await describeCrl(crl);
  eq(json["revoked"], [{ serial: "0A", revocation_date: "2026-01-01T00:00:00Z", reason: "keyCompromise" }]);
  eq(json["crl_number"], "01");
  match(text, /Revoked Certificates: 1\n {8}0A {2}2026-01-01T00:00:00Z {2}keyCompromise\n$/);
});

testWith("200,000 entries are written and read in linear time", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const root = await issue({ name: "CN=Root" });
  const revoked = Array.from({ length: 200_000 }, (_, i): RevokedCertificate => ({
    serial: generateSerial(),
    revocationDate: daysFromNow(-(i % 365)),
    ...(i % 3 ? { reason: "superseded" } : {}),
  }));
  const small = await timed(() => crlOf(root, { revoked: revoked.slice(0, 20_000) }));
  const large = await timed(() => crlOf(root, { revoked }));
  // Ten times as much may take ten times as long; three times that leaves room for a busy machine.
  ok(large.milliseconds < 30 * small.milliseconds + 1000, `${small.milliseconds} and ${large.milliseconds} ms`);
  ok(large.milliseconds < 20_000, `${large.milliseconds} ms`);
  eq(large.value.revoked.length, 200_000);
  eq(large.value.revoked[123_456]!.serial, revoked[123_456]!.serial);
  const reread = await timed(() => Promise.resolve(parseCrl(large.value.der)));
  ok(reread.milliseconds < 5_000, `${reread.milliseconds} ms`);
  const file = tmp.write("big.crl", large.value.der);
  const { stdout } = new Deno.Command("openssl", {
    args: ["crl", "-inform", "DER", "-in", file, "-noout", "-crlnumber"],
  })
    .outputSync();
  match(new TextDecoder().decode(stdout), /crlNumber=(0x)?0?1/);
});

async function timed<T>(run: () => Promise<T>): Promise<{ value: T; milliseconds: number }> {
  const start = performance.now();
  const value = await run();
  return { value, milliseconds: performance.now() - start };
}

Deno.test("a CRL can be signed by any signer of the issuer's key", async () => {
  const root = await issue({ name: "CN=Root", algorithm: "ed25519" });
  const crl = await buildCrl({
    issuer: root.certificate.subject,
    authorityKeyId: new Uint8Array(20),
    thisUpdate: daysFromNow(0),
    nextUpdate: daysFromNow(1),
    number: "1",
    revoked: [],
  }, signerOf(root));
  eq(encodeHex(crl.signatureAlgorithm), "300506032b6570");
});
