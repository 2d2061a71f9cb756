import { shorten } from "../bytes.ts";
import { InputError, suggest, UsageError } from "../errors.ts";
import { VARIABLE_NAME } from "./templates.ts";
import type { ParsedProfile, Value, Values } from "./types.ts";
import { checkValue } from "./values.ts";

/**
 * Values of `--var name=value` flags.
 * @throws {UsageError} for a flag without `=`, with a malformed name, or for a name that comes twice.
 */
export function parseVarFlags(flags: readonly string[]): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  for (const flag of flags) {
    const at = flag.indexOf("=");
    const name = at < 0 ? flag : flag.slice(0, at).trim();
    if (at < 0 || !VARIABLE_NAME.test(name)) {
      throw new UsageError(`Cannot use --var "${shorten(flag)}": it is not NAME=VALUE`, { code: "usage.var" });
    }
    if (name in out) {
      throw new UsageError(`Cannot use --var ${name} twice`, {
        code: "usage.var",
        hint: `A list takes all its items in one value: --var ${name}=first,second`,
      });
    }
    out[name] = flag.slice(at + 1);
  }
  return out;
}

/**
 * Values of all variables of a profile: what was given, checked and in normal form, else the default. An empty text
 * counts as not given and also puts the default aside.
 * @throws {InputError} naming every variable at fault; `variable.unknown`, `variable.missing` or `variable.invalid` by the
 * first of them.
 */
export function resolveVariables(profile: ParsedProfile, given: Readonly<Record<string, unknown>>): Values {
  const values = new Map<string, Value>();
  const faults: { code: string; text: string }[] = [];
  const declared = profile.variables;
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const near = suggest(name, Object.keys(declared));
    const also = near ? `, did you mean "${near}"?` : "";
    faults.push({ code: "variable.unknown", text: `variable "${shorten(name)}" is not one of its variables${also}` });
  }
  for (const [name, variable] of Object.entries(declared)) {
    const raw = Object.hasOwn(given, name) ? given[name] : variable.default;
    const checked = checkValue(variable, raw);
    if (!checked.ok) faults.push({ code: "variable.invalid", text: `variable "${name}": ${checked.reason}` });
    else if (checked.value !== undefined) values.set(name, checked.value);
    const empty = checked.ok &&
      (checked.value === undefined || (Array.isArray(checked.value) && !checked.value.length));
    if (empty && variable.required) {
      const about = variable.description ? ` (${variable.description})` : "";
      faults.push({ code: "variable.missing", text: `variable "${name}" is required${about}` });
    }
  }
  if (faults.length > 0) throw variableError(profile, faults);
  return values;
}

function variableError(profile: ParsedProfile, faults: readonly { code: string; text: string }[]): InputError {
  const texts = faults.map((fault) => fault.text);
  const reason = texts.length === 1 ? texts[0]! : `${texts.length} faults\n  ${texts.join("\n  ")}`;
  return new InputError(`Cannot use profile "${profile.name}": ${reason}`, {
    code: faults[0]!.code,
    object: profile.name,
    hint: `List its variables with: qpki profile vars ${profile.name}`,
  });
}
