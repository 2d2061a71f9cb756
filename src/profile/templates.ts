import { shorten } from "../bytes.ts";
import type { Checked, Template, Value, Values } from "./types.ts";

/** Form of a variable's name. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Entries that one template may expand to. */
const MAX_ENTRIES = 1000;
const REFERENCE = /\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g;

/**
 * A template from its text: `{{ name }}` stands for a variable, everything else for itself. Stray or malformed braces
 * are refused, so that no certificate ever carries an unfilled reference.
 */
export function parseTemplate(text: string): Checked<Template> {
  const rest = text.replace(REFERENCE, "");
  if (rest.includes("{{") || rest.includes("}}")) {
    return { ok: false, reason: `malformed template "${shorten(text)}": write {{ name }}` };
  }
  const variables = [...new Set([...text.matchAll(REFERENCE)].map((match) => match[1]!))];
  return { ok: true, value: { text, variables } };
}

/** The variable that a template consists of, or undefined when it has other text or several references. */
export function onlyVariable(template: Template): string | undefined {
  const [name, ...more] = template.variables;
  if (name === undefined || more.length > 0) return undefined;
  return template.text.replace(REFERENCE, "").trim() === "" && template.text.match(REFERENCE)?.length === 1
    ? name
    : undefined;
}

/**
 * The entries of a template: none when it names variables and all of them are unset, one for plain values, one for each
 * item of a list. Entries that come out empty are left out. A template with some variables set and others not is refused:
 * half a text must not enter a certificate.
 */
export function expandTemplate(template: Template, values: Values): Checked<string[]> {
  if (template.variables.length === 0) return { ok: true, value: template.text === "" ? [] : [template.text] };
  const unset = template.variables.filter((name) => !values.has(name));
  if (unset.length === template.variables.length) return { ok: true, value: [] };
  if (unset.length > 0) {
    return { ok: false, reason: `"${shorten(template.text)}" needs variable "${unset[0]}", which has no value` };
  }
  const lists = template.variables.filter((name) => Array.isArray(values.get(name)));
  if (lists.length > 1) return { ok: false, reason: `"${shorten(template.text)}" names two lists` };
  const rounds = lists.length === 0 ? [undefined] : values.get(lists[0]!) as readonly string[];
  if (rounds.length > MAX_ENTRIES) return { ok: false, reason: `more than ${MAX_ENTRIES} entries` };
  const entries = rounds.map((item) =>
    template.text.replace(REFERENCE, (_whole, name: string) => name === lists[0] ? item! : valueText(values.get(name)!))
  );
  return { ok: true, value: entries.filter((entry) => entry.trim() !== "") };
}

/** Every entry of several templates, in order. */
export function expandTemplates(templates: readonly Template[], values: Values): Checked<string[]> {
  const out: string[] = [];
  for (const template of templates) {
    const entries = expandTemplate(template, values);
    if (!entries.ok) return entries;
    out.push(...entries.value);
  }
  return { ok: true, value: out };
}

/** A value as text; items of a list are joined by commas. */
export function valueText(value: Value): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}
