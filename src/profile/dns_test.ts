import assert from "node:assert/strict";
import { checkDnsName, type DnsPolicy } from "./dns.ts";

const STAR: DnsPolicy = { wildcard: true };
const STRICT: DnsPolicy = { wildcard: true, forbidPublicSuffix: true };

const GOOD: readonly [text: string, normal: string, policy?: DnsPolicy][] = [
  ["api.example.com", "api.example.com"],
  ["API.Example.COM", "api.example.com"],
  ["example.com.", "example.com"],
  ["a-b.c3.example", "a-b.c3.example"],
  ["3com.example", "3com.example"],
  ["localhost", "localhost", { singleLabel: true }],
  ["*.example.com", "*.example.com", STAR],
  ["*.example.co.uk", "*.example.co.uk", STRICT],
  ["*.co.uk", "*.co.uk", STAR],
  ["*.internal", "*.internal", { wildcard: true, singleLabel: true }],
  ["bücher.example", "xn--bcher-kva.example"],
  ["*.bücher.example", "*.xn--bcher-kva.example", STAR],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  [`${"a".repeat(63)}.example`, `${"a".repeat(63)}.example`],
];

Deno.test("checkDnsName puts names into normal form", () => {
  for (const [text, normal, policy] of GOOD) {
    assert.deepEqual(checkDnsName(text, policy), { ok: true, value: normal }, text);
  }
});

const BAD: readonly [text: string, reason: RegExp, policy?: DnsPolicy][] = [
  ["", /empty/],
  [".", /empty/],
  ["localhost", /single label/],
  ["example..com", /empty label/],
  [".example.com", /empty label/],
  ["-a.example", /hyphen/],
  ["a-.example", /hyphen/],
  ["a_b.example", /underscore/],
  ["a b.example", /characters/],
  ["a/b.example", /letters, digits/],
  ["ä/b.example", /characters/],
  ["ä@b.example", /characters/],
  ["a\u0000b.example", /characters/],
  [`${"a".repeat(64)}.example`, /63/],
  [Array(130).fill("a").join("."), /253/],
  ["a".repeat(2000), /too long/],
  ["192.0.2.1", /IP address/],
  ["2001:db8::1", /IP address/],
  ["example.123", /last label is a number/],
  ["ab--cd.example", /reserved/],
  ["*.example.com", /wildcard/],
  ["*", /star/, STAR],
  ["*.com", /top-level/, STAR],
  ["*.*.example.com", /whole leftmost/, STAR],
  ["a.*.example.com", /whole leftmost/, STAR],
  ["w*.example.com", /whole leftmost/, STAR],
  ["*.co.uk", /public suffix "co.uk"/, STRICT],
  ["*.com.au", /public suffix/, STRICT],
  ["*.internal", /public suffix/, { ...STRICT, singleLabel: true }],
];

Deno.test("checkDnsName says why a name is refused", () => {
  for (const [text, reason, policy] of BAD) {
    const checked = checkDnsName(text, policy);
    assert(!checked.ok, text);
    assert.match(checked.reason, reason, text);
  }
});
