import { InputError } from "../errors.ts";
import { formatName } from "../x509/name.ts";
import type { Name } from "../x509/types.ts";
import { onlyVariable } from "./templates.ts";
import type { ParsedProfile, SubjectAttribute, Variable } from "./types.ts";

/** What {@link keepSubject} makes of a profile and what was given for it. */
export interface WithoutSubject {
  readonly profile: ParsedProfile;
  readonly given: Readonly<Record<string, unknown>>;
}

/**
 * A profile for a holder whose name is settled: variables of its subject need not be given, and those that are must say what
 * the name says. Where such a variable stands elsewhere as well (an alternative name), its value comes from the name.
 * @throws {InputError} `variable.subject` for a value that would change the name.
 */
export function keepSubject(
  profile: ParsedProfile,
  given: Readonly<Record<string, unknown>>,
  subject: Name,
): WithoutSubject {
  const taken: Record<string, unknown> = {};
  for (const attribute of profile.subject) {
    for (const template of attribute.values) {
      const name = onlyVariable(template);
      if (name === undefined) continue;
      const values = valuesOf(subject, attribute);
      const stated = Object.hasOwn(given, name) ? given[name] : undefined;
      if (stated !== undefined && !sameValues(stated, values)) throw otherName(name, subject);
      if (stated === undefined && values.length > 0) taken[name] = values.length > 1 ? values : values[0];
    }
  }
  const inSubject = new Set(profile.subject.flatMap(({ values }) => values.flatMap(({ variables }) => variables)));
  const variables = Object.entries(profile.variables).map(([name, variable]): [string, Variable] => [
    name,
    inSubject.has(name) ? { ...variable, required: false } : variable,
  ]);
  return { profile: { ...profile, variables: Object.fromEntries(variables) }, given: { ...taken, ...given } };
}

function valuesOf(subject: Name, { type }: SubjectAttribute): string[] {
  return subject.flat().filter((attribute) => attribute.type === type).map(({ value }) => value);
}

function sameValues(stated: unknown, values: readonly string[]): boolean {
  const wanted = Array.isArray(stated) ? stated.map(String) : [String(stated)].filter((text) => text !== "");
  return wanted.length === values.length && wanted.every((text) => values.includes(text));
}

function otherName(variable: string, subject: Name): InputError {
  return new InputError(
    `Cannot use variable "${variable}": it would change the subject, which stays "${formatName(subject)}"`,
    {
      code: "variable.subject",
      object: variable,
      hint: "Leave it out: the name is kept as it is",
    },
  );
}
