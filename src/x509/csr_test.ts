import { deepStrictEqual as eq, match, ok, rejects, throws } from "node:assert/strict";
import { leafExtensions, testKey } from "../../tests/support/pki.ts";
import { defaultScheme } from "../alg/find.ts";
import { bitString, implicit, integer, nullDer, oid, sequence, setOf, utf8String } from "../asn1/der.ts";
import { type Bytes, encodeHex, encodePem } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { buildCsr, csrPem, describeCsr, parseCsr, readCsr, verifyCsr } from "./csr.ts";
import { signStructure } from "./sign.ts";
import { encodeName, formatName, parseNameText } from "./name.ts";

async function example() {
  const key = await testKey("ecdsa-p256");
  const signer = key.signer(defaultScheme(key.algorithm));
  return {
    key,
    csr: await buildCsr({ subject: parseNameText("CN=a"), spki: key.spki, extensions: leafExtensions() }, signer),
    signer,
  };
}

Deno.test("a request reads back as it was asked for", async () => {
  const { csr, key } = await example();
  eq(formatName(csr.subject), "CN=a");
  eq(csr.spki, key.spki);
  eq(csr.attributes.map(({ oid }) => oid), ["1.2.840.113549.1.9.14"]);
  eq(csr.extensions.map(({ oid, critical }) => [oid, critical]), [["2.5.29.15", true], ["2.5.29.17", false]]);
  eq((await verifyCsr(csr)).valid, true);
  eq(readCsr(new TextEncoder().encode(csrPem(csr))).der, csr.der);
  eq(readCsr(csr.der).der, csr.der);
});

Deno.test("a request without extensions has empty attributes, with an empty subject too", async () => {
  const { key, signer } = await example();
  const csr = await buildCsr({ subject: [], spki: key.spki }, signer);
  ok(encodeHex(csr.info).endsWith("a000"));
  ok(encodeHex(csr.info).includes("0201003000"));
  eq(csr.extensions, []);
  eq((await verifyCsr(csr)).valid, true);
});

Deno.test("a request signed by another key is not valid, and says why", async () => {
  const { csr, key } = await example();
  const other = await testKey("ecdsa-p256", "other");
  const scheme = defaultScheme(key.algorithm);
  await rejects(
    buildCsr({ subject: [], spki: key.spki }, { ...signerOf(other), spki: key.spki }),
    /does not verify/,
  );
  await rejects(buildCsr({ subject: [], spki: key.spki }, other.signer(scheme)), /not the one it is for/);
  // Signed properly, by the wrong key.
  const der = await signStructure(csr.info, other.signer(scheme), { what: "certificate request" });
  const foreign = parseCsr(der);
  const verdict = await verifyCsr(foreign);
  eq(verdict.valid, false);
  match(verdict.reason!, /signature does not verify/);
  const unknown = await verifyCsr({ ...csr, signatureAlgorithm: sequence(oid("1.2.840.113549.1.1.5"), nullDer()) });
  eq(unknown.valid, false);
  match(unknown.reason!, /sha1WithRSAEncryption is not supported/);
  eq((await verifyCsr({ ...csr, spki: sequence(sequence(oid("1.2.3")), bitString(Uint8Array.of(1))) })).valid, false);
});

function signerOf(key: Awaited<ReturnType<typeof testKey>>) {
  const signer = key.signer(defaultScheme(key.algorithm));
  return { algorithm: signer.algorithm, scheme: signer.scheme, sign: (m: Uint8Array) => signer.sign(m) };
}

/** A request of the given parts with a meaningless signature. */
function shape(parts: Bytes[]): Bytes {
  return sequence(sequence(...parts), sequence(oid("1.2.840.10045.4.3.2")), bitString(Uint8Array.of(0)));
}

Deno.test("requests that are not as RFC 2986 has them are refused", async () => {
  const { key } = await example();
  const name = encodeName(parseNameText("CN=a"));
  const attribute = (type: string, ...values: Bytes[]) => sequence(oid(type), setOf(...values));
  const attributes = (...list: Bytes[]) => implicit(0, setOf(...list));
  const request = (extensions: Bytes) => attributes(attribute("1.2.840.113549.1.9.14", extensions));
  const extension = sequence(oid("2.5.29.17"), Uint8Array.of(4, 2, 0x30, 0));
  const cases: [name: string, der: Bytes, message: RegExp][] = [
    ["version 1", shape([integer(1), name, key.spki, attributes()]), /version of a request must be 0/],
    ["no subject", shape([integer(0), key.spki, attributes()]), /./],
    ["no key", shape([integer(0), name, attributes()]), /./],
    ["an extra field", shape([integer(0), name, key.spki, attributes(), nullDer()]), /unexpected NULL/],
    [
      "attribute twice",
      shape([integer(0), name, key.spki, attributes(attribute("1.2.3"), attribute("1.2.3"))]),
      /twice/,
    ],
    [
      "two values",
      shape([
        ...[integer(0), name, key.spki],
        attributes(attribute("1.2.840.113549.1.9.14", sequence(), sequence(extension))),
      ]),
      /exactly one value/,
    ],
    ["extension twice", shape([integer(0), name, key.spki, request(sequence(extension, extension))]), /there twice/],
    ["extensions that are none", shape([integer(0), name, key.spki, request(utf8String("x"))]), /SEQUENCE is expected/],
    ["no bytes", new Uint8Array(), /truncated|empty/],
  ];
  for (const [name, der, message] of cases) {
    throws(
      () => parseCsr(der),
      (e) => e instanceof InputError && e.code === "csr.invalid" && message.test(e.message),
      name,
    );
  }
  // Attributes may be absent, and a list of extensions empty.
  eq(parseCsr(shape([integer(0), name, key.spki])).attributes, []);
  eq(parseCsr(shape([integer(0), name, key.spki, request(sequence())])).extensions, []);
});

Deno.test("files with requests", async () => {
  const { csr } = await example();
  const bytes = (text: string) => new TextEncoder().encode(text);
  eq(readCsr(bytes(encodePem("NEW CERTIFICATE REQUEST", csr.der))).der, csr.der);
  throws(() => readCsr(bytes(csrPem(csr) + csrPem(csr)), "a.csr"), /has 2 of them/);
  throws(() => readCsr(bytes(encodePem("CERTIFICATE", csr.der)), "a.csr"), /no "CERTIFICATE REQUEST" block/);
  throws(() => readCsr(csr.der.subarray(0, 90), "a.csr"), (e) => e instanceof InputError && e.file === "a.csr");
});

Deno.test("a request is described", async () => {
  const { json, text } = await describeCsr((await example()).csr);
  eq(Object.keys(json), ["subject", "public_key", "signature_algorithm", "attributes", "extensions", "sha256"]);
  match(text, /Subject: CN=a\n {4}Public Key: ECDSA P-256\n/);
  match(text, /Requested Extensions:\n {8}keyUsage: critical\n {12}Digital Signature\n/);
});
