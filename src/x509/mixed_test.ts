import { deepStrictEqual as eq, doesNotMatch, match, ok, rejects, throws } from "node:assert/strict";
import {
  caExtensions,
  crlOf,
  daysFromNow,
  type Holder,
  issue,
  leafExtensions,
  signerOf,
  testKey,
} from "../../tests/support/pki.ts";
import { findKeyRow, findSchemeRow, type KeyRow, keyRows } from "../alg/find.ts";
import { isQuantumSafe } from "../alg/quantum.ts";
import { bitString, nullDer, oid, readDer, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { OperationError } from "../errors.ts";
import { digest } from "../keys/digest.ts";
import { describeCertificate, parseCertificate, readCertificates, subjectKeyId } from "./certificate.ts";
import { parseCrl, verifyCrl } from "./crl.ts";
import { buildCsr, describeCsr, parseCsr, verifyCsr } from "./csr.ts";
import { lintTbs } from "./lint.ts";
import { parseNameText } from "./name.ts";
import { generateSerial } from "./serial.ts";
import { assembleSigned } from "./structure.ts";
import { buildTbsCertificate, encodeTbs } from "./tbs.ts";
import type { Certificate } from "./types.ts";
import { verifyCertificate } from "./verify.ts";

/** Post-quantum and composite keys in certificates, and paths in which every certificate is signed in another way. */

/** Issues a chain from the root down; each name is an algorithm, `native+alternative` for a certificate with two keys. */
async function chainOf(...algorithms: string[]): Promise<Holder[]> {
  const chain: Holder[] = [];
  for (const [i, text] of algorithms.entries()) {
    const [algorithm, alternative] = text.split("+") as [string, string?];
    const issuer = chain.at(-1);
    const isLeaf = i > 0 && i === algorithms.length - 1;
    const kem = findKeyRow(algorithm).kind === "kem";
    const leaf = kem
      ? leafExtensions("host.test", { keyUsage: { critical: true, values: ["keyEncipherment"] } })
      : leafExtensions();
    chain.push(
      await issue({
        name: `CN=${i} ${text.replace("+", " and ")}`,
        algorithm,
        extensions: isLeaf ? leaf : caExtensions(),
        ...(alternative ? { alternative } : {}),
        ...(issuer ? { issuer } : {}),
      }),
    );
  }
  return chain;
}

async function verify(chain: readonly Certificate[]) {
  const [root, ...below] = chain;
  return await verifyCertificate(below.at(-1)!, {
    anchors: [root!],
    intermediates: below.slice(0, -1),
    at: daysFromNow(0),
  });
}

const PATHS: [algorithms: string[], signatures: string[]][] = [
  [["ecdsa-p384", "ml-dsa-65", "mldsa65-ecdsa-p256-sha512"], ["ML-DSA-65", "ECDSA-SHA384"]],
  [["mldsa44-ed25519-sha512", "ecdsa-p256", "ed25519"], ["ECDSA-SHA256", "MLDSA44-Ed25519-SHA512"]],
  [["slh-dsa-sha2-128f", "mldsa65-ecdsa-p384-sha512", "ml-kem-768"], [
    "MLDSA65-ECDSA-P384-SHA512",
    "SLH-DSA-SHA2-128f",
  ]],
  [["ecdsa-p384+ml-dsa-87", "ml-dsa-65", "ecdsa-p256"], ["ML-DSA-65", "ECDSA-SHA384 & ML-DSA-87"]],
  [["ecdsa-p384+ml-dsa-87", "ecdsa-p256+ml-dsa-65", "ml-kem-512"], [
    "ECDSA-SHA256 & ML-DSA-65",
    "ECDSA-SHA384 & ML-DSA-87",
  ]],
  [["ed448", "brainpool-p256r1", "slh-dsa-shake-128f"], [findSchemeOf("brainpool-p256r1"), "Ed448"]],
];

function findSchemeOf(name: string): string {
  return findSchemeRow(findKeyRow(name).schemes[0]!).label;
}

for (const [algorithms, expected] of PATHS) {
  Deno.test(`a path ${algorithms.join(" > ")}`, async () => {
    const chain = (await chainOf(...algorithms)).map(({ certificate }) => certificate);
    const verdict = await verify(chain);
    eq(verdict.reasons, []);
    const found = verdict.signatures.map(({ scheme, alternative }) =>
      [scheme, alternative].filter(Boolean).join(" & ")
    );
    eq(found, expected);
    // Each certificate in turn with its signature changed: first byte, middle, last.
    for (let i = 1; i < chain.length; i++) {
      const { der, signature } = chain[i]!;
      for (const at of [0, signature.length >> 1, signature.length - 1]) {
        const damaged = concatBytes(der);
        damaged[der.length - signature.length + at]! ^= 1;
        const { valid, reasons } = await verify(chain.with(i, parseCertificate(damaged)));
        eq([valid, reasons.map(({ code }) => code)], [false, ["signature.invalid"]], `certificate ${i} byte ${at}`);
        match(reasons[0]!.message, /signature does not verify with the public key/);
      }
    }
  });
}

Deno.test("both halves of a composite signature must be good, under their own label", async () => {
  const [root, leaf] = await chainOf("mldsa44-ecdsa-p256-sha256", "ecdsa-p256");
  const { der, signature, tbs, signatureAlgorithm: algorithm } = leaf!.certificate;
  for (let at = 0; at < signature.length; at += at < 2420 ? 37 : 1) {
    const damaged = concatBytes(der);
    damaged[der.length - signature.length + at]! ^= 8;
    const { reasons } = await verify([root!.certificate, parseCertificate(damaged)]);
    eq(reasons.map(({ code }) => code), ["signature.invalid"], `byte ${at}`);
  }
  const other = await issue({ name: "CN=other", algorithm: "mldsa44-ecdsa-p256-sha256" });
  const foreign = await signerOf(other).sign(tbs);
  const mixes: [string, Bytes][] = [
    ["the classical half alone", signature.subarray(2420)],
    ["the ML-DSA half alone", signature.subarray(0, 2420)],
    ["the ML-DSA half of another key", concatBytes(foreign.subarray(0, 2420), signature.subarray(2420))],
    ["the classical half of another key", concatBytes(signature.subarray(0, 2420), foreign.subarray(2420))],
    ["a byte more", concatBytes(signature, Uint8Array.of(0))],
    ["nothing", new Uint8Array()],
  ];
  for (const [name, mixed] of mixes) {
    const certificate = parseCertificate(assembleSigned({ toBeSigned: tbs, algorithm, signature: mixed }));
    eq((await verify([root!.certificate, certificate])).valid, false, name);
  }
});

/** Families that are new beside the classical ones, a quick row of each. */
const QUICK = ["ml-dsa-44", "slh-dsa-sha2-128f", "mldsa44-ed25519-sha512", "mldsa87-ed448-shake256"];

for (const name of QUICK) {
  Deno.test(`${name}: certificate, request and CRL by the one path`, async () => {
    const row = findKeyRow(name);
    const root = await issue({ name: "CN=Root", algorithm: name });
    const leaf = await issue({ name: "CN=Leaf", issuer: root, algorithm: name });
    const csr = await buildCsr(
      { subject: parseNameText("CN=Ask"), spki: leaf.key.spki, extensions: leafExtensions() },
      signerOf(leaf),
    );
    const crl = await crlOf(root);
    const { label } = leaf.scheme;
    eq((await verifyCsr(csr)).signatures, [{ subject: "CN=Ask", scheme: label }]);
    eq((await verifyCrl(crl, root.certificate)).signatures, [{ subject: "CN=Root", scheme: label }]);
    const { json, text } = await describeCertificate(leaf.certificate);
    eq([(json["public_key"] as { algorithm: string }).algorithm, json["signature_algorithm"]], [row.label, label]);
    ok(text.includes(`Public Key: ${row.label}\n`) && text.includes(`Signature Algorithm: ${label}\n`));
    match((await describeCsr(csr)).text, new RegExp(`Public Key: ${row.label}\n`));
    // SKI: SHA-256 over the content of the BIT STRING, whatever is in it.
    const content = readDer(leaf.key.spki).children[1]!.content.subarray(1);
    eq(subjectKeyId(leaf.certificate), (await digest("SHA-256", content)).slice(0, 20));
    eq(readCertificates(leaf.certificate.der).length, 1);
    // No parameters anywhere.
    eq(readDer(leaf.certificate.signatureAlgorithm).children.length, 1);
    eq(readDer(leaf.certificate.spki).children[0]!.children.length, 1);
  });
}

Deno.test("a signature of 49,856 bytes is written, read and verified everywhere", async () => {
  const root = await issue({ name: "CN=Root", algorithm: "slh-dsa-256f" });
  eq(root.certificate.signature.length, 49_856);
  const trust = { anchors: [root.certificate], intermediates: [], at: daysFromNow(0) };
  eq((await verifyCertificate(root.certificate, trust)).signatures[0]!.scheme, "SLH-DSA-SHA2-256f");
  eq(parseCrl((await crlOf(root)).der).signature.length, 49_856);
  const csr = await buildCsr({ subject: parseNameText("CN=x"), spki: root.key.spki }, signerOf(root));
  eq(parseCsr(csr.der).signature.length, 49_856);
});

Deno.test("parameters where the standards have none: keys are not certified, signatures not believed", async () => {
  const root = await issue({ name: "CN=Root", algorithm: "ml-dsa-44" });
  const withNull = (row: KeyRow) => sequence(oid(row.spki.oid), nullDer());
  for (const name of ["ml-dsa-65", "ml-kem-768", "slh-dsa-128f", "mldsa44-ed25519-sha512", "ed25519"]) {
    const key = await testKey(name);
    const publicKey = readDer(key.spki).children[1]!.content.subarray(1);
    const tbs = await buildTbsCertificate({
      serial: generateSerial(),
      issuer: root.certificate.subject,
      subject: parseNameText("CN=x"),
      notBefore: daysFromNow(0),
      notAfter: daysFromNow(1),
      spki: sequence(withNull(key.algorithm), bitString(publicKey)),
      scheme: root.scheme,
      extensions: {},
      authorityKeyId: Uint8Array.of(1),
    });
    throws(
      () => lintTbs(tbs),
      (e) => e instanceof OperationError && /with parameters is not supported/.test(e.message),
    );
  }
  const leaf = await issue({ name: "CN=Leaf", issuer: root });
  const algorithm = withNull(findKeyRow("ml-dsa-44"));
  const plain = encodeTbs({ ...leaf.certificate, scheme: root.scheme });
  const [version, serial, , ...rest] = readDer(plain).children.map(({ raw }) => raw);
  const toBeSigned = sequence(version!, serial!, algorithm, ...rest);
  const signature = await signerOf(root).sign(toBeSigned);
  const certificate = parseCertificate(assembleSigned({ toBeSigned, algorithm, signature }));
  const { reasons } = await verify([root.certificate, certificate]);
  eq(reasons.map(({ code }) => code), ["signature.unsupported"]);
  match(reasons[0]!.message, /id-ml-dsa-44 has parameters that are not supported/);
});

Deno.test("a KEM key cannot be a CA's or sign itself; a CA's certificate is no leaf's", async () => {
  const root = await issue({ name: "CN=Root", algorithm: "ml-dsa-44" });
  const usage = { keyUsage: { critical: true, values: ["keyEncipherment"] as const } };
  const cases: [Parameters<typeof issue>[0], RegExp][] = [
    [{ name: "CN=x", issuer: root, algorithm: "ml-kem-512" }, /digitalSignature is not allowed.*ML-KEM-512/],
    [
      { name: "CN=x", issuer: root, algorithm: "ml-kem-512", extensions: caExtensions() },
      /a KEM key cannot sign: no CA, no self-signed certificate/,
    ],
    [{ name: "CN=Root", issuer: root, algorithm: "ml-kem-512", extensions: usage }, /a KEM key cannot sign/],
  ];
  for (const [options, message] of cases) await rejects(issue(options), message);
  const good = await issue({ name: "CN=x", issuer: root, algorithm: "ml-kem-512", extensions: usage });
  eq((await verify([root.certificate, good.certificate])).valid, true);
});

Deno.test("keys of a wrong length are not certified", async () => {
  for (const row of keyRows().filter((row) => isQuantumSafe(row))) {
    for (const length of [0, 1, 31, row.publicKeyBytes - 1, row.publicKeyBytes + 1, 5000].filter((n) => n >= 0)) {
      const spki = sequence(sequence(oid(row.spki.oid)), bitString(new Uint8Array(length)));
      await rejects(
        buildTbsCertificate({
          serial: "01",
          issuer: sequence(),
          subject: [],
          notBefore: daysFromNow(0),
          notAfter: daysFromNow(1),
          spki,
          scheme: findSchemeRow("ecdsa-sha256"),
          extensions: {},
        }),
        /Cannot (use|read)/,
        `${row.name} ${length}`,
      );
    }
  }
});

Deno.test("times in verdicts are whole seconds", async () => {
  const [root, leaf] = await chainOf("ml-dsa-44", "ml-dsa-44");
  const crl = await crlOf(root!, {
    thisUpdate: daysFromNow(-3),
    nextUpdate: daysFromNow(-2),
    revoked: [{ serial: "01", revocationDate: daysFromNow(-3) }],
  });
  const revoking = await crlOf(root!, {
    revoked: [{ serial: leaf!.certificate.serial, revocationDate: daysFromNow(-1) }],
  });
  const options = { anchors: [root!.certificate], intermediates: [] };
  const verdicts = [
    await verifyCertificate(leaf!.certificate, { ...options, at: daysFromNow(99) }),
    await verifyCertificate(leaf!.certificate, { ...options, at: daysFromNow(-99) }),
    await verifyCertificate(leaf!.certificate, { ...options, at: daysFromNow(0), crls: [crl] }),
    await verifyCertificate(leaf!.certificate, { ...options, at: daysFromNow(0), crls: [revoking] }),
    await verifyCertificate(leaf!.certificate, { ...options, at: daysFromNow(-4), crls: [crl] }),
  ];
  for (const { reasons } of verdicts) {
    ok(reasons.length > 0);
    for (const { message } of reasons) {
      match(message, /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|not yet|CRL/);
      doesNotMatch(message, /\d\.\d{3}Z/);
    }
  }
});
