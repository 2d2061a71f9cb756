import { deepStrictEqual as eq, match, ok, rejects } from "node:assert/strict";
import { leafExtensions, testKey } from "../../tests/support/pki.ts";
import { defaultScheme, findSchemeRow } from "../alg/find.ts";
import { bitString, implicit, nullDer, oid, readDer, sequence, sequenceOf, setOf } from "../asn1/der.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { encodeScheme } from "../keys/scheme.ts";
import type { Signer } from "../keys/types.ts";
import { verifySignature } from "../keys/verify.ts";
import { buildCsr, describeCsr, parseCsr, requestedAlternative, verifyCsr } from "./csr.ts";
import { preRequestInfo } from "./csr_attributes.ts";
import { parseNameText } from "./name.ts";
import { signStructure } from "./sign.ts";
import type { Csr } from "./types.ts";

/** Requests with an alternative key: three PKCS#10 attributes, two signatures. */

const KEY = "2.5.29.72";
const ALGORITHM = "2.5.29.73";
const VALUE = "2.5.29.74";

async function signers(): Promise<{ native: Signer; second: Signer }> {
  const [native, second] = [await testKey("ecdsa-p256", "csr"), await testKey("ml-dsa-65", "csr")];
  return {
    native: native.signer(defaultScheme(native.algorithm)),
    second: second.signer(defaultScheme(second.algorithm)),
  };
}

async function example(): Promise<Csr> {
  const { native, second } = await signers();
  const spec = { subject: parseNameText("CN=a"), spki: native.spki, extensions: leafExtensions() };
  return await buildCsr(spec, native, second);
}

Deno.test("a request for two keys has three attributes more and is signed by both keys", async () => {
  const { native, second } = await signers();
  const csr = await example();
  // A SET OF is sorted by its encodings: the longer lengths come last.
  eq(csr.attributes.map(({ oid }) => oid).sort(), ["1.2.840.113549.1.9.14", KEY, ALGORITHM, VALUE].sort());
  const { spki, algorithm, signature } = requestedAlternative(csr);
  eq([csr.spki, spki, algorithm], [native.spki, second.spki, encodeScheme(second.scheme)]);
  eq(signature?.length, 3309);
  eq(await verifyCsr(csr), {
    valid: true,
    signatures: [{ subject: "CN=a", scheme: "ECDSA-SHA256", alternative: "ML-DSA-65" }],
    possession: "proved",
    warnings: [],
  });
  const { text, json } = await describeCsr(csr);
  match(
    text,
    / {4}Alternative Public Key: ML-DSA-65\n {8}SHA-256: [0-9a-f]{64}\n {4}Alternative Signature Algorithm: ML/,
  );
  eq(json["alternative_signature_algorithm"], "ML-DSA-65");
});

Deno.test("the alternative signature covers the request without its own attribute, and nothing else", async () => {
  const { second } = await signers();
  const csr = await example();
  const { signature } = requestedAlternative(csr);
  const [version, subject, spki, attributes] = readDer(csr.info).children;
  const kept = attributes!.children.map(({ raw }) => raw).filter((raw) => !raw.toHex().includes("0603551d4a"));
  const byHand = sequence(version!.raw, subject!.raw, spki!.raw, implicit(0, setOf(...kept)));
  eq(preRequestInfo(csr.info), byHand);
  const check = (message: Bytes) =>
    verifySignature({ spki: second.spki, scheme: second.scheme, message, signature: signature! });
  ok(await check(byHand));
  ok(!await check(csr.info));
});

/** A request with these attributes, signed anew by the native key. */
async function forged(csr: Csr, attributes: readonly Bytes[], sorted = true): Promise<Csr> {
  const { native } = await signers();
  const head = readDer(csr.info).children.slice(0, 3).map(({ raw }) => raw);
  const set = implicit(0, sorted ? setOf(...attributes) : sequenceOf(attributes));
  return parseCsr(await signStructure(sequence(...head, set), native, { what: "certificate request" }));
}

function rawAttributes(csr: Csr): Map<string, Bytes> {
  const list = readDer(csr.info).children[3]!.children;
  return new Map(csr.attributes.map(({ oid }, i) => [oid, list[i]!.raw]));
}

Deno.test("forged requests: each way has its reason", async () => {
  const csr = await example();
  const all = rawAttributes(csr);
  const without = (...types: string[]) => [...all].filter(([oid]) => !types.includes(oid)).map(([, raw]) => raw);
  const attribute = (type: string, ...values: Bytes[]) => sequence(oid(type), setOf(...values));
  const { second } = await signers();
  const other = await testKey("ml-dsa-65", "other");
  const value = requestedAlternative(csr).signature!;
  const cases: [name: string, attributes: Bytes[], code: string][] = [
    ["no key", without(KEY), "alternative.incomplete"],
    ["no algorithm", without(ALGORITHM), "alternative.incomplete"],
    ["no value", without(VALUE), "alternative.incomplete"],
    ["a key alone", without(ALGORITHM, VALUE), "alternative.incomplete"],
    ["an algorithm alone", without(KEY, VALUE), "alternative.incomplete"],
    ["a value alone", without(KEY, ALGORITHM), "alternative.incomplete"],
    ["other extensions", without("1.2.840.113549.1.9.14"), "alternative.invalid"],
    ["one more", [...all.values(), attribute("1.2.3", nullDer())], "alternative.invalid"],
    ["another key", [...without(KEY), attribute(KEY, other.spki)], "alternative.invalid"],
    [
      "another algorithm",
      [...without(ALGORITHM), attribute(ALGORITHM, encodeScheme(findSchemeRow("ml-dsa-44")))],
      "alternative.invalid",
    ],
    [
      "an unknown algorithm",
      [...without(ALGORITHM), attribute(ALGORITHM, sequence(oid("1.2.3")))],
      "alternative.unsupported",
    ],
    ["a short value", [...without(VALUE), attribute(VALUE, bitString(value.subarray(1)))], "alternative.invalid"],
    [
      "two values",
      [...without(VALUE), attribute(VALUE, bitString(value), bitString(value.subarray(1)))],
      "request.malformed",
    ],
    ["no value in it", [...without(VALUE), attribute(VALUE)], "request.malformed"],
    ["a key that is none", [...without(KEY), attribute(KEY, nullDer())], "request.malformed"],
    ["a value that is none", [...without(VALUE), attribute(VALUE, nullDer())], "request.malformed"],
  ];
  for (const [name, attributes, code] of cases) {
    const verdict = await verifyCsr(await forged(csr, attributes));
    eq([verdict.valid, verdict.code, verdict.possession], [false, code, "none"], name);
    ok(verdict.reason!.length > 20, name);
  }
  eq((await verifyCsr(await forged(csr, without(KEY, ALGORITHM, VALUE)))).signatures, [
    { subject: "CN=a", scheme: "ECDSA-SHA256" },
  ]);
  // The set is a set: whoever does not sort it signs the same thing.
  eq((await verifyCsr(await forged(csr, [...all.values()].reverse(), false))).valid, true);
  eq(second.scheme.name, "ml-dsa-65");
});

Deno.test("every byte of either signature of a request counts", async () => {
  const csr = await example();
  const { signature } = requestedAlternative(csr);
  const start = signature!.byteOffset - csr.der.byteOffset;
  const spans: [from: number, to: number][] = [
    [start, start + signature!.length],
    [csr.der.length - csr.signature.length, csr.der.length],
  ];
  for (const [from, to] of spans) {
    for (let at = from; at < to; at += 3) {
      const der = concatBytes(csr.der);
      der[at]! ^= 1;
      eq((await verifyCsr(parseCsr(der))).valid, false, `byte ${at}`);
    }
  }
  // With the native signature made anew the other one is what tells.
  const all = rawAttributes(csr);
  for (let at = 0; at < signature!.length; at += 13) {
    const raw = concatBytes(all.get(VALUE)!);
    raw[raw.length - signature!.length + at]! ^= 1;
    const verdict = await verifyCsr(await forged(csr, [...all].map(([oid, der]) => (oid === VALUE ? raw : der))));
    eq(verdict.code, "alternative.invalid", `byte ${at}`);
  }
});

Deno.test("a request does not come out with a wrong or the same alternative key", async () => {
  const { native, second } = await signers();
  const spec = { subject: parseNameText("CN=a"), spki: native.spki };
  const stranger = (await testKey("ml-dsa-65", "stranger")).signer(second.scheme);
  const lying: Signer = { ...stranger, spki: second.spki, sign: (message) => stranger.sign(message) };
  await rejects(
    buildCsr(spec, native, lying),
    (e) => e instanceof OperationError && e.code === "sign.verify_failed" && /alternative ML-DSA-65/.test(e.message),
  );
  await rejects(buildCsr(spec, native, native), (e) => e instanceof InputError && e.code === "alternative.same_key");
});
