import { deepStrictEqual as eq, match, ok } from "node:assert/strict";
import {
  caExtensions,
  crlOf,
  daysFromNow,
  type Holder,
  issue,
  type IssueOptions,
  leafExtensions,
  NOW,
  signerOf,
} from "../../tests/support/pki.ts";
import { boolean, explicit, implicit, integer, octetString, oid, sequence, time } from "../asn1/der.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { encodeScheme } from "../keys/scheme.ts";
import { parseCertificate } from "./certificate.ts";
import { parseCrl } from "./crl.ts";
import { parseNameText } from "./name.ts";
import { signStructure } from "./sign.ts";
import type { Certificate, Crl, Extension, ExtensionValues } from "./types.ts";
import { type Verdict, verifyCertificate, type VerifyOptions } from "./verify.ts";

const CA_KEY_USAGE = { critical: true, values: ["keyCertSign", "cRLSign"] } as const;

interface Chain {
  readonly root: Holder;
  readonly sub: Holder;
  readonly leaf: Holder;
}

/** Root, issuing CA and leaf; a part may be changed. */
async function chain(change: { root?: Change; sub?: Change; leaf?: Change } = {}): Promise<Chain> {
  const root = await issue({ name: "CN=Root", unlinted: true, extensions: caExtensions(), ...change.root });
  const sub = await issue({ name: "CN=Sub", issuer: root, unlinted: true, extensions: caExtensions(), ...change.sub });
  const leaf = await issue({ name: "CN=Leaf", issuer: sub, unlinted: true, ...change.leaf });
  return { root, sub, leaf };
}

type Change = Partial<IssueOptions>;

function check({ root, sub, leaf }: Chain, options: Partial<VerifyOptions> = {}): Promise<Verdict> {
  return verifyCertificate(leaf.certificate, {
    intermediates: [sub.certificate],
    anchors: [root.certificate],
    at: NOW,
    ...options,
  });
}

function codes({ valid, reasons }: Verdict): string[] {
  eq(valid, reasons.length === 0);
  return reasons.map(({ code, certificate }) => certificate === undefined ? code : `${certificate}: ${code}`);
}

const custom = (oid: string, critical: boolean, value: Bytes): Extension => ({ oid, critical, value });

Deno.test("a good path is valid, and says which signatures were checked", async () => {
  const c = await chain();
  const verdict = await check(c);
  eq(codes(verdict), []);
  eq(verdict.chain.map(({ der }) => der), [c.leaf, c.sub, c.root].map(({ certificate }) => certificate.der));
  eq(verdict.signatures, [
    { subject: "CN=Leaf", scheme: "ECDSA-SHA256" },
    { subject: "CN=Sub", scheme: "ECDSA-SHA256" },
  ]);
});

interface Row {
  readonly name: string;
  readonly change?: Parameters<typeof chain>[0];
  readonly options?: (c: Chain) => Partial<VerifyOptions> | Promise<Partial<VerifyOptions>>;
  readonly expected: string[];
}

const withConstraints = (nameConstraints: ExtensionValues["nameConstraints"]): Change => ({
  extensions: caExtensions(undefined, { nameConstraints: nameConstraints! }),
});
const dnsOnly = (value: string) => ({ critical: true, permitted: [{ type: "dns", value } as const], excluded: [] });
const policy = (...oids: string[]): ExtensionValues => ({
  certificatePolicies: { critical: false, policies: oids.map((oid) => ({ oid })) },
});
/** requireExplicitPolicy 0. */
const REQUIRE_POLICY = custom("2.5.29.36", true, sequence(implicit(0, integer(0))));
const ANY_POLICY = "2.5.29.32.0";

const ROWS: Row[] = [
  {
    name: "before its time",
    options: () => ({ at: daysFromNow(-2) }),
    expected: [
      "CN=Root: certificate.not_yet_valid",
      "CN=Sub: certificate.not_yet_valid",
      "CN=Leaf: certificate.not_yet_valid",
    ],
  },
  {
    name: "leaf expired",
    change: { leaf: { notAfter: daysFromNow(-0.5) } },
    expected: ["CN=Leaf: certificate.expired"],
  },
  { name: "sub expired", change: { sub: { notAfter: daysFromNow(-0.5) } }, expected: ["CN=Sub: certificate.expired"] },
  {
    name: "anchor expired",
    change: { root: { notAfter: daysFromNow(-0.5) } },
    expected: ["CN=Root: certificate.expired"],
  },
  { name: "the last second still counts", options: (c) => ({ at: c.leaf.certificate.notAfter }), expected: [] },
  { name: "no intermediate", options: () => ({ intermediates: [] }), expected: ["CN=Leaf: issuer.not_found"] },
  { name: "no anchor", options: () => ({ anchors: [] }), expected: ["CN=Sub: issuer.not_found"] },
  {
    name: "root among the intermediates is not trusted",
    options: (c) => ({ anchors: [], intermediates: [c.sub.certificate, c.root.certificate] }),
    expected: ["CN=Root: anchor.not_found"],
  },
  { name: "the issuing CA as anchor", options: (c) => ({ anchors: [c.sub.certificate] }), expected: [] },
  {
    name: "sub without basicConstraints",
    change: { sub: { extensions: { keyUsage: CA_KEY_USAGE } } },
    expected: ["CN=Sub: ca.not_a_ca"],
  },
  {
    name: "sub says it is no CA",
    change: { sub: { extensions: leafExtensions("a.test", { basicConstraints: { critical: true, ca: false } }) } },
    expected: ["CN=Sub: ca.not_a_ca", "CN=Sub: ca.key_usage"],
  },
  {
    name: "sub without keyCertSign",
    change: { sub: { extensions: caExtensions(undefined, { keyUsage: { critical: true, values: ["cRLSign"] } }) } },
    expected: ["CN=Sub: ca.key_usage"],
  },
  {
    name: "anchor that is no CA",
    change: { root: { extensions: leafExtensions() } },
    expected: ["CN=Root: ca.not_a_ca", "CN=Root: ca.key_usage"],
  },
  {
    name: "path length of the anchor",
    change: { root: { extensions: caExtensions(0) } },
    expected: ["CN=Sub: ca.path_length"],
  },
  {
    name: "path length just enough",
    change: { root: { extensions: caExtensions(1) }, sub: { extensions: caExtensions(0) } },
    expected: [],
  },
  {
    name: "unknown critical extension in the leaf",
    change: { leaf: { extensions: leafExtensions("a.test", { custom: [custom("1.2.3.4", true, boolean(true))] }) } },
    expected: ["CN=Leaf: extension.unknown_critical"],
  },
  {
    name: "unknown critical extension in the anchor",
    change: { root: { extensions: caExtensions(1, { custom: [custom("1.2.3.4", true, boolean(true))] }) } },
    expected: ["CN=Root: extension.unknown_critical"],
  },
  {
    name: "unknown extension that is not critical",
    change: { leaf: { extensions: leafExtensions("a.test", { custom: [custom("1.2.3.4", false, boolean(true))] }) } },
    expected: [],
  },
  {
    name: "malformed critical extension",
    change: { leaf: { extensions: { custom: [custom("2.5.29.17", true, sequence())] } } },
    expected: ["CN=Leaf: extension.malformed"],
  },
  {
    name: "malformed keyUsage of a CA",
    change: {
      sub: {
        extensions: {
          basicConstraints: { critical: true, ca: true },
          custom: [custom("2.5.29.15", false, boolean(true))],
        },
      },
    },
    expected: ["CN=Sub: extension.malformed"],
  },
  { name: "name permitted", change: { root: withConstraints(dnsOnly("test")) }, expected: [] },
  {
    name: "name not permitted",
    change: { root: withConstraints(dnsOnly("other")) },
    expected: ["CN=Leaf: name_constraints.violated"],
  },
  {
    name: "name excluded by the issuing CA",
    change: {
      sub: withConstraints({ critical: true, permitted: [], excluded: [{ type: "dns", value: "host.test" }] }),
    },
    expected: ["CN=Leaf: name_constraints.violated"],
  },
  {
    name: "both CAs must permit",
    change: { root: withConstraints(dnsOnly("test")), sub: withConstraints(dnsOnly("b.test")) },
    expected: ["CN=Leaf: name_constraints.violated"],
  },
  {
    name: "directory names constrain CAs too",
    change: {
      root: withConstraints({
        critical: true,
        permitted: [{ type: "directory", value: parseNameText("CN=Leaf") }],
        excluded: [],
      }),
    },
    expected: ["CN=Sub: name_constraints.violated"],
  },
  {
    name: "a wildcard that reaches an excluded name",
    change: {
      root: withConstraints({ critical: true, permitted: [], excluded: [{ type: "dns", value: "a.host.test" }] }),
      leaf: { extensions: leafExtensions("*.host.test") },
    },
    expected: ["CN=Leaf: name_constraints.violated"],
  },
  {
    name: "a host in CN cannot slip by",
    change: { root: withConstraints(dnsOnly("test")), leaf: { name: "CN=host.evil", extensions: {} } },
    expected: ["CN=host.evil: name_constraints.violated"],
  },
  {
    name: "an address in the subject is an e-mail name",
    change: {
      root: withConstraints({ critical: true, permitted: [{ type: "email", value: "a.test" }], excluded: [] }),
      leaf: { name: "CN=Leaf,emailAddress=u@b.test" },
    },
    expected: ["CN=Leaf,emailAddress=u@b.test: name_constraints.violated"],
  },
  {
    name: "a constraint on a kind that cannot be judged",
    change: {
      root: withConstraints({ critical: true, permitted: [], excluded: [{ type: "registeredId", value: "1.2.3" }] }),
      leaf: {
        extensions: leafExtensions("", {
          subjectAltName: { critical: false, names: [{ type: "registeredId", value: "1.2.4" }] },
        }),
      },
    },
    expected: ["CN=Leaf: name_constraints.violated"],
  },
  {
    name: "policy required and there",
    change: {
      root: { extensions: caExtensions(undefined, { custom: [REQUIRE_POLICY] }) },
      sub: { extensions: caExtensions(undefined, policy(ANY_POLICY)) },
      leaf: { extensions: leafExtensions("a.test", policy("1.2.3")) },
    },
    expected: [],
  },
  {
    name: "policy required and missing",
    change: { root: { extensions: caExtensions(undefined, { custom: [REQUIRE_POLICY] }) } },
    expected: ["CN=Sub: policy.required", "CN=Leaf: policy.required"],
  },
  {
    name: "policy required and another one there",
    change: {
      sub: { extensions: caExtensions(undefined, { ...policy("1.2.3"), custom: [REQUIRE_POLICY] }) },
      leaf: { extensions: leafExtensions("a.test", policy("1.2.4")) },
    },
    expected: ["CN=Leaf: policy.required"],
  },
  {
    name: "anyPolicy inhibited",
    change: {
      root: {
        extensions: caExtensions(undefined, { custom: [REQUIRE_POLICY, custom("2.5.29.54", true, integer(0))] }),
      },
      sub: { extensions: caExtensions(undefined, policy(ANY_POLICY)) },
      leaf: { extensions: leafExtensions("a.test", policy("1.2.3")) },
    },
    expected: ["CN=Sub: policy.required", "CN=Leaf: policy.required"],
  },
  {
    name: "policy mapped",
    change: {
      sub: {
        extensions: caExtensions(undefined, {
          ...policy("1.2.3"),
          custom: [REQUIRE_POLICY, custom("2.5.29.33", true, sequence(sequence(oid("1.2.3"), oid("1.2.9"))))],
        }),
      },
      leaf: { extensions: leafExtensions("a.test", policy("1.2.9")) },
    },
    expected: [],
  },
  {
    name: "policy mapping inhibited",
    change: {
      root: {
        extensions: caExtensions(undefined, {
          custom: [custom("2.5.29.36", true, sequence(implicit(0, integer(0)), implicit(1, integer(0))))],
        }),
      },
      sub: {
        extensions: caExtensions(undefined, {
          ...policy("1.2.3"),
          custom: [custom("2.5.29.33", true, sequence(sequence(oid("1.2.3"), oid("1.2.9"))))],
        }),
      },
      leaf: { extensions: leafExtensions("a.test", policy("1.2.9")) },
    },
    expected: ["CN=Leaf: policy.required"],
  },
  {
    name: "mapping of anyPolicy",
    change: {
      sub: {
        extensions: caExtensions(undefined, {
          custom: [custom("2.5.29.33", true, sequence(sequence(oid(ANY_POLICY), oid("1.2.9"))))],
        }),
      },
    },
    expected: ["CN=Sub: policy.invalid"],
  },
  {
    name: "policies without a requirement do not matter",
    change: { leaf: { extensions: leafExtensions("a.test", policy("1.2.3")) } },
    expected: [],
  },
  {
    name: "purpose allowed",
    change: {
      leaf: {
        extensions: leafExtensions("a.test", { extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.1"] } }),
      },
    },
    options: () => ({ purpose: "1.3.6.1.5.5.7.3.1" }),
    expected: [],
  },
  {
    name: "purpose not allowed by leaf and CA",
    change: {
      sub: { extensions: caExtensions(undefined, { extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.2"] } }) },
      leaf: {
        extensions: leafExtensions("a.test", { extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.2"] } }),
      },
    },
    options: () => ({ purpose: "1.3.6.1.5.5.7.3.1" }),
    expected: ["CN=Sub: purpose.not_allowed", "CN=Leaf: purpose.not_allowed"],
  },
  {
    name: "covered by current CRLs",
    options: async (c) => ({ crls: [await crlOf(c.root), await crlOf(c.sub)], requireCrl: true }),
    expected: [],
  },
  {
    name: "revoked",
    options: async (c) => ({ crls: [await crlOf(c.sub, { revoked: [entry(c.leaf)] })] }),
    expected: ["CN=Leaf: certificate.revoked"],
  },
  {
    name: "issuing CA revoked",
    options: async (c) => ({ crls: [await crlOf(c.root, { revoked: [entry(c.sub)] })] }),
    expected: ["CN=Sub: certificate.revoked"],
  },
  {
    name: "revoked, in a CRL that has expired",
    options: async (c) => ({ crls: [await crlOf(c.sub, { revoked: [entry(c.leaf)], nextUpdate: daysFromNow(-0.5) })] }),
    expected: ["CN=Leaf: certificate.revoked"],
  },
  {
    name: "CRL expired",
    options: async (c) => ({ crls: [await crlOf(c.sub, { nextUpdate: daysFromNow(-0.5) })] }),
    expected: ["CN=Leaf: crl.expired"],
  },
  {
    name: "CRL of tomorrow",
    options: async (c) => ({ crls: [await crlOf(c.sub, { thisUpdate: daysFromNow(1), nextUpdate: daysFromNow(2) })] }),
    expected: ["CN=Leaf: crl.not_yet_valid"],
  },
  {
    name: "an expired CRL beside a current one",
    options: async (c) => ({ crls: [await crlOf(c.sub, { nextUpdate: daysFromNow(-0.5) }), await crlOf(c.sub)] }),
    expected: [],
  },
  {
    name: "CRL required and missing",
    options: async (c) => ({ crls: [await crlOf(c.sub)], requireCrl: true }),
    expected: ["CN=Sub: crl.missing"],
  },
  {
    name: "CRL of the right name and key id, signed by somebody else",
    options: async (c) => {
      const forger = await issue({ name: "CN=Forger" });
      return { crls: [await crlOf({ ...c.sub, key: forger.key })] };
    },
    expected: ["CN=Leaf: crl.invalid"],
  },
  {
    name: "CRL of another key of the same CA is not about this certificate",
    options: async (c) => ({ crls: [await crlOf(c.sub, { authorityKeyId: new Uint8Array(20) })] }),
    expected: [],
  },
  {
    name: "issuer without cRLSign",
    change: { sub: { extensions: caExtensions(undefined, { keyUsage: { critical: true, values: ["keyCertSign"] } }) } },
    options: async (c) => ({ crls: [await crlOf(c.sub)] }),
    expected: ["CN=Leaf: crl.invalid"],
  },
];

function entry(holder: Holder) {
  return { serial: holder.certificate.serial, revocationDate: daysFromNow(-1), reason: "keyCompromise" as const };
}

for (const { name, change, options, expected } of ROWS) {
  Deno.test(`path: ${name}`, async () => {
    const c = await chain(change);
    eq(codes(await check(c, await options?.(c))), expected);
  });
}

Deno.test("a changed signature and an unknown algorithm are reasons", async () => {
  const c = await chain();
  const der = concatBytes(c.leaf.certificate.der);
  der[der.length - 1]! ^= 1;
  eq(codes(await check({ ...c, leaf: { ...c.leaf, certificate: parseCertificate(der) } })), [
    "CN=Leaf: signature.invalid",
  ]);
  const sha1 = { ...c.leaf.certificate, signatureAlgorithm: sequence(oid("1.2.840.10045.4.1")) };
  const verdict = await verifyCertificate(sha1, {
    intermediates: [c.sub.certificate],
    anchors: [c.root.certificate],
    at: NOW,
  });
  eq(codes(verdict), ["CN=Leaf: signature.unsupported"]);
  match(verdict.reasons[0]!.message, /ecdsa-with-SHA1 is not supported/);
});

Deno.test("an anchor asked about itself", async () => {
  const { root } = await chain();
  const options = { intermediates: [], anchors: [root.certificate], at: NOW };
  const verdict = await verifyCertificate(root.certificate, options);
  eq(codes(verdict), []);
  eq(verdict.signatures, [{ subject: "CN=Root", scheme: "ECDSA-SHA256" }]);
  const old = { ...root.certificate, signatureAlgorithm: sequence(oid("1.2.840.10045.4.1")) };
  eq(codes(await verifyCertificate(old, options)), []);
  const der = concatBytes(root.certificate.der);
  der[der.length - 1]! ^= 1;
  const broken = parseCertificate(der);
  eq(codes(await verifyCertificate(broken, { ...options, anchors: [broken] })), ["CN=Root: signature.invalid"]);
  eq(codes(await verifyCertificate(root.certificate, { ...options, at: daysFromNow(99) })), [
    "CN=Root: certificate.expired",
  ]);
});

Deno.test("several candidates: the valid path is found, whatever the order", async () => {
  const c = await chain();
  const expired = await issue({
    name: "CN=Sub",
    key: c.sub.key,
    issuer: c.root,
    extensions: caExtensions(),
    notAfter: daysFromNow(-0.5),
  });
  const impostor = await issue({
    name: "CN=Sub",
    key: (await issue({ name: "CN=Impostor" })).key,
    extensions: caExtensions(),
  });
  const all = [expired.certificate, impostor.certificate, c.sub.certificate, c.leaf.certificate, c.sub.certificate];
  for (const intermediates of [all, [...all].reverse()]) eq(codes(await check(c, { intermediates })), []);
  // Without the good one, the reason is that of the path that went furthest.
  eq(codes(await check(c, { intermediates: [impostor.certificate, expired.certificate] })), [
    "CN=Sub: certificate.expired",
  ]);
});

Deno.test("cross-certificates in a ring end, with a reason; and are crossed to the anchor", async () => {
  const a = await issue({ name: "CN=A", extensions: caExtensions() });
  const b = await issue({ name: "CN=B", extensions: caExtensions() });
  const aByB = await issue({ name: "CN=A", key: a.key, issuer: b, extensions: caExtensions() });
  const bByA = await issue({ name: "CN=B", key: b.key, issuer: a, extensions: caExtensions() });
  const leaf = await issue({ name: "CN=Leaf", issuer: a });
  const intermediates = [aByB.certificate, bByA.certificate];
  const root = await issue({ name: "CN=Other" });
  const options = { intermediates, at: NOW };
  const lost = await verifyCertificate(leaf.certificate, { ...options, anchors: [root.certificate] });
  eq(lost.valid, false);
  match(lost.reasons[0]!.code, /issuer\.not_found/);
  eq(codes(await verifyCertificate(leaf.certificate, { ...options, anchors: [b.certificate] })), []);
});

Deno.test("a hostile crowd of cross-certificates is given up in bounded time", async () => {
  const names = Array.from({ length: 8 }, (_, i) => `CN=C${i}`);
  const holders = await Promise.all(names.map((name) => issue({ name, extensions: caExtensions() })));
  const crowd: Certificate[] = [];
  for (const [i, subject] of holders.entries()) {
    for (const issuer of holders) {
      if (issuer === subject) continue;
      crowd.push((await issue({ name: names[i]!, key: subject.key, issuer, extensions: caExtensions() })).certificate);
    }
  }
  const leaf = await issue({ name: "CN=Leaf", issuer: holders[0]! });
  const root = await issue({ name: "CN=Elsewhere" });
  const start = performance.now();
  const verdict = await verifyCertificate(leaf.certificate, {
    intermediates: crowd,
    anchors: [root.certificate],
    at: NOW,
  });
  eq(verdict.valid, false);
  ok(performance.now() - start < 10_000);
});

Deno.test("a path that is too long is not followed", async () => {
  let issuer = await issue({ name: "CN=R", extensions: caExtensions() });
  const anchors = [issuer.certificate];
  const intermediates: Certificate[] = [];
  for (let i = 0; i < 20; i++) {
    issuer = await issue({ name: `CN=I${i}`, key: issuer.key, issuer, extensions: caExtensions() });
    intermediates.push(issuer.certificate);
  }
  const leaf = await issue({ name: "CN=Leaf", issuer });
  const verdict = await verifyCertificate(leaf.certificate, { intermediates, anchors, at: NOW });
  eq(codes(verdict).map((code) => code.replace(/.*: /, "")), ["path.too_long"]);
  eq(codes(await verifyCertificate(intermediates[10]!, { intermediates, anchors, at: NOW })), []);
});

Deno.test("self-issued CA certificates do not use up the path length", async () => {
  const root = await issue({ name: "CN=Root", extensions: caExtensions(0) });
  const next = (await issue({ name: "CN=x" })).key;
  const rollover = await issue({ name: "CN=Root", key: next, issuer: root, extensions: caExtensions() });
  const leaf = await issue({ name: "CN=Leaf", issuer: rollover });
  const options = { intermediates: [rollover.certificate], anchors: [root.certificate], at: NOW };
  eq(codes(await verifyCertificate(leaf.certificate, options)), []);
});

Deno.test("a version 1 certificate is no intermediate, but may be an anchor", async () => {
  const c = await chain();
  const v1 = async (name: string, holder: Holder, issuer: Holder): Promise<Certificate> => {
    const { certificate } = holder;
    const tbs = sequence(
      ...[integer(7), encodeScheme(issuer.scheme), issuer.certificate.subject],
      ...[sequence(time(certificate.notBefore), time(certificate.notAfter)), certificate.subject, certificate.spki],
    );
    return parseCertificate(await signStructure(tbs, signerOf(issuer), { what: name }));
  };
  const sub = await v1("sub", c.sub, c.root);
  eq(sub.version, 1);
  eq(codes(await check(c, { intermediates: [sub] })), ["CN=Sub: ca.not_a_ca"]);
  eq(codes(await check(c, { anchors: [await v1("root", c.root, c.root)] })), []);
});

/** A CRL of a holder with any extensions and entries. */
async function shapedCrl(issuer: Holder, extensions: Bytes[], entries: Bytes[] = []): Promise<Crl> {
  const tbs = sequence(
    ...[
      integer(1),
      encodeScheme(issuer.scheme),
      issuer.certificate.subject,
      time(daysFromNow(-1)),
      time(daysFromNow(1)),
    ],
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    explicit(0, sequence(...extensions)),
  );
  return parseCrl(await signStructure(tbs, signerOf(issuer), { what: "CRL" }));
}

Deno.test("the scope of a CRL is honoured", async () => {
  const c = await chain({
    leaf: {
      extensions: leafExtensions("a.test", { crlDistributionPoints: { critical: false, urls: ["http://c.test/1"] } }),
    },
  });
  const point = (...parts: Bytes[]) => [sequence(oid("2.5.29.28"), boolean(true), octetString(sequence(...parts)))];
  const url = (text: string) =>
    explicit(0, implicit(0, sequence(implicit(6, octetString(new TextEncoder().encode(text))))));
  const revoked = [sequence(integer(Uint8Array.fromHex(c.leaf.certificate.serial)), time(NOW))];
  const yes = Uint8Array.of(0xff);
  const flag = (n: number) => implicit(n, octetString(yes));
  const delta = [sequence(oid("2.5.29.27"), boolean(true), octetString(integer(1)))];
  const cases: [name: string, extensions: Bytes[], plain: string[], listed: string[]][] = [
    ["user certificates only", point(flag(1)), [], ["CN=Leaf: certificate.revoked"]],
    ["CA certificates only", point(flag(2)), ["CN=Leaf: crl.missing"], ["CN=Leaf: crl.missing"]],
    ["attribute certificates only", point(flag(5)), ["CN=Leaf: crl.missing"], ["CN=Leaf: crl.missing"]],
    ["indirect", point(flag(4)), ["CN=Leaf: crl.missing"], ["CN=Leaf: crl.missing"]],
    ["some reasons", point(implicit(3, Uint8Array.of(3, 2, 6, 0x40))), ["CN=Leaf: crl.missing"], [
      "CN=Leaf: certificate.revoked",
    ]],
    ["its distribution point", point(url("http://c.test/1")), [], ["CN=Leaf: certificate.revoked"]],
    ["another distribution point", point(url("http://c.test/2")), ["CN=Leaf: crl.missing"], ["CN=Leaf: crl.missing"]],
    ["delta", delta, ["CN=Leaf: crl.missing"], ["CN=Leaf: certificate.revoked"]],
    ["unknown critical", [sequence(oid("1.2.3"), boolean(true), octetString(yes))], ["CN=Leaf: crl.invalid"], [
      "CN=Leaf: crl.invalid",
    ]],
    ["malformed scope", [sequence(oid("2.5.29.28"), boolean(true), octetString(yes))], ["CN=Leaf: crl.invalid"], [
      "CN=Leaf: crl.invalid",
    ]],
  ];
  for (const [name, extensions, plain, listed] of cases) {
    const options = { anchors: [c.sub.certificate], requireCrl: true };
    eq(codes(await check(c, { ...options, crls: [await shapedCrl(c.sub, extensions)] })), plain, name);
    eq(codes(await check(c, { ...options, crls: [await shapedCrl(c.sub, extensions, revoked)] })), listed, name);
  }
});
