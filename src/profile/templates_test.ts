import assert from "node:assert/strict";
import { expandTemplate, expandTemplates, onlyVariable, parseTemplate } from "./templates.ts";
import type { Template, Value } from "./types.ts";

function template(text: string): Template {
  const parsed = parseTemplate(text);
  assert(parsed.ok, text);
  return parsed.value;
}

function values(entries: Record<string, Value>): Map<string, Value> {
  return new Map(Object.entries(entries));
}

Deno.test("a template without variables is itself", () => {
  assert.deepEqual(expandTemplate(template("plain"), values({})), { ok: true, value: ["plain"] });
  assert.deepEqual(expandTemplate(template(""), values({})), { ok: true, value: [] });
});

Deno.test("variables are filled in; unset ones leave the entry out", () => {
  assert.deepEqual(expandTemplate(template("{{ a }}-{{b}}"), values({ a: "x", b: 2 })), { ok: true, value: ["x-2"] });
  assert.deepEqual(expandTemplate(template("{{ a }}"), values({})), { ok: true, value: [] });
  assert.deepEqual(expandTemplate(template("{{ a }}"), values({ a: "" })), { ok: true, value: [] });
});

Deno.test("a template with only some of its variables set is refused", () => {
  const expanded = expandTemplate(template("http://{{ host }}/{{ file }}"), values({ host: "h" }));
  assert(!expanded.ok);
  assert.match(expanded.reason, /needs variable "file"/);
});

Deno.test("lists give one entry an item, and two lists are refused", () => {
  const list = { l: ["a", "b"], m: ["c"] };
  assert.deepEqual(expandTemplate(template("x.{{ l }}"), values(list)), { ok: true, value: ["x.a", "x.b"] });
  assert.deepEqual(expandTemplates([template("{{ l }}"), template("z")], values(list)), {
    ok: true,
    value: ["a", "b", "z"],
  });
  assert(!expandTemplate(template("{{ l }}{{ m }}"), values(list)).ok);
});

Deno.test("a value that looks like a template is not filled in again", () => {
  const expanded = expandTemplate(template("{{ a }}{{ b }}"), values({ a: "{{ b }}", b: "x" }));
  assert.deepEqual(expanded, { ok: true, value: ["{{ b }}x"] });
});

Deno.test("malformed templates are refused", () => {
  for (
    const text of [
      "{{",
      "}}",
      "{{ a",
      "a }}",
      "{{ }}",
      "{{ a b }}",
      "{{ a-b }}",
      "{{{ a }}}}",
      "{{ 1a }}",
      "{{ a | up }}",
    ]
  ) {
    assert(!parseTemplate(text).ok, text);
  }
});

Deno.test("onlyVariable is the variable that a template consists of", () => {
  assert.equal(onlyVariable(template("{{ a }}")), "a");
  assert.equal(onlyVariable(template(" {{a}} ")), "a");
  for (const text of ["a", "{{ a }}x", "{{ a }}{{ b }}", "{{ a }}{{ a }}"]) {
    assert.equal(onlyVariable(template(text)), undefined, text);
  }
});
