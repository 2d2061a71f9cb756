import assert from "node:assert/strict";
import { compilePattern, type Pattern } from "./regexp.ts";

function pattern(source: string): Pattern {
  const compiled = compilePattern(source);
  assert(compiled.ok, `${source}: ${compiled.ok ? "" : compiled.reason}`);
  return compiled.value;
}

Deno.test("a pattern must match the whole value", () => {
  assert(pattern("[a-z]+").matches("abc"));
  assert(!pattern("[a-z]+").matches("abc1"));
  assert(pattern("^[A-Z]{2}$").matches("FR"));
  assert(!pattern("^[A-Z]{2}$").matches("FRA"));
  assert(!pattern("corp").matches("corporation"));
});

const SOURCES = [
  "a*",
  "a+b?",
  "(a|b)*c",
  "(ab|a)(c|bcd)",
  "a{2,3}",
  "a{2}",
  "a{2,}",
  "[^a]+",
  "(?:a|b|c)+",
  "((a*)*)*b",
  "(a|a)*c",
  "^a|b$",
  "a.c",
  "\\d+",
  "\\w+\\s\\w+",
  "[\\d-]+",
  "[a\\]b]+",
  "\\.",
  "(?P<x>a)b",
  "(?<y>a)b",
  "a??b",
  "x{0,2}y",
  "[a-c&&b]+",
  "()a",
  "a|",
  "(^a$)",
  "b*$",
  "\\x61b",
  "[^\\s]+",
  "[+.-]+",
  "a\\{1\\}",
  "\\p{Lu}b",
];

Deno.test("patterns match what JavaScript's expressions match", () => {
  const alphabet = ["a", "b", "c", "d", "-", ".", " ", "1", "A", "]", "x", "y"];
  const texts = [""];
  let seed = 42;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  for (let i = 0; i < 400; i++) {
    texts.push(Array.from({ length: 1 + random(6) }, () => alphabet[random(alphabet.length)]).join(""));
  }
  for (const source of SOURCES) {
    const ours = pattern(source);
    const theirs = new RegExp(`^(?:${source.replaceAll("(?P<", "(?<")})$`, "u");
    for (const text of texts) assert.equal(ours.matches(text), theirs.test(text), `${source} on "${text}"`);
  }
});

Deno.test("(?i) at the start ignores case; characters beyond the BMP are one", () => {
  assert(pattern("(?i)[a-c]X").matches("Bx"));
  assert(pattern(".").matches("𝒳"));
  assert(pattern("é+").matches("éé"));
});

const REFUSED: readonly [source: string, reason: RegExp][] = [
  ["(a", /missing \)/],
  ["a)", /unmatched/],
  ["[a", /missing \]/],
  ["*a", /nothing to repeat/],
  ["a**", /nothing to repeat/],
  ["a++", /nothing to repeat/],
  ["^*", /nothing to repeat/],
  ["(a)\\1", /back-references/],
  ["(?=a)b", /look-around/],
  ["(?!a)b", /look-around/],
  ["(?<=a)b", /look-around/],
  ["a\\bc", /not supported/],
  ["[[:alpha:]]", /not supported/],
  ["[]", /empty class/],
  ["[z-a]", /malformed/],
  ["\\", /backslash/],
  ["a{3,2}", /backwards/],
  ["a{2000}", /1000/],
  ["((a{100}){100}){100}", /too many/],
  ["(".repeat(100) + ")".repeat(100), /nested/],
  ["a".repeat(501), /500/],
];

Deno.test("a pattern outside of the language is refused with the reason", () => {
  for (const [source, reason] of REFUSED) {
    const compiled = compilePattern(source);
    assert(!compiled.ok, source);
    assert.match(compiled.reason, reason, source);
  }
});

Deno.test("patterns that explode a backtracking matcher take linear time", () => {
  const started = performance.now();
  for (const source of ["(a+)+b", "(a|a)*b", "(a*)*b", "([a-z]+\\.?)+!", "a*a*a*a*a*a*a*a*b"]) {
    assert(!pattern(source).matches("a".repeat(4000)), source);
  }
  assert(performance.now() - started < 5000);
  assert(!pattern("a*").matches("a".repeat(5000)), "texts over the cap never match");
});

Deno.test("a sample of a pattern matches it", () => {
  for (const source of ["^[A-Z]{2}$", "([A-Z]{3}|[A-Z]{2}:)[A-Z]{2}-.+", "[^a-z]+@x", "\\d{4}", "(a|bc)d+", " x"]) {
    const sample = pattern(source).sample();
    assert(sample !== undefined && pattern(source).matches(sample), `${source}: ${sample}`);
  }
  assert.equal(pattern("a^b").sample(), undefined);
});
