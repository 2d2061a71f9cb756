/**
 * Bad input with post-quantum and hybrid objects, through the command line: Catalyst certificates that lack one of their
 * extensions, and keys and signatures that are too short, too long or empty. Everything around the damage is whole and
 * properly signed, so that the damage itself is what is noticed.
 */
import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import { bitString, implicit, integer, octetString, readBitOctets, readDer, sequence } from "../../src/asn1/der.ts";
import { type Bytes, decodePem, encodePem, plainBytes } from "../../src/bytes.ts";
import type { SoftwareKey } from "../../src/keys/software.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { readCsr, requestedAlternative } from "../../src/x509/csr.ts";
import { encodeRequestInfo } from "../../src/x509/csr_attributes.ts";
import { encodeName, parseNameText } from "../../src/x509/name.ts";
import { signStructure } from "../../src/x509/sign.ts";
import { assembleSigned, readSigned } from "../../src/x509/structure.ts";
import { encodeTbs } from "../../src/x509/tbs.ts";
import type { Certificate } from "../../src/x509/types.ts";
import { runInProcess } from "../support/in_process.ts";
import { caExtensions, crlOf, type Holder, issue, signerOf } from "../support/pki.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { treeOf } from "../ca/support.ts";

interface Expected {
  status: number;
  /** Must match stdout and stderr together. */
  says: RegExp;
}

/** The same command on what is whole, so that a refusal is for the damage. */
async function accepted(tmp: TempFolder, line: string): Promise<void> {
  const result = await runInProcess(line.split(" "), { cwd: tmp.path });
  assert.equal(result.status, 0, `${line}\n${result.stdout}${result.stderr}`);
}

/** Runs a command on bad input: the status, the message, nothing unforeseen and nothing left behind. */
async function refused(tmp: TempFolder, line: string, { status, says }: Expected): Promise<void> {
  const before = treeOf(tmp.path);
  const result = await runInProcess(line.split(" "), { cwd: tmp.path });
  const output = result.stdout + result.stderr;
  assert.equal(result.status, status, `${line}\n${output}`);
  assert.match(output, says, line);
  assert.doesNotMatch(output, /Internal error|\n\s+at .*\.ts:\d+/, line);
  assert.deepEqual(treeOf(tmp.path), before, line);
}

function certificatePem(...certificates: Certificate[]): string {
  return certificates.map(({ der }) => encodePem("CERTIFICATE", der)).join("");
}

const [KEY, ALGORITHM, VALUE] = ["2.5.29.72", "2.5.29.73", "2.5.29.74"] as const;

/** The certificate without an extension, signed anew with the issuer's native key, which knows of no alternative one. */
async function without(oid: string, { certificate }: Holder, issuer: Holder): Promise<Certificate> {
  const extensions = certificate.extensions.filter((one) => one.oid !== oid);
  const tbs = encodeTbs({ ...certificate, scheme: issuer.scheme, extensions });
  return parseCertificate(await signStructure(tbs, signerOf(issuer), { what: "certificate" }));
}

const LACKING: [name: string, oid: string, says: RegExp][] = [
  ["subjectAltPublicKeyInfo", KEY, /the alternative ML-DSA-44 signature does not verify/],
  ["altSignatureAlgorithm", ALGORITHM, /altSignatureValue but no altSignatureAlgorithm/],
  ["altSignatureValue", VALUE, /altSignatureAlgorithm but no altSignatureValue/],
];

Deno.test("bad input: a Catalyst certificate that lacks one of its three extensions", async (t) => {
  using tmp = tempFolder();
  const root = await issue({ name: "CN=Root", alternative: "ml-dsa-44" });
  const leaf = await issue({ name: "CN=Leaf", alternative: "ml-dsa-44", issuer: root });
  tmp.write("root.pem", certificatePem(root.certificate));
  await accepted(tmp, "ca init --csr-only -P hybrid/catalyst/issuing-ca --var cn=Sub -d sub");
  const csr = readCsr(Deno.readFileSync(tmp.join("sub/versions/v1/ca.csr")));
  const publicKey = (spki: Bytes, algorithm: string) => ({ spki, algorithm: findKeyRow(algorithm) }) as SoftwareKey;
  const sub = await issue({
    name: "CN=Sub",
    issuer: root,
    key: publicKey(csr.spki, "ecdsa-p256"),
    alternativeKey: publicKey(requestedAlternative(csr).spki!, "ml-dsa-65"),
    extensions: caExtensions(0),
  });
  for (const [name, oid, says] of LACKING) {
    await t.step(name, async () => {
      tmp.write("leaf.pem", certificatePem(await without(oid, leaf, root)));
      await refused(tmp, "cert verify leaf.pem --ca root.pem", { status: 1, says });
      await refused(tmp, "cert verify leaf.pem --ca root.pem --alternative optional", { status: 1, says });
      assert.equal((await runInProcess(["inspect", tmp.join("leaf.pem")])).status, 0);
      tmp.write("sub.pem", certificatePem(await without(oid, sub, root)));
      const mismatch = oid === KEY ? { status: 4, says: /not for the keys of version v1/ } : { status: 1, says };
      await refused(tmp, "ca accept sub.pem -d sub --parent-cert root.pem", mismatch);
    });
  }
  tmp.write("sub.pem", certificatePem(sub.certificate));
  await accepted(tmp, "ca accept sub.pem -d sub --parent-cert root.pem");
});

/** Ways to damage a string of bytes of a fixed length. */
const SIZES: [name: string, change: (bytes: Uint8Array) => Uint8Array][] = [
  ["empty", () => new Uint8Array()],
  ["half", (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ["a byte short", (bytes) => bytes.subarray(0, -1)],
  ["a byte long", (bytes) => new Uint8Array([...bytes, 0])],
  ["twice", (bytes) => new Uint8Array([...bytes, ...bytes])],
  ["a megabyte long", (bytes) => new Uint8Array([...bytes, ...new Uint8Array(1 << 20)])],
];

const SIGNING = ["ml-dsa-44", "slh-dsa-sha2-128f", "mldsa44-ed25519-sha512"];

function resizedSpki(spki: Bytes, change: (bytes: Uint8Array) => Uint8Array): Bytes {
  const [algorithm, key] = readDer(spki).children;
  return sequence(algorithm!.raw, bitString(change(readBitOctets(key))));
}

/** A request that says what it likes about its key, properly signed with `holder`. */
async function requestFor(spki: Bytes, holder: Holder): Promise<Bytes> {
  const info = encodeRequestInfo([integer(0), encodeName(parseNameText("CN=x.test")), spki], []);
  return await signStructure(info, signerOf(holder), { what: "certificate request" });
}

Deno.test("bad input: post-quantum public keys of a wrong length", async (t) => {
  using tmp = tempFolder();
  await accepted(tmp, "ca init -P ml/root-ca --var cn=Root -d ca");
  for (const algorithm of SIGNING) {
    const holder = await issue({ name: "CN=Anchor", algorithm });
    const leaf = await issue({ name: "CN=Leaf", issuer: holder });
    tmp.write("leaf.pem", certificatePem(leaf.certificate));
    tmp.write("anchor.pem", certificatePem(holder.certificate));
    await accepted(tmp, "cert verify leaf.pem --ca anchor.pem");
    tmp.write("bad.csr", encodePem("CERTIFICATE REQUEST", await requestFor(holder.key.spki, holder)));
    await accepted(tmp, "csr verify bad.csr");
    for (const [name, change] of SIZES) {
      await t.step(`${algorithm}, ${name}`, async () => {
        const spki = resizedSpki(holder.key.spki, change);
        tmp.write("bad.pub", encodePem("PUBLIC KEY", spki));
        await refused(tmp, "inspect bad.pub", { status: 4, says: /bad\.pub|public key/i });
        tmp.write("bad.csr", encodePem("CERTIFICATE REQUEST", await requestFor(spki, holder)));
        await refused(tmp, "csr verify bad.csr", { status: 1, says: /INVALID/ });
        await refused(tmp, "cert issue -d ca -P ml/tls-server --csr bad.csr", { status: 4, says: /Cannot issue/ });
        // an anchor with a key that is none
        const tbs = encodeTbs({ ...holder.certificate, scheme: holder.scheme, spki });
        const anchor = await signStructure(tbs, signerOf(holder), { what: "certificate" });
        tmp.write("anchor.pem", encodePem("CERTIFICATE", anchor));
        await refused(tmp, "cert verify leaf.pem --ca anchor.pem", { status: 1, says: /INVALID/ });
      });
    }
  }
});

/** PKCS#8 with the private key resized; ML-DSA as a seed, as an expanded key, the others as the bytes they are. */
function resizedPkcs8(der: Bytes, change: (bytes: Uint8Array) => Uint8Array, expandedBytes = 0): Bytes {
  const [version, algorithm, key] = readDer(der).children;
  const inner = expandedBytes > 0
    ? octetString(change(new Uint8Array(expandedBytes)))
    : key!.content[0] === 0x80
    ? implicit(0, octetString(change(readDer(key!.content).content)))
    : change(key!.content);
  return sequence(version!.raw, algorithm!.raw, octetString(inner));
}

Deno.test("bad input: post-quantum private keys of a wrong length", async (t) => {
  using tmp = tempFolder();
  for (const algorithm of [...SIGNING, "ml-kem-512"]) {
    const row = findKeyRow(algorithm);
    await accepted(tmp, `key generate -a ${algorithm} --out ${algorithm}.key`);
    const der = decodePem(tmp.read(`${algorithm}.key`))[0]!.bytes;
    tmp.write("bad.key", encodePem("PRIVATE KEY", resizedPkcs8(der, (bytes) => bytes)));
    await accepted(tmp, "key info bad.key");
    const forms = row.seedBytes && row.expandedBytes ? [0, row.expandedBytes] : [0];
    for (const expandedBytes of forms) {
      for (const [name, change] of SIZES) {
        await t.step(`${algorithm}${expandedBytes ? " expanded" : ""}, ${name}`, async () => {
          tmp.write("bad.key", encodePem("PRIVATE KEY", plainBytes(resizedPkcs8(der, change, expandedBytes))));
          const expected = { status: 4, says: /^error: Cannot/m };
          await refused(tmp, "key info bad.key", expected);
          await refused(tmp, "csr gen --key bad.key --cn x.test", expected);
          await refused(tmp, "ca init -P ml/root-ca --var cn=R -d made --use-existing-key --key bad.key", expected);
        });
      }
    }
  }
});

Deno.test("bad input: post-quantum signatures of a wrong length", async (t) => {
  using tmp = tempFolder();
  await accepted(tmp, "ca init -P ml/root-ca --var cn=Root -d ca");
  for (const algorithm of SIGNING) {
    const root = await issue({ name: "CN=Root", algorithm });
    const leaf = await issue({ name: "CN=Leaf", issuer: root });
    const crl = await crlOf(root);
    const csr = await requestFor(root.key.spki, root);
    tmp.write("root.pem", certificatePem(root.certificate));
    tmp.write("leaf.pem", certificatePem(leaf.certificate));
    tmp.write("bad.crl", encodePem("X509 CRL", crl.der));
    await accepted(tmp, "cert verify leaf.pem --ca root.pem --crl bad.crl");
    for (const [name, change] of SIZES) {
      await t.step(`${algorithm}, ${name}`, async () => {
        const damaged = (der: Bytes) => {
          const { toBeSigned, algorithm: oid, signature } = readSigned(der, "test object");
          return assembleSigned({ toBeSigned: toBeSigned.raw, algorithm: oid, signature: change(signature) });
        };
        tmp.write("bad.pem", encodePem("CERTIFICATE", damaged(leaf.certificate.der)));
        tmp.write("bad.crl", encodePem("X509 CRL", damaged(crl.der)));
        tmp.write("bad.csr", encodePem("CERTIFICATE REQUEST", damaged(csr)));
        const invalid = { status: 1, says: /INVALID[\s\S]*signature/ };
        await refused(tmp, "cert verify bad.pem --ca root.pem", invalid);
        await refused(tmp, "crl verify bad.crl --ca root.pem", invalid);
        await refused(tmp, "cert verify leaf.pem --ca root.pem --crl bad.crl", invalid);
        await refused(tmp, "csr verify bad.csr", invalid);
        await refused(tmp, "cert issue -d ca -P ml/tls-server --csr bad.csr", { status: 4, says: /Cannot issue/ });
      });
    }
  }
});
