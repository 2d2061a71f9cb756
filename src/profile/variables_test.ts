import assert from "node:assert/strict";
import { InputError, UsageError } from "../errors.ts";
import { parseProfile } from "./load.ts";
import type { ParsedProfile, Value } from "./types.ts";
import { parseVarFlags, resolveVariables } from "./variables.ts";

/** A profile with one variable `v` of the given YAML (flow style). */
function profileWith(declaration: string): ParsedProfile {
  return parseProfile(
    `name: t\nalgorithm: ecdsa-p256\nvalidity: 1d\nvariables:\n  v: ${declaration}\nsubject: {cn: "{{ v }}"}\n`,
    "t.yaml",
  );
}

function valueOf(declaration: string, raw: unknown): Value | undefined {
  return resolveVariables(profileWith(declaration), { v: raw }).get("v");
}

const GOOD: readonly [declaration: string, raw: unknown, value: Value | undefined][] = [
  ["{type: string}", "Acme, Inc.", "Acme, Inc."],
  ["{type: string}", 42, "42"],
  ["{type: string}", "", undefined],
  ["{type: string}", null, undefined],
  ["{type: string, default: x}", "", undefined],
  ["{type: string, default: x}", undefined, "x"],
  ["{type: string, default: 0123}", undefined, "0123"],
  ["{type: string, pattern: '[A-Z]{2}'}", "FR", "FR"],
  ["{type: string, enum: [a, b]}", "b", "b"],
  ["{type: string, minLength: 2, maxLength: 2}", "éé", "éé"],
  ["{type: string, constraints: {allowed_suffixes: [' GmbH'], denied_prefixes: [Test]}}", "Acme GmbH", "Acme GmbH"],
  ["{type: integer, min: 1, max: 10}", "7", 7],
  ["{type: integer}", -3, -3],
  ["{type: integer, enum: [30, 90]}", "90", 90],
  ["{type: boolean}", "true", true],
  ["{type: boolean}", false, false],
  ["{type: boolean, default: true}", undefined, true],
  ["{type: list}", "a, b ,c", ["a", "b", "c"]],
  ["{type: list}", "a\\,b,c", ["a,b", "c"]],
  ["{type: list}", ["a,b", 3], ["a,b", "3"]],
  ["{type: list}", "", undefined],
  ["{type: list, constraints: {min_items: 1, max_items: 2}}", ["a", "b"], ["a", "b"]],
  ["{type: list, pattern: '[a-z]+', default: [x, y]}", undefined, ["x", "y"]],
  ["{type: ip_list}", "192.0.2.1,2001:DB8:0::1", ["192.0.2.1", "2001:db8::1"]],
  ["{type: ip_list, constraints: {allowed_ranges: [10.0.0.0/8, '2001:db8::/32']}}", "10.9.8.7,2001:db8:1::", [
    "10.9.8.7",
    "2001:db8:1::",
  ]],
  ["{type: dns_name}", "WWW.Example.com.", "www.example.com"],
  ["{type: dns_name, allow_single_label: true}", "localhost", "localhost"],
  ["{type: dns_name, wildcard: {allowed: true, forbid_public_suffix: true}}", "*.example.com", "*.example.com"],
  ["{type: dns_name, constraints: {allowed_suffixes: [.example.com]}}", "a.example.com", "a.example.com"],
  ["{type: dns_name, constraints: {allowed_suffixes: [.example.com]}}", "example.com", "example.com"],
  ["{type: dns_names}", "a.example,b.example", ["a.example", "b.example"]],
  ["{type: email}", "Alice.M+x@Example.COM", "Alice.M+x@example.com"],
  ["{type: email, constraints: {allowed_suffixes: ['@example.com']}}", "a@example.com", "a@example.com"],
  ["{type: email, constraints: {allowed_suffixes: [example.com]}}", "a@mail.example.com", "a@mail.example.com"],
  ["{type: uri}", "HTTP://pki.example.com/ca.crl", "http://pki.example.com/ca.crl"],
  ["{type: uri}", "urn:uuid:1", "urn:uuid:1"],
  ["{type: uri}", "ldap://h.example/cn=x,o=y?cRL", "ldap://h.example/cn=x,o=y?cRL"],
  [
    "{type: uri, constraints: {allowed_schemes: [http], allowed_hosts: [a.example]}}",
    "http://A.example/x",
    "http://A.example/x",
  ],
  ["{type: oid}", "2.23.140.1.2.1", "2.23.140.1.2.1"],
  ["{type: oid, constraints: {allowed_suffixes: [1.3.6.1.4.1]}}", "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.1"],
  ["{type: duration, min_duration: 1d, max_duration: 2y}", "90d", "90d"],
  ["{type: duration, default: 1y}", undefined, "1y"],
];

Deno.test("every type and constraint accepts what it should, in normal form", () => {
  for (const [declaration, raw, value] of GOOD) {
    const given = raw === undefined ? {} : { v: raw };
    assert.deepEqual(resolveVariables(profileWith(declaration), given).get("v"), value, `${declaration} ${raw}`);
  }
});

const BAD: readonly [declaration: string, raw: unknown, reason: RegExp][] = [
  ["{type: string}", ["a"], /expected text, got a list/],
  ["{type: string}", { a: 1 }, /expected text, got a mapping/],
  ["{type: string}", "a\u0007b", /control characters/],
  ["{type: string}", "a\nb", /control characters/],
  ["{type: string}", "\ud800", /well-formed/],
  ["{type: string}", "x".repeat(5000), /longer than 4096/],
  ["{type: string, pattern: '[A-Z]{2}'}", "fr", /does not match the pattern \[A-Z\]\{2\}/],
  ["{type: string, enum: [a, b]}", "c", /none of the allowed values \(a, b\)/],
  ["{type: string, minLength: 2}", "a", /fewer than the minimum 2/],
  ["{type: string, maxLength: 2}", "abc", /more than the maximum 2/],
  ["{type: string, constraints: {allowed_suffixes: [z]}}", "a", /none of the allowed suffixes/],
  ["{type: string, constraints: {denied_prefixes: [Test]}}", "testing", /denied prefix "Test"/],
  ["{type: integer}", "1.5", /whole number/],
  ["{type: integer}", "99999999999999999999", /whole number/],
  ["{type: integer, min: 1}", "0", /below the minimum 1/],
  ["{type: integer, max: 10}", 11, /above the maximum 10/],
  ["{type: integer, enum: [30, 90]}", "60", /none of the allowed/],
  ["{type: boolean}", "maybe", /expected true or false/],
  ["{type: boolean}", 1, /expected true or false/],
  ["{type: list}", "a,,b", /empty item/],
  ["{type: list}", [["a"]], /expected a list/],
  ["{type: list}", Array(1001).fill("a"), /more than 1000/],
  ["{type: list, constraints: {min_items: 2}}", "a", /fewer than the minimum 2/],
  ["{type: list, constraints: {max_items: 1}}", "a,b", /more than the maximum 1/],
  ["{type: list, constraints: {denied_prefixes: [test-]}}", "a,test-b", /denied prefix/],
  ["{type: ip_list}", "192.0.2.256", /not an IP address/],
  ["{type: ip_list}", "192.0.2.01", /not an IP address/],
  ["{type: ip_list}", "fe80::1%eth0", /not an IP address/],
  ["{type: ip_list, constraints: {allowed_ranges: [10.0.0.0/8]}}", "11.0.0.1", /outside the allowed ranges/],
  ["{type: ip_list, constraints: {allowed_ranges: [10.0.0.0/8]}}", "::ffff:10.0.0.1", /outside the allowed ranges/],
  ["{type: dns_name}", "localhost", /single label/],
  ["{type: dns_name}", "*.example.com", /wildcard/],
  ["{type: dns_name, wildcard: {allowed: true, forbid_public_suffix: true}}", "*.co.uk", /public suffix/],
  ["{type: dns_name, constraints: {allowed_suffixes: [.example.com]}}", "evilexample.com", /allowed suffixes/],
  ["{type: dns_names, constraints: {max_items: 1}}", "a.example,b.example", /more than the maximum/],
  ["{type: email}", "not-an-address", /not an e-mail address/],
  ["{type: email}", "a@localhost", /single label/],
  ["{type: email}", "ä@example.com", /before @/],
  ["{type: email}", "a..b@example.com", /before @/],
  ["{type: email}", `${"a".repeat(65)}@example.com`, /before @/],
  ["{type: email, constraints: {allowed_suffixes: ['@example.com']}}", "a@evilexample.com", /allowed suffixes/],
  ["{type: email, constraints: {denied_prefixes: [root]}}", "root@example.com", /denied prefix/],
  ["{type: uri}", "example.com", /must start with a scheme/],
  ["{type: uri}", "http://", /not a URI/],
  ["{type: uri}", "http:///x", /no host/],
  ["{type: uri}", "http://a.example/ö", /percent-encode/],
  ["{type: uri}", "http://a.example/%zz", /hex digits/],
  ["{type: uri}", "https://user:pw@a.example/", /user name or password/],
  ["{type: uri, constraints: {allowed_schemes: [http, https]}}", "ftp://a.example/", /allowed schemes/],
  ["{type: uri, constraints: {allowed_hosts: [a.example]}}", "http://b.example/", /allowed hosts/],
  ["{type: oid}", "1.40.1", /not a dotted OID/],
  ["{type: oid}", "3.1", /not a dotted OID/],
  ["{type: oid}", "1.02", /not a dotted OID/],
  ["{type: oid, constraints: {allowed_suffixes: [1.3.6.1.4.1]}}", "1.3.6.1.4.11.1", /allowed arcs/],
  ["{type: duration}", "90", /no unit/],
  ["{type: duration, min_duration: 1d}", "12h", /below the minimum 1d/],
  ["{type: duration, max_duration: 825d}", "3y", /above the maximum 825d/],
];

Deno.test("every type and constraint says why it refuses, naming profile and variable", () => {
  for (const [declaration, raw, reason] of BAD) {
    assert.throws(() => valueOf(declaration, raw), (error) => {
      assert(error instanceof InputError, declaration);
      assert.equal(error.code, "variable.invalid");
      assert.match(error.message, /^Cannot use profile "t": variable "v": /);
      assert.match(error.message, reason, declaration);
      assert.match(error.hint ?? "", /qpki profile vars t/);
      return true;
    }, `${declaration} ${String(raw)}`);
  }
});

Deno.test("missing and unknown variables are all told at once", () => {
  const profile = profileWith("{type: string, required: true, description: the name}");
  assert.throws(() => resolveVariables(profile, {}), { code: "variable.missing", message: /required \(the name\)/ });
  assert.throws(() => resolveVariables(profile, { v: "" }), { code: "variable.missing" });
  assert.throws(() => resolveVariables(profileWith("{type: list, required: true}"), { v: [] }), {
    code: "variable.missing",
  });
  assert.throws(() => resolveVariables(profile, { w: "x" }), {
    code: "variable.unknown",
    message: /2 faults\n {2}variable "w" is not one of its variables, did you mean "v"\?\n {2}variable "v" is required/,
  });
  assert.throws(() => resolveVariables(profile, { v: "x", ["__proto__x"]: "y" }), { code: "variable.unknown" });
});

Deno.test("a default satisfies required", () => {
  assert.equal(resolveVariables(profileWith("{type: string, required: true, default: d}"), {}).get("v"), "d");
});

Deno.test("parseVarFlags splits at the first equals sign and refuses what is not NAME=VALUE", () => {
  assert.deepEqual({ ...parseVarFlags(["a=b=c", "d="]) }, { a: "b=c", d: "" });
  for (const flags of [["a"], ["=x"], ["a-b=c"], ["a b=c"], ["a=1", "a=2"]]) {
    assert.throws(() => parseVarFlags(flags), UsageError, flags.join(" "));
  }
  const tricky = parseVarFlags(["__proto__=x", "constructor=y"]);
  assert.deepEqual(Object.keys(tricky), ["__proto__", "constructor"]);
});
