import { deepStrictEqual as eq, match, ok, rejects } from "node:assert/strict";
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
import { defaultScheme } from "../alg/find.ts";
import { integer, nullDer, oid, readDer, sequence, setOf } from "../asn1/der.ts";
import type { Bytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { buildCsr, type CsrSpec, describeCsr, parseCsr, possessionStatement, readCsr, verifyCsr } from "./csr.ts";
import { encodeRequestInfo } from "./csr_attributes.ts";
import { encodeName, formatName, parseNameText } from "./name.ts";
import { encodePossession } from "./possession.ts";
import { signStructure } from "./sign.ts";
import type { Certificate, Csr } from "./types.ts";
import type { VerifyOptions } from "./verify.ts";

/** Requests for keys that cannot sign, on the word of a signature certificate's holder (RFC 9883). */

const KEM_EXTENSIONS = {
  ...leafExtensions(),
  keyUsage: { critical: true, values: ["keyEncipherment"] as const },
};

interface Parties {
  readonly root: Holder;
  /** Holder of the signature certificate. */
  readonly signature: Holder;
  readonly trust: VerifyOptions;
}

let made: Promise<Parties> | undefined;

function parties(): Promise<Parties> {
  made ??= makeParties();
  return made;
}

async function makeParties(): Promise<Parties> {
  const root = await issue({ name: "CN=Root", algorithm: "ml-dsa-87" });
  const signature = await issue({ name: "CN=Alice", issuer: root, algorithm: "ml-dsa-65" });
  return { root, signature, trust: { anchors: [root.certificate], intermediates: [], at: daysFromNow(0) } };
}

async function request(change: Partial<CsrSpec> & { include?: boolean; by?: Holder } = {}): Promise<Csr> {
  const { signature } = await parties();
  const { include = true, by = signature, ...rest } = change;
  const kem = await testKey("ml-kem-768", "requested");
  const spec: CsrSpec = {
    subject: parseNameText("CN=Alice"),
    spki: kem.spki,
    extensions: KEM_EXTENSIONS,
    possession: { certificate: by.certificate, include },
    ...rest,
  };
  return await buildCsr(spec, signerOf(by));
}

/** A request of any parts, signed by the holder's key. */
async function forged(spki: Bytes, attributes: readonly Bytes[], by: Holder, subject = "CN=Alice"): Promise<Csr> {
  const info = encodeRequestInfo([integer(0), encodeName(parseNameText(subject)), spki], attributes);
  return parseCsr(await signStructure(info, signerOf(by), { what: "certificate request" }));
}

Deno.test("a KEM key is certified on the word of a signature certificate's holder, and the verdict says so", async () => {
  const { signature, trust } = await parties();
  const csr = await request();
  eq(readCsr(csr.der).attributes.map(({ oid }) => oid).includes("1.3.6.1.4.1.22112.2.1"), true);
  const verdict = await verifyCsr(csr, { attestTrust: trust });
  eq(verdict.reason, undefined);
  eq([verdict.valid, verdict.possession], [true, "asserted"]);
  eq(verdict.signatures, [{ subject: "CN=Alice", scheme: "ML-DSA-65" }]);
  eq(verdict.warnings, []);
  eq(verdict.attestation!.certificate.der, signature.certificate.der);
  eq(verdict.attestation!.trusted, true);
  const { serial } = signature.certificate;
  eq(
    verdict.attestation!.statement,
    `Possession of the private key is asserted, not proved, by the holder of certificate ${serial} "CN=Alice" (RFC 9883)`,
  );
  const { text, json } = await describeCsr(csr);
  ok(text.includes(`Possession Stated By: certificate ${serial} of CN=Root (included)\n`));
  eq(json["possession"], { issuer: "CN=Root", serial, included: true });
});

Deno.test("without the certificate in the request, the right one must be given", async () => {
  const { signature, trust, root } = await parties();
  const csr = await request({ include: false });
  eq(possessionStatement(csr)?.certificate, undefined);
  const given = (...attestCertificates: Certificate[]) => verifyCsr(csr, { attestTrust: trust, attestCertificates });
  eq((await given(root.certificate, signature.certificate)).valid, true);
  const [none, foreign] = [await given(), await given(root.certificate)];
  eq([none.code, foreign.code], ["possession.no_certificate", "possession.no_certificate"]);
  match(none.reason!, /serial [0-9A-F]+ of "CN=Root", is neither included nor given/);
  match(foreign.reason!, /is not the one given/);
});

Deno.test("an attestation counts only along a valid path", async () => {
  const { signature, trust, root } = await parties();
  const csr = await request();
  const stranger = await issue({ name: "CN=Root", algorithm: "ml-dsa-44" });
  const revoked = await crlOf(root, {
    revoked: [{ serial: signature.certificate.serial, revocationDate: daysFromNow(-1), reason: "keyCompromise" }],
  });
  const cases: [name: string, trust: VerifyOptions, reason: RegExp][] = [
    [
      "a stranger's anchor",
      { ...trust, anchors: [stranger.certificate] },
      /"CN=Alice": the ML-DSA-87 signature|not supp/,
    ],
    ["no anchor", { ...trust, anchors: [] }, /no certificate of its issuer/],
    ["expired", { ...trust, at: daysFromNow(40) }, /it expired at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/],
    ["revoked", { ...trust, crls: [revoked] }, /was revoked at .*keyCompromise/],
  ];
  for (const [name, attestTrust, reason] of cases) {
    const verdict = await verifyCsr(csr, { attestTrust });
    eq([verdict.valid, verdict.code], [false, "possession.untrusted"], name);
    match(verdict.reason!, reason, name);
  }
  const unasked = await verifyCsr(csr);
  eq([unasked.valid, unasked.code], [false, "possession.untrusted"]);
  const caller = await verifyCsr(csr, { attestTrust: "caller" });
  eq([caller.valid, caller.attestation?.trusted], [true, false]);
});

Deno.test("a KEM request without statement, and a statement where a key can sign, are refused", async () => {
  const { signature, trust } = await parties();
  const kem = await testKey("ml-kem-768", "requested");
  const bare = await verifyCsr(await forged(kem.spki, [], signature), { attestTrust: trust });
  eq([bare.valid, bare.code], [false, "possession.missing"]);
  match(bare.reason!, /ML-KEM-768 key cannot sign its own request.*RFC 9883/);
  const statement = encodePossession({ certificate: signature.certificate, include: true });
  for (const key of [await testKey("ecdsa-p256", "x"), await testKey("ml-dsa-65", "x"), signature.key]) {
    const verdict = await verifyCsr(await forged(key.spki, [statement], signature), { attestTrust: trust });
    eq([verdict.valid, verdict.code], [false, "possession.not_allowed"], key.algorithm.name);
  }
  // Signed by its own key as it should be, the statement has no place in it either.
  const own = await issue({ name: "CN=Own", algorithm: "ecdsa-p256" });
  eq((await verifyCsr(await forged(own.key.spki, [statement], own))).code, "possession.not_allowed");
});

Deno.test("the statement must be about the same entity", async () => {
  const { signature, root, trust } = await parties();
  const kem = await testKey("ml-kem-768", "requested");
  const statement = encodePossession({ certificate: signature.certificate, include: true });
  const bob = await verifyCsr(await forged(kem.spki, [statement], signature, "CN=Bob"), { attestTrust: trust });
  eq(bob.code, "possession.foreign");
  match(bob.reason!, /the request is for "CN=Bob", and the attesting certificate for "CN=Alice"/);
  await rejects(
    request({ subject: parseNameText("CN=Bob") }),
    (e) => e instanceof InputError && e.code === "possession.foreign",
  );
  const other = { subjectAltName: { critical: false, names: [{ type: "dns", value: "other.test" } as const] } };
  await rejects(request({ extensions: { ...KEM_EXTENSIONS, ...other } }), /has DNS:other\.test, which the attesting/);
  // Names in another case and string type are the same; fewer alternative names are.
  const sameNames = { subjectAltName: { critical: false, names: [{ type: "dns", value: "HOST.test" } as const] } };
  for (const extensions of [{ ...KEM_EXTENSIONS, ...sameNames }, {}]) {
    const csr = await request({ subject: parseNameText("CN=ALICE"), extensions });
    eq((await verifyCsr(csr, { attestTrust: trust })).valid, true);
  }
  const nobody = await issue({
    name: "",
    issuer: root,
    algorithm: "ml-dsa-65",
    extensions: {
      ...leafExtensions(),
      subjectAltName: { critical: true, names: [{ type: "dns", value: "host.test" }] },
    },
  });
  await rejects(request({ subject: [], extensions: {}, by: nobody }), /names nobody/);
  eq((await verifyCsr(await request({ subject: [], by: nobody }), { attestTrust: trust })).valid, true);
});

Deno.test("the statement must name the certificate whose key signed", async () => {
  const { signature, root, trust } = await parties();
  const kem = await testKey("ml-kem-768", "requested");
  const twin = await issue({ name: "CN=Alice", issuer: root, algorithm: "ml-dsa-44", key: await testKey("ml-dsa-44") });
  const statement = encodePossession({ certificate: signature.certificate, include: true });
  const byTwin = await verifyCsr(await forged(kem.spki, [statement], twin), { attestTrust: trust });
  eq([byTwin.valid, byTwin.code], [false, "signature.invalid"]);
  // The serial of one certificate with another certificate included.
  const parts = readDer(encodePossession({ certificate: twin.certificate, include: false })).children[1]!.children[0]!;
  const mixed = sequence(
    oid("1.3.6.1.4.1.22112.2.1"),
    setOf(sequence(parts.children[0]!.raw, signature.certificate.der)),
  );
  const verdict = await verifyCsr(await forged(kem.spki, [mixed], signature), { attestTrust: trust });
  eq([verdict.valid, verdict.code], [false, "possession.foreign"]);
  await rejects(
    buildCsr({
      subject: parseNameText("CN=Alice"),
      spki: kem.spki,
      possession: { certificate: twin.certificate, include: true },
    }, signerOf(signature)),
    (e) =>
      e instanceof OperationError && e.code === "sign.key_mismatch" && /the attesting certificate's/.test(e.message),
  );
});

Deno.test("only a certificate for signatures attests; a weaker key attests with a warning", async () => {
  const { root, trust } = await parties();
  const agreement = await issue({
    name: "CN=Alice",
    issuer: root,
    algorithm: "ecdsa-p384",
    extensions: { keyUsage: { critical: true, values: ["keyAgreement"] } },
  });
  await rejects(request({ by: agreement, extensions: {} }), /not for signatures \(keyUsage\)/);
  const ca = await issue({ name: "CN=Alice", issuer: root, key: agreement.key, extensions: caExtensions(0) });
  await rejects(request({ by: ca, extensions: {} }), /not for signatures \(keyUsage\)/);
  const weak = await issue({ name: "CN=Alice", issuer: root, algorithm: "ecdsa-p256" });
  const verdict = await verifyCsr(await request({ by: weak }), { attestTrust: trust });
  eq([verdict.valid, verdict.warnings.length], [true, 1]);
  match(verdict.warnings[0]!, /ECDSA P-256 key that attests is weaker than the ML-KEM-768 key/);
});

Deno.test("keys that cannot sign are not asked to, and have no alternative key", async () => {
  const { signature } = await parties();
  const kem = await testKey("ml-kem-768", "requested");
  const other = (await testKey("ml-dsa-44")).signer(defaultScheme((await testKey("ml-dsa-44")).algorithm));
  const subject = parseNameText("CN=Alice");
  const possession = { certificate: signature.certificate, include: true };
  await rejects(
    buildCsr({ subject, spki: kem.spki }, signerOf(signature)),
    (e) => e instanceof InputError && e.code === "possession.missing" && /RFC 9883/.test(e.hint!),
  );
  await rejects(
    buildCsr({ subject, spki: kem.spki, possession }, signerOf(signature), other),
    (e) => e instanceof InputError && e.code === "possession.not_allowed",
  );
  await rejects(
    buildCsr({ subject, spki: signature.key.spki, possession }, signerOf(signature)),
    (e) => e instanceof InputError && e.code === "possession.not_allowed",
  );
});

Deno.test("damaged statements and signatures are reasons, never errors", async () => {
  const { signature, trust } = await parties();
  const kem = await testKey("ml-kem-768", "requested");
  const attribute = (...values: Bytes[]) => [sequence(oid("1.3.6.1.4.1.22112.2.1"), setOf(...values))];
  const name = encodeName(parseNameText("CN=Root"));
  const cases: [string, Bytes[]][] = [
    ["no value", attribute()],
    ["two values", attribute(sequence(sequence(name, integer(1))), sequence(sequence(name, integer(2))))],
    ["no SEQUENCE", attribute(nullDer())],
    ["no signer", attribute(sequence())],
    ["no serial", attribute(sequence(sequence(name)))],
    ["a serial that is none", attribute(sequence(sequence(name, nullDer())))],
    ["a certificate that is none", attribute(sequence(sequence(name, integer(1)), sequence(nullDer())))],
    ["a field more", attribute(sequence(sequence(name, integer(1)), signature.certificate.der, nullDer()))],
  ];
  for (const [label, attributes] of cases) {
    const verdict = await verifyCsr(await forged(kem.spki, attributes, signature), { attestTrust: trust });
    eq([verdict.valid, verdict.code], [false, "request.malformed"], label);
  }
  const csr = await request();
  for (let at = csr.der.length - csr.signature.length; at < csr.der.length; at += 5) {
    const der = csr.der.with(at, csr.der[at]! ^ 4) as Bytes;
    eq((await verifyCsr(parseCsr(der), { attestTrust: trust })).code, "signature.invalid", `byte ${at}`);
  }
  eq(formatName(csr.subject), "CN=Alice");
});

Deno.test("serial numbers of any issuer can be named", () => {
  for (const serial of ["01", "80", "00", "-05", "-80", "FF".repeat(30)]) {
    const certificate = {
      serial,
      issuer: encodeName(parseNameText("CN=x")),
      der: sequence(),
    } as unknown as Certificate;
    const attribute = readDer(encodePossession({ certificate, include: false }));
    const value = attribute.children[1]!.children[0]!.raw;
    eq(possessionStatement({ attributes: [{ oid: "1.3.6.1.4.1.22112.2.1", values: [value] }] })?.serial, serial);
  }
});
