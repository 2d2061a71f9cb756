import { deepStrictEqual as eq, match, notDeepStrictEqual, ok, rejects, throws } from "node:assert/strict";
import {
  altSignerOf,
  caExtensions,
  crlOf,
  daysFromNow,
  type Holder,
  issue,
  signerOf,
  testKey,
} from "../../tests/support/pki.ts";
import { defaultScheme, findSchemeRow } from "../alg/find.ts";
import { bitString, explicit, readDer, sequence, sequenceOf } from "../asn1/der.ts";
import { type Bytes, concatBytes, equalBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { encodeScheme } from "../keys/scheme.ts";
import type { Signer } from "../keys/types.ts";
import { verifySignature } from "../keys/verify.ts";
import { alternativeSpki, describeCertificate, parseCertificate, subjectKeyId } from "./certificate.ts";
import { buildCrl, describeCrl, parseCrl, verifyCrl } from "./crl.ts";
import { encodeExtensionList } from "./extensions/mod.ts";
import { lintTbs } from "./lint.ts";
import { encodeName, parseNameText } from "./name.ts";
import { preTbsCertificate, preTbsCertList } from "./pre_tbs.ts";
import { generateSerial } from "./serial.ts";
import { signCertificate, signStructure } from "./sign.ts";
import { assembleSigned } from "./structure.ts";
import { buildTbsCertificate, encodeTbs, type TbsSpec } from "./tbs.ts";
import type { Certificate, Crl, Extension } from "./types.ts";
import { type AlternativePolicy, verifyAlternative, verifyCertificate } from "./verify.ts";

/** Certificates and CRLs with two signatures (X.509 clauses 7.2.2, 7.10.3 and 9.8), and all that may be wrong with them. */

const KEY = "2.5.29.72";
const ALGORITHM = "2.5.29.73";
const VALUE = "2.5.29.74";

interface Chain {
  readonly root: Holder;
  readonly sub: Holder;
  readonly leaf: Holder;
}

let made: Promise<Chain> | undefined;

function chain(): Promise<Chain> {
  made ??= makeChain();
  return made;
}

async function makeChain(): Promise<Chain> {
  const root = await issue({ name: "CN=Root", algorithm: "ecdsa-p384", alternative: "ml-dsa-87" });
  const sub = await issue({ name: "CN=Sub", issuer: root, alternative: "ml-dsa-44", extensions: caExtensions(0) });
  return { root, sub, leaf: await issue({ name: "CN=Leaf", issuer: sub, alternative: "ml-dsa-65" }) };
}

async function verify(certificate: Certificate, alternative?: AlternativePolicy) {
  const { root, sub } = await chain();
  return await verifyCertificate(certificate, {
    anchors: [root.certificate],
    intermediates: [sub.certificate],
    at: daysFromNow(0),
    ...(alternative ? { alternative } : {}),
  });
}

async function codes(certificate: Certificate): Promise<string[]> {
  return (await verify(certificate)).reasons.map(({ code }) => code);
}

function oids({ extensions }: { extensions: readonly Extension[] }): string[] {
  return extensions.map(({ oid }) => oid);
}

Deno.test("both signatures of every certificate of a path are checked and named", async () => {
  const { root, sub, leaf } = await chain();
  eq(oids(leaf.certificate).slice(-3), [KEY, ALGORITHM, VALUE]);
  eq(alternativeSpki(leaf.certificate), leaf.alternative!.key.spki);
  const verdict = await verify(leaf.certificate);
  eq(verdict.reasons, []);
  eq(verdict.warnings, []);
  eq(verdict.signatures, [
    { subject: "CN=Leaf", scheme: "ECDSA-SHA256", alternative: "ML-DSA-44" },
    { subject: "CN=Sub", scheme: "ECDSA-SHA384", alternative: "ML-DSA-87" },
  ]);
  const own = await verifyCertificate(root.certificate, {
    anchors: [root.certificate],
    intermediates: [],
    at: daysFromNow(0),
  });
  eq(own.signatures, [{ subject: "CN=Root", scheme: "ECDSA-SHA384", alternative: "ML-DSA-87" }]);
  eq((await verifyAlternative(leaf.certificate, sub.certificate)).scheme?.name, "ml-dsa-44");
});

Deno.test("a holder with one key gets two signatures all the same", async () => {
  const { sub } = await chain();
  const { certificate } = await issue({ name: "CN=Plain", issuer: sub });
  eq(oids(certificate).slice(-2), [ALGORITHM, VALUE]);
  eq(alternativeSpki(certificate), undefined);
  eq((await verify(certificate)).signatures[0], {
    subject: "CN=Plain",
    scheme: "ECDSA-SHA256",
    alternative: "ML-DSA-44",
  });
  const kem = await issue({
    name: "CN=Kem",
    issuer: sub,
    algorithm: "ml-kem-512",
    extensions: { keyUsage: { critical: true, values: ["keyEncipherment"] } },
  });
  eq(await codes(kem.certificate), []);
});

/** What the alternative signature covers, made another way than the code under test makes it. */
function preTbsByHand(tbs: Bytes, { keep = [] as string[], signature = false } = {}): Bytes {
  const fields = readDer(tbs).children;
  const parts = fields.filter((_, i) => signature || i !== 2).map(({ raw }) => raw);
  const list = readDer(parts.at(-1)!).children[0]!;
  const kept = list.children.filter(({ raw }) => {
    const hex = raw.toHex();
    return keep.includes("value") || !hex.includes("0603551d4a");
  });
  const extensions = sequenceOf(kept.map(({ raw }) => raw));
  return sequenceOf([...parts.slice(0, -1), explicit(3, extensions)]);
}

Deno.test("the alternative signature covers the certificate without signature field and value, and nothing else", async () => {
  const { sub, leaf } = await chain();
  const { tbs, extensions } = leaf.certificate;
  const signature = readDer(extensions.at(-1)!.value).content.subarray(1);
  const scheme = findSchemeRow("ml-dsa-44");
  const { spki } = sub.alternative!.key;
  eq(preTbsCertificate(tbs), preTbsByHand(tbs));
  ok(await verifySignature({ spki, scheme, message: preTbsByHand(tbs), signature }));
  for (const wrong of [tbs, preTbsByHand(tbs, { signature: true }), preTbsByHand(tbs, { keep: ["value"] })]) {
    ok(!await verifySignature({ spki, scheme, message: wrong, signature }));
  }
  throws(() => preTbsCertificate(tbs.subarray(0, 100)), InputError);
});

/** The certificate with other extensions, signed anew by a native key: what whoever breaks that key alone could make. */
async function forged(
  certificate: Certificate,
  issuer: Holder,
  extensions: readonly Extension[],
): Promise<Certificate> {
  const tbs = encodeTbs({ ...certificate, scheme: issuer.scheme, extensions });
  return parseCertificate(await signStructure(tbs, signerOf(issuer), { what: "certificate" }));
}

Deno.test("forged extensions: each way, although the native signature is good, has its own reason", async () => {
  const { sub, leaf } = await chain();
  const { certificate } = leaf;
  const { extensions } = certificate;
  const without = (...types: string[]) => extensions.filter(({ oid }) => !types.includes(oid));
  const changed = (type: string, value: Bytes) => extensions.map((e) => e.oid === type ? { ...e, value } : e);
  const other = await testKey("ml-dsa-65", "other");
  const value = extensions.at(-1)!.value;
  const cases: [name: string, extensions: readonly Extension[], code: string][] = [
    ["no key", without(KEY), "alternative.invalid"],
    ["no algorithm", without(ALGORITHM), "alternative.incomplete"],
    ["no value", without(VALUE), "alternative.incomplete"],
    ["a key alone", without(ALGORITHM, VALUE), "alternative.incomplete"],
    ["an algorithm alone", without(KEY, VALUE), "alternative.incomplete"],
    ["a value alone", without(KEY, ALGORITHM), "alternative.incomplete"],
    ["none of the three", without(KEY, ALGORITHM, VALUE), "alternative.missing"],
    ["another key", changed(KEY, other.spki), "alternative.invalid"],
    ["another algorithm", changed(ALGORITHM, encodeScheme(findSchemeRow("ml-dsa-65"))), "alternative.invalid"],
    ["an unknown algorithm", changed(ALGORITHM, Uint8Array.fromHex("30040602002a")), "alternative.unsupported"],
    ["a short value", changed(VALUE, bitString(value.subarray(10))), "alternative.invalid"],
    ["an empty value", changed(VALUE, bitString(new Uint8Array())), "alternative.invalid"],
    ["no BIT STRING", changed(VALUE, Uint8Array.of(5, 0)), "alternative.malformed"],
    ["another order", [extensions[1]!, extensions[0]!, ...extensions.slice(2)], "alternative.invalid"],
    ["another criticality", extensions.map((e) => e.oid === KEY ? { ...e, critical: true } : e), "alternative.invalid"],
    ["one more", [...extensions, { oid: "1.2.3", critical: false, value: Uint8Array.of(5, 0) }], "alternative.invalid"],
  ];
  for (const [name, list, code] of cases) eq(await codes(await forged(certificate, sub, list)), [code], name);
  for (const gone of [KEY, ALGORITHM, VALUE]) {
    // Without the native key there are two signatures that do not hold.
    const tbs = encodeTbs({ ...certificate, scheme: sub.scheme, extensions: without(gone) });
    const algorithm = certificate.signatureAlgorithm;
    const damaged = parseCertificate(assembleSigned({ toBeSigned: tbs, algorithm, signature: certificate.signature }));
    notDeepStrictEqual(await codes(damaged), [], gone);
  }
});

Deno.test("the value may stand anywhere among the extensions, and the three may be critical", async () => {
  const { sub, leaf } = await chain();
  const { extensions } = leaf.certificate;
  const value = extensions.at(-1)!;
  for (const at of [0, 2, extensions.length - 2]) {
    const moved = extensions.slice(0, -1).toSpliced(at, 0, value);
    const verdict = await verify(await forged(leaf.certificate, sub, moved));
    eq([verdict.valid, verdict.signatures[0]?.alternative], [true, "ML-DSA-44"], `value at ${at}`);
  }
  const critical = extensions.map((extension) => ({ ...extension, critical: true }));
  const tbs = { ...leaf.certificate, scheme: sub.scheme, extensions: critical.slice(0, -1) };
  const signature = await altSignerOf(sub)!.sign(encodeTbs(tbs, { omitSignature: true }));
  const signed = [...tbs.extensions, { ...critical.at(-1)!, value: bitString(signature) }];
  eq(await codes(await forged(leaf.certificate, sub, signed)), []);
});

Deno.test("an alternative signature over anything else does not count", async () => {
  const { sub, leaf } = await chain();
  const { extensions } = leaf.certificate;
  const fields = { ...leaf.certificate, scheme: sub.scheme, extensions: extensions.slice(0, -1) };
  const keyless = extensions.slice(0, -1).filter(({ oid }) => oid !== KEY);
  const messages: [string, Bytes][] = [
    ["with the signature field", encodeTbs(fields)],
    ["with the value", encodeTbs({ ...fields, extensions }, { omitSignature: true })],
    ["the whole TBSCertificate", leaf.certificate.tbs],
    ["without the key", encodeTbs({ ...fields, extensions: keyless }, { omitSignature: true })],
  ];
  for (const [name, message] of messages) {
    const value = { ...extensions.at(-1)!, value: bitString(await altSignerOf(sub)!.sign(message)) };
    eq(await codes(await forged(leaf.certificate, sub, [...fields.extensions, value])), ["alternative.invalid"], name);
  }
});

Deno.test("every byte of either signature counts", async () => {
  const { sub, leaf } = await chain();
  const { certificate } = leaf;
  const value = certificate.extensions.at(-1)!.value;
  const start = value.byteOffset - certificate.der.byteOffset + 5;
  eq(certificate.der.subarray(start, start + 20), value.subarray(5, 25));
  let count = 0;
  for (let at = start; at < start + 2420; at++) {
    const der = concatBytes(certificate.der);
    der[at]! ^= 1 << (at & 7);
    const damaged = parseCertificate(der);
    eq((await verifyAlternative(damaged, sub.certificate)).code, "alternative.invalid", `byte ${at}`);
    count++;
  }
  eq(count, 2420);
  for (let at = certificate.der.length - certificate.signature.length; at < certificate.der.length; at++) {
    const der = concatBytes(certificate.der);
    der[at]! ^= 0x10;
    eq(await codes(parseCertificate(der)), ["signature.invalid"], `byte ${at}`);
  }
});

Deno.test("a classical-only certificate of an issuer with two keys is refused, or let pass with a warning", async () => {
  const { sub, leaf } = await chain();
  const { alternative: _, ...classical } = sub;
  const { certificate } = await issue({ name: "CN=Downgraded", issuer: classical });
  const refused = await verify(certificate);
  eq(refused.reasons.map(({ code, certificate }) => [code, certificate]), [["alternative.missing", "CN=Downgraded"]]);
  eq(refused.signatures[0], { subject: "CN=Downgraded", scheme: "ECDSA-SHA256", alternative: null });
  eq(refused.chain.length, 3);
  const passed = await verify(certificate, "optional");
  eq([passed.valid, passed.warnings.map(({ code }) => code)], [true, ["alternative.missing"]]);
  eq(passed.signatures[0], { subject: "CN=Downgraded", scheme: "ECDSA-SHA256", alternative: null });
  // The policy is about missing signatures, not about bad ones.
  const bad = await forged(leaf.certificate, sub, leaf.certificate.extensions.filter(({ oid }) => oid !== KEY));
  eq((await verify(bad, "optional")).valid, false);
});

Deno.test("an issuer without alternative key cannot vouch for an alternative signature", async () => {
  const { sub, leaf, root } = await chain();
  const { alternative: _, ...classical } = root;
  const bare = await forged(sub.certificate, classical, sub.certificate.extensions.slice(0, -3));
  const verdict = await verifyCertificate(leaf.certificate, {
    anchors: [root.certificate],
    intermediates: [bare],
    at: daysFromNow(0),
  });
  eq(verdict.reasons.map(({ code }) => code), ["alternative.no_key"]);
  eq((await verifyAlternative(leaf.certificate, bare)).code, "alternative.no_key");
  // With both at hand the path over the right one is found.
  const both = await verifyCertificate(leaf.certificate, {
    anchors: [root.certificate],
    intermediates: [bare, sub.certificate],
    at: daysFromNow(0),
  });
  eq(both.valid, true);
});

/** Forms that BouncyCastle's published certificates have: self-signed, the key critical, algorithm and value not. */
const FORMS: [algorithm: string, alternative: string, scheme: string][] = [
  ["ecdsa-p256", "ml-dsa-44", "ecdsa-sha256"],
  ["ecdsa-p521", "ml-dsa-87", "ecdsa-sha512"],
  ["rsa-3072", "ml-dsa-44", "rsa-pkcs1-sha256"],
];

for (const [algorithm, alternative, scheme] of FORMS) {
  Deno.test(`${algorithm} with ${alternative}, self-signed, the alternative key critical`, async () => {
    const options = { name: "CN=Form", algorithm, alternative, scheme: findSchemeRow(scheme) };
    const { certificate, key, alternative: second } = await issue(options);
    const extensions = certificate.extensions.slice(0, -1).map((e) => e.oid === KEY ? { ...e, critical: true } : e);
    const fields = { ...certificate, scheme: options.scheme, extensions };
    const value = bitString(await second!.key.signer(second!.scheme).sign(encodeTbs(fields, { omitSignature: true })));
    const form = await forged(certificate, { certificate, key, scheme: options.scheme }, [
      ...extensions,
      { oid: VALUE, critical: false, value },
    ]);
    const trust = { anchors: [form], intermediates: [], at: daysFromNow(0) };
    eq((await verifyCertificate(form, trust)).signatures, [
      { subject: "CN=Form", scheme: options.scheme.label, alternative: second!.scheme.label },
    ]);
    const damaged = parseCertificate(form.der.with(form.der.length - 1, form.der.at(-1)! ^ 1) as Bytes);
    eq((await verifyCertificate(damaged, { ...trust, anchors: [damaged] })).valid, false);
  });
}

Deno.test("any two signature keys may work together", async () => {
  const pairs = [["ml-dsa-65", "ecdsa-p256"], ["ed25519", "slh-dsa-128f"], ["ml-dsa-44", "ml-dsa-65"]] as const;
  for (const [algorithm, alternative] of pairs) {
    const root = await issue({ name: "CN=Pair", algorithm, alternative });
    const { certificate } = await issue({ name: "CN=Below", issuer: root });
    const trust = { anchors: [root.certificate], intermediates: [], at: daysFromNow(0) };
    const { valid, signatures } = await verifyCertificate(certificate, trust);
    eq([valid, signatures.length, typeof signatures[0]!.alternative], [true, 1, "string"], alternative);
  }
});

async function tbsSpec(more: Partial<TbsSpec> = {}): Promise<TbsSpec & { key: Signer; second: Signer }> {
  const [native, alternative] = [await testKey("ecdsa-p256", "tbs"), await testKey("ml-dsa-44", "tbs")];
  const name = encodeName(parseNameText("CN=Spec"));
  return {
    serial: generateSerial(),
    issuer: name,
    subject: name,
    notBefore: daysFromNow(-1),
    notAfter: daysFromNow(1),
    spki: native.spki,
    scheme: findSchemeRow("ecdsa-sha256"),
    extensions: caExtensions(),
    alternative: { spki: alternative.spki, scheme: findSchemeRow("ml-dsa-44") },
    ...more,
    key: native.signer(defaultScheme(native.algorithm)),
    second: alternative.signer(defaultScheme(alternative.algorithm)),
  };
}

Deno.test("nothing comes out unless both signers fit and both signatures are good", async () => {
  const spec = await tbsSpec();
  const { key, second } = spec;
  const linted = lintTbs(await buildTbsCertificate(spec));
  eq(alternativeSpki(await signCertificate(linted, key, second)), second.spki);
  const { alternative: _, ...single } = spec;
  const stranger = (await testKey("ml-dsa-44", "stranger")).signer(findSchemeRow("ml-dsa-44"));
  const lying: Signer = { ...stranger, spki: second.spki, sign: (message) => stranger.sign(message) };
  const other = (await testKey("ml-dsa-65", "tbs")).signer(findSchemeRow("ml-dsa-65"));
  const unnamed = lintTbs(await buildTbsCertificate(single));
  const cases: [string, sign: () => Promise<Certificate>, RegExp, string][] = [
    [
      "no alternative signer",
      () => signCertificate(linted, key),
      /no signer for its alternative/,
      "sign.scheme_mismatch",
    ],
    [
      "one too many",
      () => signCertificate(unnamed, key, second),
      /names no alternative signature/,
      "sign.scheme_mismatch",
    ],
    [
      "another scheme",
      () => signCertificate(linted, key, other),
      /names ML-DSA-44, the signer does/,
      "sign.scheme_mismatch",
    ],
    ["the wrong way round", () => signCertificate(linted, second, key), /names ECDSA-SHA256/, "sign.scheme_mismatch"],
    ["another key", () => signCertificate(linted, key, stranger), /not the one that signs/, "sign.key_mismatch"],
    [
      "a wrong signature",
      () => signCertificate(linted, key, lying),
      /alternative ML-DSA-44 signature/,
      "sign.verify_failed",
    ],
  ];
  for (const [name, sign, message, code] of cases) {
    await rejects(sign, (e) => e instanceof OperationError && e.code === code && message.test(e.message), name);
  }
});

Deno.test("alternative keys that no certificate may have are refused before anything is signed", async () => {
  const scheme = findSchemeRow("ml-dsa-44");
  const native = await testKey("ecdsa-p256", "tbs");
  const kem = await testKey("ml-kem-512", "tbs");
  const other = await testKey("ml-dsa-65", "tbs");
  const custom = (oid: string): Extension => ({ oid, critical: false, value: sequence() });
  const cases: [name: string, change: Partial<TbsSpec>, message: RegExp][] = [
    ["a KEM key", { alternative: { spki: kem.spki, scheme } }, /ML-KEM-512 cannot sign/],
    ["another set", { alternative: { spki: other.spki, scheme } }, /ML-DSA-65 does not sign with ML-DSA-44/],
    ["no key of its own", { alternative: { scheme } }, /has no alternative key/],
    [
      "a value in the profile",
      { extensions: { ...caExtensions(), custom: [custom(VALUE)] } },
      /before anything was signed/,
    ],
  ];
  for (const [name, change, message] of cases) {
    const tbs = await buildTbsCertificate(await tbsSpec(change));
    throws(() => lintTbs(tbs), (e) => e instanceof OperationError && message.test(e.message), name);
  }
  const { alternative: _, ...single } = await tbsSpec();
  for (
    const [oid, message] of [[KEY, /not the subject's alternative key/], [
      ALGORITHM,
      /is not what the issuer's/,
    ]] as const
  ) {
    const tbs = await buildTbsCertificate({ ...single, extensions: { ...caExtensions(), custom: [custom(oid)] } });
    throws(() => lintTbs(tbs), message);
  }
  await rejects(
    buildTbsCertificate(await tbsSpec({ alternative: { spki: native.spki, scheme } })),
    (e) => e instanceof InputError && e.code === "alternative.same_key",
  );
  await rejects(buildTbsCertificate(await tbsSpec({ extensions: { custom: [custom(ALGORITHM)] } })), /stated twice/);
});

// CRLs

async function crlVerdict(crl: Crl, alternative?: AlternativePolicy) {
  return await verifyCrl(crl, (await chain()).sub.certificate, alternative ? { alternative } : {});
}

/** The CRL with other extensions, signed anew by the native key. */
async function forgedCrl(crl: Crl, extensions: readonly Extension[]): Promise<Crl> {
  const { sub } = await chain();
  const fields = readDer(crl.tbs).children.slice(0, -1).map(({ raw }) => raw);
  const tbs = sequenceOf([...fields, explicit(0, encodeExtensionList(extensions))]);
  return parseCrl(await signStructure(tbs, signerOf(sub), { what: "CRL" }));
}

Deno.test("a CRL of an issuer with two keys has two signatures, and both are checked", async () => {
  const { sub } = await chain();
  const revoked = [{ serial: "0A", revocationDate: daysFromNow(-2), reason: "keyCompromise" as const }];
  for (const crl of [await crlOf(sub, { revoked }), await crlOf(sub)]) {
    eq(oids(crl).slice(-2), [ALGORITHM, VALUE]);
    eq(await crlVerdict(crl), {
      valid: true,
      signatures: [{ subject: "CN=Sub", scheme: "ECDSA-SHA256", alternative: "ML-DSA-44" }],
    });
    const pre = readDer(preTbsCertList(crl.tbs));
    eq(pre.children.length, readDer(crl.tbs).children.length - 1);
    ok(!pre.children.some(({ raw }) => equalBytes(raw, crl.signatureAlgorithm)));
    match((await describeCrl(crl)).text, /altSignatureAlgorithm:\n {12}ML-DSA-44\n/);
  }
});

Deno.test("forged CRLs: each way has its reason", async () => {
  const { sub } = await chain();
  const crl = await crlOf(sub, { revoked: [{ serial: "0A", revocationDate: daysFromNow(-2) }] });
  const { extensions } = crl;
  const without = (...types: string[]) => extensions.filter(({ oid }) => !types.includes(oid));
  const swapped = [extensions[1]!, extensions[0]!, ...extensions.slice(2)];
  const cases: [string, readonly Extension[], RegExp][] = [
    ["no algorithm", without(ALGORITHM), /altSignatureValue but no altSignatureAlgorithm/],
    ["no value", without(VALUE), /altSignatureAlgorithm but no altSignatureValue/],
    ["neither", without(ALGORITHM, VALUE), /no alternative signature although its issuer has an alternative key/],
    ["no number", without("2.5.29.20"), /alternative ML-DSA-44 signature does not verify/],
    ["another order", swapped, /alternative ML-DSA-44 signature does not verify/],
  ];
  for (const [name, list, reason] of cases) {
    const verdict = await crlVerdict(await forgedCrl(crl, list));
    eq(verdict.valid, false, name);
    match(verdict.reason!, reason, name);
  }
  const first = await forgedCrl(crl, [extensions.at(-1)!, ...extensions.slice(0, -1)]);
  eq((await crlVerdict(first)).valid, true, "the value first");
  const classical = await forgedCrl(crl, without(ALGORITHM, VALUE));
  eq(await crlVerdict(classical, "optional"), {
    valid: true,
    signatures: [{ subject: "CN=Sub", scheme: "ECDSA-SHA256", alternative: null }],
  });
  // An entry more, an entry less: an attacker with the native key alone cannot make or hide a revocation.
  const hidden = await forgedCrlWithoutEntries(crl);
  match((await crlVerdict(hidden)).reason!, /alternative ML-DSA-44 signature/);
});

async function forgedCrlWithoutEntries(crl: Crl): Promise<Crl> {
  const { sub } = await chain();
  const fields = readDer(crl.tbs).children.map(({ raw }) => raw);
  const tbs = sequenceOf(fields.filter((_, i) => i !== 5));
  return parseCrl(await signStructure(tbs, signerOf(sub), { what: "CRL" }));
}

Deno.test("every byte of a CRL's alternative signature counts; a certificate is not judged by a CRL with a bad one", async () => {
  const { root, sub, leaf } = await chain();
  const crl = await crlOf(sub);
  const value = crl.extensions.at(-1)!;
  const start = crl.tbs.length - 2420;
  for (let at = start; at < crl.tbs.length; at += 7) {
    const damaged = concatBytes(value.value);
    damaged[at - start + 5]! ^= 2;
    const list = [...crl.extensions.slice(0, -1), { ...value, value: damaged }];
    match((await crlVerdict(await forgedCrl(crl, list))).reason!, /alternative/, `byte ${at - start}`);
  }
  const classical = await forgedCrl(crl, crl.extensions.slice(0, -2));
  const options = {
    anchors: [root.certificate],
    intermediates: [sub.certificate],
    at: daysFromNow(0),
    crls: [classical],
  };
  const strict = await verifyCertificate(leaf.certificate, options);
  eq(strict.reasons.map(({ code }) => code), ["crl.invalid"]);
  match(strict.reasons[0]!.message, /no alternative signature/);
  eq((await verifyCertificate(leaf.certificate, { ...options, alternative: "optional" })).valid, true);
  eq((await verifyCertificate(leaf.certificate, { ...options, crls: [crl], requireCrl: false })).valid, true);
});

Deno.test("a CRL with a wrong alternative signature does not come out, one with a stranger's does not pass", async () => {
  const { sub } = await chain();
  const key = await testKey("ml-dsa-44", "stranger");
  const scheme = defaultScheme(key.algorithm);
  const byStranger = await crlOf({ ...sub, alternative: { key, scheme } });
  match((await crlVerdict(byStranger)).reason!, /alternative ML-DSA-44 signature/);
  const stranger = key.signer(scheme);
  const lying: Signer = { ...stranger, spki: sub.alternative!.key.spki, sign: (message) => stranger.sign(message) };
  const spec = {
    issuer: sub.certificate.subject,
    authorityKeyId: subjectKeyId(sub.certificate)!,
    thisUpdate: daysFromNow(0),
    nextUpdate: daysFromNow(1),
    number: "01",
    revoked: [],
  };
  await rejects(
    buildCrl(spec, signerOf(sub), lying),
    (e) => e instanceof OperationError && e.code === "sign.verify_failed" && /Cannot sign the CRL/.test(e.message),
  );
});

Deno.test("the three extensions are described", async () => {
  const { leaf } = await chain();
  const { text, json } = await describeCertificate(leaf.certificate);
  match(text, /subjectAltPublicKeyInfo:\n {12}ML-DSA-65\n {8}altSignatureAlgorithm:\n {12}ML-DSA-44\n/);
  match(text, /altSignatureValue:\n {12}2420 bytes\n/);
  const extensions = json["extensions"] as { name: string; value: unknown }[];
  eq(extensions.slice(-3).map(({ name }) => name), [
    "subjectAltPublicKeyInfo",
    "altSignatureAlgorithm",
    "altSignatureValue",
  ]);
});
