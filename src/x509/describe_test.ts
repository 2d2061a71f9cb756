import { deepStrictEqual as eq, match, ok } from "node:assert/strict";
import { issue, leafExtensions } from "../../tests/support/pki.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { describeCertificate, readCertificates } from "./certificate.ts";
import { verifyCertificate } from "./verify.ts";

Deno.test("a certificate in text and JSON, with stable keys", async () => {
  const root = await issue({ name: "CN=Root", serial: "01" });
  const { certificate } = await issue({
    name: "O=x,CN=Leaf",
    serial: "0A",
    issuer: root,
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2027-01-01T00:00:00Z"),
    extensions: leafExtensions("a.test", {
      custom: [{ oid: "1.2.3.4", critical: false, value: Uint8Array.of(5, 0) }],
    }),
  });
  const { json, text } = await describeCertificate(certificate);
  const { public_key: key, fingerprint_sha256: digest, extensions, ...rest } = json;
  eq(rest, {
    version: 3,
    serial: "0A",
    subject: "O=x,CN=Leaf",
    issuer: "CN=Root",
    not_before: "2026-01-01T00:00:00Z",
    not_after: "2027-01-01T00:00:00Z",
    signature_algorithm: "ECDSA-SHA256",
    is_ca: false,
  });
  const { algorithm, spki_sha256: hash } = key as Record<string, string>;
  eq(algorithm, "ECDSA P-256");
  match(hash!, /^[0-9a-f]{64}$/);
  match(String(digest), /^[0-9A-F]{64}$/);
  eq((extensions as unknown[]).slice(2), [
    { oid: "2.5.29.15", name: "keyUsage", critical: true, value: ["digitalSignature"] },
    { oid: "2.5.29.17", name: "subjectAltName", critical: false, value: [{ type: "dns", value: "a.test" }] },
    { oid: "1.2.3.4", name: "1.2.3.4", critical: false, value: "0500" },
  ]);
  eq(JSON.parse(JSON.stringify(json)), json);
  match(text, /^Certificate:\n {4}Version: 3\n {4}Serial Number: 0A\n/);
  match(text, /\n {8}keyUsage: critical\n {12}Digital Signature\n {8}subjectAltName:\n {12}DNS:a\.test\n/);
  match(text, /\n {8}1\.2\.3\.4:\n {12}0500\n {4}Fingerprint \(SHA-256\): ([0-9A-F]{2}:){31}[0-9A-F]{2}\n$/);
});

testWith(
  "certificates of keys and algorithms that we do not support are described",
  { needs: ["openssl"] },
  async () => {
    using tmp = tempFolder();
    const kinds: [args: string[], key: RegExp, signature: RegExp][] = [
      [["-newkey", "rsa:1024", "-sha1"], /^RSA 1024$/, /^sha1WithRSAEncryption$/],
      [["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], /^EC secp256k1$/, /^ECDSA-SHA256$/],
      [["-newkey", "rsa:2048", "-sha224"], /^RSA 2048$/, /^sha224WithRSAEncryption$/],
      [
        ["-newkey", "rsa:2048", "-sha1", "-sigopt", "rsa_padding_mode:pss"],
        /^RSA 2048$/,
        /^rsassaPss$/,
      ],
    ];
    for (const [args, key, signature] of kinds) {
      const file = tmp.join("a.pem");
      const { code, stderr } = new Deno.Command("openssl", {
        args: [
          "req",
          "-x509",
          ...args,
          "-nodes",
          "-keyout",
          tmp.join("k"),
          "-subj",
          "/CN=odd",
          "-days",
          "9",
          "-out",
          file,
        ],
      }).outputSync();
      eq(code, 0, new TextDecoder().decode(stderr));
      const [certificate] = readCertificates(Deno.readFileSync(file), file);
      const { json, text } = await describeCertificate(certificate!);
      match((json["public_key"] as { algorithm: string }).algorithm, key);
      match(String(json["signature_algorithm"]), signature);
      ok(text.includes("Subject: CN=odd"));
      const verdict = await verifyCertificate(certificate!, { intermediates: [], anchors: [], at: new Date() });
      eq(verdict.reasons.map(({ code }) => code), ["anchor.not_found"]);
    }
  },
);
