import { deepStrictEqual as eq, ok } from "node:assert/strict";
import {
  altSignerOf,
  caExtensions,
  crlOf,
  daysFromNow,
  issue,
  leafExtensions,
  NOW,
  signerOf,
  testKey,
} from "../../tests/support/pki.ts";
import { type Bytes, concatBytes, randomBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { describeCertificate, parseCertificate, readCertificates } from "./certificate.ts";
import { describeCrl, parseCrl, readCrl, verifyCrl } from "./crl.ts";
import { buildCsr, describeCsr, parseCsr, readCsr, verifyCsr } from "./csr.ts";
import { parseNameText } from "./name.ts";
import { verifyCertificate } from "./verify.ts";

/**
 * Damaged input: every truncation, every single bit turned over, insertions, and shapes made to exhaust a parser. The only
 * answers allowed are a typed error with the right code, or an object whose signature no longer verifies.
 */

/** One kind of object under attack. */
interface Target<T> {
  readonly der: Bytes;
  readonly code: string;
  parse(der: Uint8Array): T;
  describe(object: T): Promise<unknown>;
  /** Whether the object is accepted as genuine. */
  isValid(object: T): Promise<boolean>;
}

const root = await issue({ name: "CN=Root,O=x", extensions: caExtensions(0) });
const leaf = await issue({
  name: "C=FR,O=Été,CN=Leaf",
  issuer: root,
  extensions: leafExtensions("a.test", {
    basicConstraints: { critical: true, ca: false },
    extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.1"] },
    subjectAltName: {
      critical: false,
      names: [{ type: "ip", value: "10.0.0.1" }, { type: "directory", value: parseNameText("CN=d") }],
    },
    certificatePolicies: { critical: false, policies: [{ oid: "1.2.3", cps: "http://p/", userNotice: "n" }] },
    crlDistributionPoints: { critical: false, urls: ["http://c/"] },
    authorityInfoAccess: { ocsp: ["http://o/"], caIssuers: [] },
    qcStatements: {
      critical: false,
      qcCompliance: true,
      qcSscd: false,
      qcTypes: ["0.4.0.1862.1.6.1"],
      qcPds: [{ url: "https://p/", language: "en" }],
    },
  }),
});
const csr = await buildCsr(
  { subject: parseNameText("C=FR,CN=Ask"), spki: leaf.key.spki, extensions: leafExtensions() },
  signerOf(leaf),
);
const crl = await crlOf(root, {
  revoked: [
    { serial: "0123456789ABCDEF", revocationDate: daysFromNow(-1), reason: "superseded" },
    { serial: "7F", revocationDate: new Date("2055-01-01T00:00:00Z") },
  ],
});

const certificateTarget: Target<ReturnType<typeof parseCertificate>> = {
  der: leaf.certificate.der,
  code: "certificate.invalid",
  parse: parseCertificate,
  describe: describeCertificate,
  isValid: async (c) =>
    (await verifyCertificate(c, { intermediates: [], anchors: [root.certificate], crls: [crl], at: NOW })).valid,
};
const csrTarget: Target<ReturnType<typeof parseCsr>> = {
  der: csr.der,
  code: "csr.invalid",
  parse: parseCsr,
  describe: describeCsr,
  isValid: async (c) => (await verifyCsr(c)).valid,
};
const crlTarget: Target<ReturnType<typeof parseCrl>> = {
  der: crl.der,
  code: "crl.invalid",
  parse: parseCrl,
  describe: describeCrl,
  isValid: async (c) => (await verifyCrl(c, root.certificate)).valid,
};
const twoKeys = await issue({ name: "CN=Two", alternative: "ml-dsa-44", extensions: caExtensions(0) });
const twoLeaf = await issue({ name: "CN=Leaf", issuer: twoKeys, alternative: "ml-dsa-44" });
const twoTrust = { anchors: [twoKeys.certificate], intermediates: [], at: NOW };
const twoCsr = await buildCsr(
  { subject: parseNameText("CN=Leaf"), spki: twoLeaf.key.spki, extensions: leafExtensions() },
  signerOf(twoLeaf),
  altSignerOf(twoLeaf),
);
const twoCrl = await crlOf(twoKeys, { revoked: [{ serial: "7F", revocationDate: daysFromNow(-1) }] });
const kemCsr = await buildCsr({
  subject: parseNameText("CN=Leaf"),
  spki: (await testKey("ml-kem-512")).spki,
  possession: { certificate: twoLeaf.certificate, include: true },
}, signerOf(twoLeaf));

const TARGETS: Record<string, Target<unknown>> = {
  certificate: certificateTarget as Target<unknown>,
  request: csrTarget as Target<unknown>,
  CRL: crlTarget as Target<unknown>,
  "certificate with two signatures": {
    ...certificateTarget,
    der: twoLeaf.certificate.der,
    isValid: async (c: typeof leaf.certificate) => (await verifyCertificate(c, twoTrust)).valid,
  } as Target<unknown>,
  "request with two signatures": { ...csrTarget, der: twoCsr.der } as Target<unknown>,
  "CRL with two signatures": {
    ...crlTarget,
    der: twoCrl.der,
    isValid: async (c: typeof crl) => (await verifyCrl(c, twoKeys.certificate)).valid,
  } as Target<unknown>,
  "request with a statement of possession": {
    ...csrTarget,
    der: kemCsr.der,
    isValid: async (c: typeof csr) => (await verifyCsr(c, { attestTrust: twoTrust })).valid,
  } as Target<unknown>,
};

/** 1 for a small object, for one with a post-quantum signature an odd step: it meets every bit of an octet in turn. */
function step(length: number): number {
  return length < 2_000 ? 1 : Math.floor(length / 400) | 1;
}

/** Parses damaged bytes; what can be read must be describable and must not pass as genuine. */
async function attack(target: Target<unknown>, bytes: Bytes, what: string): Promise<"refused" | "read"> {
  let object: unknown;
  try {
    object = target.parse(bytes);
  } catch (error) {
    ok(error instanceof InputError, `${what}: ${error}`);
    eq(error.code, target.code, what);
    return "refused";
  }
  await target.describe(object);
  eq(await target.isValid(object), false, `${what} is accepted`);
  return "read";
}

for (const [name, target] of Object.entries(TARGETS)) {
  Deno.test(`${name}: undamaged it is valid`, async () => {
    eq(await target.isValid(target.parse(target.der)), true);
  });

  Deno.test(`${name}: every truncation is refused`, async () => {
    for (let length = 0; length < target.der.length; length++) {
      eq(await attack(target, target.der.slice(0, length), `cut to ${length}`), "refused", `cut to ${length}`);
    }
  });

  Deno.test(`${name}: every bit turned over is refused or breaks the signature`, async () => {
    const counts = { refused: 0, read: 0 };
    const stride = step(target.der.length);
    for (let bit = 0; bit < target.der.length * 8; bit += stride) {
      const bytes = concatBytes(target.der);
      bytes[bit >> 3]! ^= 0x80 >> (bit & 7);
      counts[await attack(target, bytes, `bit ${bit}`)]++;
    }
    ok(counts.refused > 50 && counts.read > 100, JSON.stringify(counts));
  });

  Deno.test(`${name}: bytes put in, taken out or repeated`, async () => {
    for (let at = 0; at < target.der.length; at += 3 * step(target.der.length)) {
      const [head, tail] = [target.der.subarray(0, at), target.der.subarray(at)];
      for (const extra of [0x00, 0x30, 0xff, 0x80]) {
        await attack(target, concatBytes(head, Uint8Array.of(extra), tail), `${extra} at ${at}`);
      }
      await attack(target, concatBytes(head, tail.subarray(1)), `without ${at}`);
    }
    await attack(target, concatBytes(target.der, target.der), "twice");
  });

  Deno.test(`${name}: random bytes, and shapes made to exhaust a parser`, async () => {
    for (let i = 0; i < 500; i++) {
      const bytes = randomBytes(1 + i);
      bytes[0] = 0x30;
      eq(await attack(target, bytes, `random ${i}`), "refused");
    }
    const nested = new Uint8Array(400_000);
    for (let at = 0; at + 4 <= nested.length; at += 4) {
      // SEQUENCE with a two-octet length for as long as that says anything.
      nested.set([0x30, 0x82, 0xff, 0xff], at);
    }
    const shapes: Record<string, Bytes> = {
      "a length of 4 GB": Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff),
      "a length of 127 octets": Uint8Array.of(0x30, 0xff, ...new Uint8Array(127)),
      "an indefinite length": Uint8Array.of(0x30, 0x80, 0, 0),
      "deep nesting": deep(5_000),
      "nesting beyond the end": nested,
      "a million empty SEQUENCEs": wide(1_000_000),
      "a long tag": Uint8Array.of(0x3f, ...new Uint8Array(100).fill(0xff)),
      "nothing": new Uint8Array(),
    };
    for (const [what, bytes] of Object.entries(shapes)) {
      const start = performance.now();
      eq(await attack(target, bytes, what), "refused");
      ok(performance.now() - start < 3_000, `${what} took ${performance.now() - start} ms`);
    }
  });
}

/** SEQUENCEs within one another, each with a correct length. */
function deep(levels: number): Bytes {
  let der: Bytes = Uint8Array.of(0x30, 0);
  for (let i = 0; i < levels; i++) {
    const { length } = der;
    const header = length < 0x80
      ? [0x30, length]
      : length < 0x10000
      ? [0x30, 0x82, length >> 8, length & 0xff]
      : [0x30, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
    if (length >= 0x80 && length < 0x100) header.splice(1, 3, 0x81, length);
    der = concatBytes(Uint8Array.from(header), der);
  }
  return der;
}

/** One SEQUENCE of `count` empty ones. */
function wide(count: number): Bytes {
  const out = new Uint8Array(5 + 2 * count);
  out.set([0x30, 0x83, (2 * count) >> 16, ((2 * count) >> 8) & 0xff, (2 * count) & 0xff]);
  for (let i = 0; i < count; i++) out[5 + 2 * i] = 0x30;
  return out;
}

Deno.test("damaged files: every error is typed and names the file", () => {
  const pem = (label: string, der: Bytes) => `-----BEGIN ${label}-----\n${der.toBase64()}\n-----END ${label}-----\n`;
  const files: [text: string, read: (content: Uint8Array, file: string) => unknown][] = [
    [pem("CERTIFICATE", leaf.certificate.der), readCertificates],
    [pem("CERTIFICATE REQUEST", csr.der), readCsr],
    [pem("X509 CRL", crl.der), readCrl],
  ];
  for (const [text, read] of files) {
    const whole = new TextEncoder().encode(text);
    ok(read(whole, "f"));
    for (let at = 0; at < whole.length; at++) {
      for (const damaged of [whole.slice(0, at), flipped(whole, at)]) {
        try {
          read(damaged, "f");
        } catch (error) {
          ok(error instanceof InputError && error.file === "f", `at ${at}: ${error}`);
        }
      }
    }
  }
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  out[at]! ^= 1 << (at % 8);
  return out;
}
