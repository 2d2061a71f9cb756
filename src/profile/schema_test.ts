import assert from "node:assert/strict";
import { InputError } from "../errors.ts";
import { parseProfile } from "./load.ts";
import { ProfileError } from "./types.ts";

const HEAD = "name: t\nalgorithm: ecdsa-p256\nvalidity: 1d\n";

/** [YAML after the head (which has three lines), line, column, message] */
const MISTAKES: readonly [yaml: string, line: number, column: number, message: RegExp][] = [
  ["subjet: {cn: x}\n", 4, 1, /^unknown key "subjet" \(did you mean "subject"\?\)/],
  ["name: u\n", 4, 1, /"name" comes twice/],
  ["mode: hybrid\n", 4, 7, /unknown value "hybrid".*simple, catalyst, composite/],
  ["mode: catalist\n", 4, 7, /did you mean "catalyst"/],
  ["mode: catalyst\n", 2, 12, /takes two algorithms/],
  ["algorithms: [ecdsa-p256]\n", 4, 1, /both stated/],
  ["description: [x]\n", 4, 14, /description must be text, and is a list/],
  ['description: "a\\e[1mb"\n', 4, 14, /control characters/],
  ["signature: {scheme: rsa}\n", 4, 21, /signature.scheme: unknown value "rsa"/],
  ["signature: {hash: md5}\n", 4, 19, /unknown hash "md5" \(known: sha256, sha384, sha512\)/],
  ["signature: {scheme: rsassa-pss, hash: sha256, pss: {salt_length: 20}}\n", 4, 1, /no signature scheme/],
  ["signature: {scheme: ecdsa, pss: {salt_length: -1}}\n", 4, 1, /no signature scheme/],
  ["signature: {scheme: rsassa-pss, hash: sha256, pss: {mgf: sha384}}\n", 4, 58, /MGF1/],
  ["signature: {scheme: rsassa-pss, pss: {salt_length: -2}}\n", 4, 52, /whole number from -1 to 512/],
  ["signature: rsa\n", 4, 12, /signature must be a mapping, and is text/],
  // variables
  ["variables: [a]\n", 4, 12, /variables must be a mapping/],
  ["variables:\n  a-b: {type: string}\n", 5, 3, /cannot name a variable/],
  ["variables:\n  a: {}\n", 5, 6, /variables.a: "type" is missing/],
  ["variables:\n  a: {type: strng}\n", 5, 13, /did you mean "string"/],
  [
    "variables:\n  a: {type: string, requird: true}\n",
    5,
    21,
    /unknown key "requird" in variables.a \(did you mean "required"/,
  ],
  ["variables:\n  a: {type: string, required: yes please}\n", 5, 31, /must be true or false/],
  ["variables:\n  a: {type: string, min: 1}\n", 5, 21, /"min" has no meaning for type string/],
  [
    "variables:\n  a: {type: string, constraints: {allowed_ranges: [10.0.0.0/8]}}\n",
    5,
    35,
    /no meaning for type string/,
  ],
  ["variables:\n  a: {type: boolean, pattern: x}\n", 5, 22, /its constraints: none/],
  ["variables:\n  a: {type: string, pattern: '(a'}\n", 5, 30, /missing \)/],
  ["variables:\n  a: {type: string, pattern: '(a)\\1'}\n", 5, 30, /back-references/],
  ["variables:\n  a: {type: string, minLength: 3, maxLength: 2}\n", 5, 35, /maxLength 2 is below minLength 3/],
  ["variables:\n  a: {type: integer, min: 3, max: 2}\n", 5, 30, /max 2 is below min 3/],
  ["variables:\n  a: {type: integer, min: x}\n", 5, 27, /must be a whole number, and is "x"/],
  ["variables:\n  a: {type: integer, enum: [x]}\n", 5, 28, /"x" is not a whole number/],
  ["variables:\n  a: {type: string, enum: []}\n", 5, 27, /enum is empty/],
  ["variables:\n  a: {type: string, enum: [x, y], default: z}\n", 5, 44, /none of the allowed values/],
  ["variables:\n  a: {type: dns_name, default: localhost}\n", 5, 32, /single label/],
  ["variables:\n  a: {type: list, constraints: {min_items: 2}, default: [x]}\n", 5, 57, /fewer than the minimum/],
  ["variables:\n  a: {type: list, constraints: {min_items: 2, max_items: 1}}\n", 5, 47, /below min_items/],
  ["variables:\n  a: {type: ip_list, constraints: {allowed_ranges: [10.0.0.1/8]}}\n", 5, 52, /not a CIDR/],
  ["variables:\n  a: {type: duration, min_duration: 3}\n", 5, 37, /no unit/],
  ["variables:\n  a: {type: dns_name, wildcard: true}\n", 5, 33, /wildcard must be a mapping/],
  ["variables:\n  a: {type: oid, constraints: {allowed_suffixes: [x]}}\n", 5, 31, /not a dotted OID/],
  // subject
  ["subject: {cnn: x}\n", 4, 11, /unknown attribute "cnn" in subject \(did you mean "CN"/],
  ["subject: {cn: x, commonName: y}\n", 4, 18, /comes twice/],
  ["subject: {cn: '{{ cm }}'}\n", 4, 15, /undeclared variable "cm"/],
  [
    "variables: {cn: {type: string}}\nsubject: {cn: '{{ cm }}'}\n",
    5,
    15,
    /undeclared variable "cm" \(did you mean "cn"/,
  ],
  ["subject: {cn: '{{ cn }'}\n", 4, 15, /malformed template/],
  ["subject: {c: FRA}\n", 4, 14, /3 characters are more than the 2 allowed/],
  ["subject: {c: {value: FR, encoding: utf8}}\n", 4, 22, /PrintableString, not a UTF8String/],
  ["subject: {cn: {value: x, encoding: latin1}}\n", 4, 36, /unknown value "latin1"/],
  ["subject: {cn: {encoding: utf8}}\n", 4, 15, /"value" is missing/],
  ["subject: {cn: {value: 'a*b', encoding: printable}}\n", 4, 23, /PrintableString has no such/],
  ["subject: {cn: []}\n", 4, 15, /is empty/],
  ["subject: {cn: }\n", 4, 15, /is empty/],
  // extensions
  ["extensions: {keyusage: {}}\n", 4, 14, /unknown key "keyusage" in extensions \(did you mean "keyUsage"/],
  ["extensions:\n  basicConstraints: {ca: false, pathLen: 0}\n", 5, 33, /only with ca: true/],
  ["extensions:\n  basicConstraints: {ca: true, pathLen: -1}\n", 5, 41, /from 0 to 255/],
  ["extensions:\n  keyUsage: {values: [digitalSignatur]}\n", 5, 23, /did you mean "digitalSignature"/],
  ["extensions:\n  keyUsage: {values: [cRLSign, crlSign]}\n", 5, 32, /comes twice/],
  ["extensions:\n  keyUsage: {values: []}\n", 5, 14, /values is empty/],
  ["extensions:\n  keyUsage: {}\n", 5, 13, /values is empty/],
  ["extensions:\n  extKeyUsage: {values: [serverauht]}\n", 5, 26, /did you mean "serverAuth"/],
  ["extensions:\n  subjectAltName: {}\n", 5, 3, /has no names/],
  ["extensions:\n  subjectAltName: {dns: [a_b.example]}\n", 5, 26, /underscore/],
  ["extensions:\n  subjectAltName: {ip: [10.0.0.300]}\n", 5, 25, /not an IP address/],
  ["extensions:\n  subjectAltName: {email: alice}\n", 5, 27, /not an e-mail/],
  ["extensions:\n  subjectAltName: {uri: alice}\n", 5, 25, /not a URI/],
  ["extensions:\n  certificatePolicies: {policies: [{cps: 'http://a.example/'}]}\n", 5, 36, /"oid" is missing/],
  ["extensions:\n  certificatePolicies: {policies: [{oid: 1.2.x}]}\n", 5, 42, /not a dotted OID/],
  ["extensions:\n  certificatePolicies: {policies: [{oid: 1.2.3}, {oid: 1.2.3}]}\n", 5, 56, /comes twice/],
  [
    `extensions:\n  certificatePolicies: {policies: [{oid: 1.2.3, userNotice: ${"x".repeat(201)}}]}\n`,
    5,
    61,
    /more than 200/,
  ],
  ["extensions:\n  crlDistributionPoints: {urls: []}\n", 5, 27, /urls is empty/],
  ["extensions:\n  crlDistributionPoints: {urls: [nowhere]}\n", 5, 34, /not a URI/],
  ["extensions:\n  authorityInfoAccess: {}\n", 5, 3, /no addresses/],
  ["extensions:\n  authorityInfoAccess: {critical: true, ocsp: ['http://a.example/']}\n", 5, 35, /never critical/],
  ["extensions:\n  nameConstraints: {}\n", 5, 3, /is empty/],
  ["extensions:\n  nameConstraints: {permitted: {ip: [10.0.0.1/8]}}\n", 5, 38, /not a CIDR/],
  ["extensions:\n  nameConstraints: {excluded: {dns: ['*.a.example']}}\n", 5, 38, /wildcard/],
  ["extensions:\n  nameConstraints: {permitted: {directory: ['nonsense']}}\n", 5, 45, /cannot/],
  ["extensions:\n  ocspNoCheck: {critical: 1}\n", 5, 27, /true or false/],
  ["extensions:\n  qcStatements: {}\n", 5, 3, /no statements/],
  ["extensions:\n  qcStatements: {qcTypes: [sign]}\n", 5, 28, /unknown type "sign"/],
  ["extensions:\n  qcStatements: {qcPds: [{url: 'https://a.example/'}]}\n", 5, 26, /"language" is missing/],
  ["extensions:\n  qcStatements: {qcPds: [{url: 'https://a.example/', language: eng}]}\n", 5, 64, /two letters/],
  ["extensions:\n  qcStatements: {qcSscd: maybe}\n", 5, 26, /one variable of type boolean/],
  ["extensions:\n  qcStatements: {qcLegislation: [France]}\n", 5, 34, /country code/],
  ["extensions:\n  custom: [{oid: 1.2.3}]\n", 5, 12, /"value" is missing/],
  ["extensions:\n  custom: [{oid: 1.2.3, value: zz}]\n", 5, 32, /not the hex or base64 of one DER value/],
  ["extensions:\n  custom: [{oid: 1.2.3, value_hex: '0501'}]\n", 5, 36, /not the hex of one DER value/],
  ["extensions:\n  custom: [{oid: 1.2.3, value_hex: '0500', value_base64: BQA=}]\n", 5, 44, /both stated/],
  ["extensions:\n  custom: [{oid: 2.5.29.15, value: '0500'}]\n", 5, 18, /keyUsage\) has its own section/],
  ["extensions:\n  custom: [{oid: 1.2.3, value: '0500'}, {oid: 1.2.3, value: '0500'}]\n", 5, 42, /comes twice/],
  // YAML itself
  ["subject: {cn: x\n", 5, 1, /^YAML: /],
  ["subject: *nowhere\n", 4, 10, /^YAML: /],
  ["subject: !thing {cn: x}\n", 4, 10, /^YAML: /],
  ["---\nname: second\n", 4, 1, /^YAML: /],
  ["? [a]\n: b\n", 4, 3, /key must be text/],
  ["<<: {description: x}\n", 4, 1, /unknown key "<<"/],
];

Deno.test("every kind of mistake is told with line and column", () => {
  for (const [yaml, line, column, message] of MISTAKES) {
    assert.throws(() => parseProfile(HEAD + yaml, "t.yaml"), (error) => {
      assert(error instanceof ProfileError, `${yaml}: ${error}`);
      assert.equal(error.code, "profile.invalid");
      const found = error.mistakes.find((m) => message.test(m.message));
      assert(found, `${yaml}: ${JSON.stringify(error.mistakes)}`);
      assert.deepEqual([found.line, found.column], [line, column], `${yaml}: ${found.message}`);
      return true;
    }, yaml);
  }
});

const TOP: readonly [yaml: string, message: RegExp][] = [
  ["", /empty/],
  ["# only a comment\n", /empty/],
  ["- a\n", /mapping/],
  ["just text\n", /mapping/],
  ["null\n", /mapping/],
  ["algorithm: ecdsa-p256\nvalidity: 1d\n", /"name" is missing/],
  ["name: t\nvalidity: 1d\n", /"algorithm" is missing/],
  ["name: t\nalgorithm: ecdsa-p256\n", /"validity" is missing/],
  ["name: ../x\nalgorithm: ecdsa-p256\nvalidity: 1d\n", /cannot name a profile/],
  ["name: t\nalgorithm: ecdsa-p265\nvalidity: 1d\n", /unknown algorithm "ecdsa-p265" \(did you mean "ecdsa-p256"/],
  ["name: t\nalgorithm: [ecdsa-p256, ed25519]\nvalidity: 1d\n", /takes one algorithm, and 2 stand here/],
  ["name: t\nalgorithm: ecdsa-p256\nvalidity: 365\n", /"365" is not a duration: it has no unit/],
  ["name: t\nalgorithm: ecdsa-p256\nvalidity: '{{ v }}'\n", /undeclared variable "v"/],
  [
    "name: t\nalgorithm: ecdsa-p256\nvalidity: '{{ v }}'\nvariables: {v: {type: integer}}\n",
    /needs a variable of type duration/,
  ],
  [
    "name: t\nalgorithm: ecdsa-p256\nvalidity: '{{ v }}'\nvariables: {v: {type: list}}\n",
    /holds one value, and names a list/,
  ],
];

Deno.test("mistakes of the whole file", () => {
  for (const [yaml, message] of TOP) {
    assert.throws(() => parseProfile(yaml, "t.yaml"), (error) => {
      assert(error instanceof ProfileError && message.test(error.message), `${yaml}: ${error}`);
      return true;
    }, yaml);
  }
});

Deno.test("all mistakes come in one error, in file order, each once", () => {
  const yaml = "nam: t\nalgorithm: x\nvalidity: y\nextensions: {keyUsage: {values: [z]}}\n";
  assert.throws(() => parseProfile(yaml, "p.yaml"), (error) => {
    assert(error instanceof ProfileError);
    assert.deepEqual(error.mistakes.map((m) => m.line), [1, 1, 2, 3, 4]);
    assert.deepEqual([error.file, error.line, error.column], ["p.yaml", 1, 1]);
    assert.match(error.message, /^Cannot read profile "p.yaml": 5 mistakes\n {2}p.yaml:1:1: /);
    return true;
  });
});

Deno.test("what the older tool's profiles hold is read", () => {
  const profile = parseProfile(
    `name: t
algorithms: [RSA-4096]
signature: {scheme: rsassa-pss, hash: SHA-384, pss: {salt_length: 48, mgf: sha384}}
validity: 8760h
variables:
  cn: {type: string, required: true}
  pds: {type: uri}
  lang: {type: string, pattern: "^[a-z]{2}$"}
subject:
  cn: "{{ cn }}"
  o: {value: Acme, encoding: printable}
  postalcode: 01234
  serialNumber: {value: A1}
  dc: [example, com]
extensions:
  keyUsage: {values: [digital-signature, contentCommitment, certSign, crlSign]}
  extKeyUsage: {values: [server-auth, OCSPSigning, 1.3.6.1.4.1.311.20.2.2]}
  qcStatements: {qcSSCD: true, qcType: esign, qcPDS: [{url: "{{ pds }}", language: "{{ lang }}"}]}
  ocspNoCheck:
  nameConstraints: {permitted: {email: ["@example.com"], dns: [.example.com]}}
  custom:
    - {oid: 1.2.3.4, critical: true, value_hex: "0403010203"}
    - {oid: 1.2.3.5, value: BAMBAgM=}
`,
    "old.yaml",
  );
  assert.deepEqual(profile.algorithms, ["rsa-4096"]);
  assert.deepEqual(profile.signature, { scheme: "rsassa-pss", hash: "SHA-384", saltBytes: 48 });
  assert.deepEqual(profile.extensions.keyUsage, {
    critical: true,
    values: ["digitalSignature", "nonRepudiation", "keyCertSign", "cRLSign"],
  });
  assert.deepEqual(profile.extensions.extKeyUsage?.values, [
    "1.3.6.1.5.5.7.3.1",
    "1.3.6.1.5.5.7.3.9",
    "1.3.6.1.4.1.311.20.2.2",
  ]);
  assert.deepEqual(profile.subject.map((a) => a.type), [
    "2.5.4.3",
    "2.5.4.10",
    "2.5.4.17",
    "2.5.4.5",
    "0.9.2342.19200300.100.1.25",
  ]);
  assert.equal(profile.subject[2]!.values[0]!.text, "01234");
  assert.deepEqual(profile.extensions.qcStatements?.qcTypes, ["0.4.0.1862.1.6.1"]);
  assert.deepEqual(profile.extensions.ocspNoCheck, { critical: false });
  assert.deepEqual(profile.extensions.custom?.map((e) => [e.oid, e.critical, [...e.value]]), [
    ["1.2.3.4", true, [4, 3, 1, 2, 3]],
    ["1.2.3.5", false, [4, 3, 1, 2, 3]],
  ]);
  assert.deepEqual(profile.positions.get("extensions.custom[1]"), { line: 23, column: 7 });
});

Deno.test("anchors and aliases are followed", () => {
  const yaml =
    `${HEAD}variables:\n  a: &text {type: string, maxLength: 3}\n  b: *text\nsubject: {cn: "{{ a }}", o: "{{ b }}"}\n`;
  assert.equal(parseProfile(yaml, "t.yaml").variables["b"]!.maxLength, 3);
});

Deno.test("alias bombs, deep nesting and oversized files are refused in bounded time", () => {
  const started = performance.now();
  let bomb = `${HEAD}a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n`;
  for (let i = 1; i < 12; i++) bomb += `a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]\n`;
  const hostile: readonly [yaml: string, message: RegExp][] = [
    [bomb, /nodes|nested/],
    [`${HEAD}a: &a [*a]\n`, /nested|anchor|YAML/],
    [`${HEAD}description: ${"[".repeat(60_000)}`, /YAML/],
    [`${HEAD}description: ${"{a: ".repeat(5000)}x${"}".repeat(5000)}`, /YAML/],
    [HEAD + Array.from({ length: 26_000 }, (_, i) => `k${i}: 1`).join("\n"), /nodes/],
    [`${HEAD}description: ${"x".repeat(1_100_000)}`, /larger than 1 MiB/],
  ];
  for (const [yaml, message] of hostile) {
    assert.throws(
      () => parseProfile(yaml, "t.yaml"),
      (error) => error instanceof InputError && message.test(error.message),
    );
  }
  assert(performance.now() - started < 30_000, "took too long");
});

Deno.test("every truncation and many bit flips of a profile give a profile or an InputError", async () => {
  const text = await Deno.readTextFile(new URL("../../profiles/eidas/qc-web.yaml", import.meta.url));
  const body = text.slice(text.indexOf("name:"));
  let profiles = 0;
  const attempt = (yaml: string) => {
    try {
      parseProfile(yaml, "cut.yaml");
      profiles++;
    } catch (error) {
      assert(error instanceof InputError, `${error}\n${(error as Error).stack}`);
    }
  };
  for (let cut = 0; cut <= body.length; cut += 19) attempt(body.slice(0, cut));
  let seed = 7;
  for (let i = 0; i < 200; i++) {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    const at = seed % body.length;
    attempt(body.slice(0, at) + String.fromCharCode(body.charCodeAt(at) ^ (1 << (i % 8))) + body.slice(at + 1));
  }
  assert(profiles > 10);
});
