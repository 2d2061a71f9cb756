import { findKeyRow, type KeyRow, partsOf } from "../../../alg/find.ts";
import { contentFromNames, type RequestContent } from "../../../credential/request_names.ts";
import { InputError, UsageError } from "../../../errors.ts";
import type { CompiledProfile } from "../../../profile/types.ts";
import { encodeExtensions } from "../../../x509/extensions/mod.ts";
import type { Context, Flag, Input } from "../../command.ts";
import { ALGORITHM } from "../../algorithm_flag.ts";
import { fromFlag, PROFILE } from "../../flags.ts";
import { givenVariables } from "../../profile_input.ts";

/** What a request is about, without a profile. */
export const NAME_FLAGS: readonly Flag[] = [
  { name: "cn", value: "TEXT", description: "common name of the subject" },
  { name: "org", value: "TEXT", description: "organization of the subject" },
  { name: "ou", value: "TEXT", description: "organizational unit of the subject" },
  { name: "country", value: "CC", description: "country of the subject, two letters" },
  { name: "dns", value: "NAME", repeat: true, description: "DNS name (subjectAltName)" },
  { name: "ip", value: "ADDRESS", repeat: true, description: "IP address (subjectAltName)" },
  { name: "email", value: "ADDRESS", repeat: true, description: "e-mail address (subjectAltName)" },
  { name: "uri", value: "URI", repeat: true, description: "URI (subjectAltName)" },
];

/** What is asked for: names and extensions, and as far as it is stated which keys. */
export interface Wanted {
  readonly content: RequestContent;
  /** The algorithm of the (classical) key, or a composite one. */
  readonly row?: KeyRow;
  /** What a profile says about the keys. */
  readonly profile?: Pick<CompiledProfile, "name" | "mode" | "rows">;
}

/** Subject and extensions of the request, from the profile or from names. */
export async function requestContent(input: Input, ctx: Context): Promise<Wanted> {
  const named = input.text(ALGORITHM.name);
  const row = named === undefined ? {} : { row: findKeyRow(named) };
  const profile = input.text(PROFILE.name);
  if (profile !== undefined) return { ...await profileContent(profile, row.row, { input, ctx }), ...row };
  const stray = ["var", "var-file"].find((flag) => input.list(flag).length > 0);
  if (stray) {
    throw new UsageError(`Cannot use --${stray} without --profile`, { code: "usage.profile_missing" });
  }
  const text = (flag: string, field: string) => {
    const value = input.text(flag);
    return value === undefined ? {} : { [field]: value };
  };
  const content = checkedContent({
    ...text("cn", "commonName"),
    ...text("org", "organization"),
    ...text("ou", "organizationalUnit"),
    ...text("country", "country"),
    dns: input.list("dns"),
    ip: input.list("ip"),
    email: input.list("email"),
    uri: input.list("uri"),
  });
  if (content.subject.length === 0 && !content.extensions) {
    throw new UsageError("Cannot make a request for nobody: no name is stated", {
      code: "usage.names",
      hint: "State --cn, --dns or another name, or --profile with --var",
    });
  }
  return { content, ...row };
}

/** Names that no certificate can have are told before anything is made. */
function checkedContent(names: Parameters<typeof contentFromNames>[0]): RequestContent {
  return fromFlag(() => {
    const content = contentFromNames(names);
    encodeExtensions(content.extensions ?? {});
    return content;
  });
}

async function profileContent(
  name: string,
  row: KeyRow | undefined,
  { input, ctx }: { input: Input; ctx: Context },
): Promise<Wanted> {
  const stray = NAME_FLAGS.find((flag) => input.list(flag.name).length > 0);
  if (stray) {
    throw new UsageError(`Cannot use --${stray.name} with --profile: the profile states the names`, {
      code: "usage.names",
      hint: `Give its variables with --var; see: qpki profile vars ${name}`,
    });
  }
  const { loadProfile } = await import("../../../profile/load.ts");
  const { compileProfile } = await import("../../../profile/compile.ts");
  const profile = compileProfile(await loadProfile(name, { cwd: ctx.cwd }), await givenVariables(input, ctx));
  const first = profile.rows[0]!;
  if (row && row.name !== first.name && row.name !== partsOf(first)?.classical.name) {
    throw new InputError(`Cannot make a request: --algorithm says ${row.label}, and profile "${name}" ${first.label}`, {
      code: "profile.algorithm_mismatch",
      hint: "Leave out --algorithm, or choose a profile of that algorithm",
    });
  }
  return { content: { subject: profile.subject, extensions: profile.extensions }, profile };
}
