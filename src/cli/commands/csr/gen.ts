import { findKeyRow, type KeyRow } from "../../../alg/find.ts";
import {
  contentFromNames,
  createRequest,
  type CsrRequest,
  type RequestContent,
  type RequestKey,
} from "../../../credential/request.ts";
import { InputError, UsageError } from "../../../errors.ts";
import type { KeyRef } from "../../../keys/types.ts";
import { spkiFingerprint } from "../../../keys/spki.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, Context, Flag, Input } from "../../command.ts";
import { ALGORITHM, FORCE, HSM_FLAGS, hsmRef, KEY, OUT, PASSPHRASE, PROFILE, VAR_FLAGS } from "../../flags.ts";
import { givenVariables } from "../../profile_input.ts";

const KEYOUT: Flag = {
  name: "keyout",
  value: "FILE",
  description: "file for a new private key",
  complete: "file",
};

const NAME_FLAGS: readonly Flag[] = [
  { name: "cn", value: "TEXT", description: "common name of the subject" },
  { name: "org", value: "TEXT", description: "organization of the subject" },
  { name: "ou", value: "TEXT", description: "organizational unit of the subject" },
  { name: "country", value: "CC", description: "country of the subject, two letters" },
  { name: "dns", value: "NAME", repeat: true, description: "DNS name (subjectAltName)" },
  { name: "ip", value: "ADDRESS", repeat: true, description: "IP address (subjectAltName)" },
  { name: "email", value: "ADDRESS", repeat: true, description: "e-mail address (subjectAltName)" },
  { name: "uri", value: "URI", repeat: true, description: "URI (subjectAltName)" },
];

const command: Command = {
  summary: "Make a certificate request, with a new key or an existing one",
  details:
    "The request holds what is stated here, or what the profile states, and nothing else. Without --out it goes to " +
    "standard output. A key in a token is used when --key-label or --key-id finds one; when there is none and the " +
    "algorithm is stated, it is made. --force also lets --keyout replace a private key.",
  flags: [
    ALGORITHM,
    { ...KEY, description: "existing private key file" },
    KEYOUT,
    PASSPHRASE,
    ...NAME_FLAGS,
    { ...PROFILE, description: "profile that states subject, extensions and algorithm" },
    ...VAR_FLAGS,
    ...HSM_FLAGS,
    OUT,
    FORCE,
  ],
  examples: [
    "qpki csr gen --algorithm ecdsa-p256 --keyout server.key --cn server.test --dns server.test --out server.csr",
    "qpki csr gen --key server.key --cn server.test --out server.csr",
    "qpki csr gen --profile ec/tls-server --var cn=server.test --keyout server.key --out server.csr",
    "qpki csr gen --hsm-config hsm.yaml --key-label server-key --algorithm ecdsa-p384 --cn server.test --out server.csr",
  ],
  async run(input, ctx) {
    const { content, row } = await requestContent(input, ctx);
    const key = requestKey(input, ctx, row);
    const out = input.text("out");
    const request: CsrRequest = {
      content,
      key,
      ...(row ? { row } : {}),
      ...(out === undefined ? {} : { out: { path: joinPath(ctx.cwd, out), overwrite: input.on("force") } }),
    };
    const made = await createRequest(request, ctx);
    const ref = writtenRef(made.keyRef, input);
    const subject = formatName(made.csr.subject);
    return {
      data: {
        file: out ?? null,
        subject,
        key: {
          algorithm: made.key.algorithm.name,
          spki_sha256: await spkiFingerprint(made.key.spki),
          storage: ref,
          generated: made.generated,
        },
        pem: made.pem,
      },
      text: out === undefined ? made.pem : [
        `Request: ${out}`,
        `Subject: ${subject || "(empty)"}`,
        `Key: ${keyText(ref)} (${made.key.algorithm.label}${made.generated ? ", new" : ""})`,
      ].join("\n"),
    };
  },
};

export default command;

/** Subject and extensions, and the algorithm the key must have as far as it is stated. */
async function requestContent(input: Input, ctx: Context): Promise<{ content: RequestContent; row?: KeyRow }> {
  const named = input.text("algorithm");
  const row = named === undefined ? undefined : findKeyRow(named);
  const profile = input.text("profile");
  if (profile !== undefined) return await profileContent(profile, row, { input, ctx });
  const stray = ["var", "var-file"].find((flag) => input.list(flag).length > 0);
  if (stray) {
    throw new UsageError(`Cannot use --${stray} without --profile`, { code: "usage.profile_missing" });
  }
  const text = (flag: string, field: string) => {
    const value = input.text(flag);
    return value === undefined ? {} : { [field]: value };
  };
  const content = contentFromNames({
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
  return { content, ...(row ? { row } : {}) };
}

async function profileContent(
  name: string,
  row: KeyRow | undefined,
  { input, ctx }: { input: Input; ctx: Context },
): Promise<{ content: RequestContent; row: KeyRow }> {
  const stray = NAME_FLAGS.find((flag) => input.list(flag.name).length > 0);
  if (stray) {
    throw new UsageError(`Cannot use --${stray.name} with --profile: the profile states the names`, {
      code: "usage.names",
      hint: `Give its variables with --var; see: qpki profile vars ${name}`,
    });
  }
  const { loadProfile } = await import("../../../profile/load.ts");
  const { compileProfile } = await import("../../../profile/compile.ts");
  const profile = await loadProfile(name, { cwd: ctx.cwd });
  const compiled = compileProfile(profile, await givenVariables(input, ctx));
  const [first, ...others] = compiled.rows;
  if (!first || others.length > 0) {
    throw new InputError(`Cannot make a request with profile "${name}": it asks for ${compiled.rows.length} keys`, {
      code: "profile.keys",
    });
  }
  if (row && row.name !== first.name) {
    throw new InputError(`Cannot make a request: --algorithm says ${row.label}, and profile "${name}" ${first.label}`, {
      code: "profile.algorithm_mismatch",
      hint: "Leave out --algorithm, or choose a profile of that algorithm",
    });
  }
  return { content: { subject: compiled.subject, extensions: compiled.extensions }, row: first };
}

function requestKey(input: Input, ctx: Context, row: KeyRow | undefined): RequestKey {
  const token = hsmRef(input, ctx);
  const key = input.text("key");
  const keyout = input.text("keyout");
  const given = [token && "--hsm-config", key !== undefined && "--key", keyout !== undefined && "--keyout"]
    .filter((flag) => typeof flag === "string");
  if (given.length !== 1) {
    throw new UsageError(
      given.length === 0
        ? "Cannot tell which key is meant: none of --key, --keyout and --hsm-config is given"
        : `Cannot tell which key is meant: ${given.join(" and ")} are both given`,
      { code: "usage.key", hint: "--key takes an existing key, --keyout makes one, --hsm-config uses a token" },
    );
  }
  if (token) {
    if (token.label === undefined && token.keyId === undefined) {
      throw new UsageError("Cannot tell which key in the token is meant: --key-label and --key-id are both missing", {
        code: "usage.hsm",
      });
    }
    const config = joinPath(ctx.cwd, token.config);
    const ref = { ...token, config };
    return { kind: row ? "either" : "existing", provider: { type: "pkcs11", config }, ref };
  }
  if (key !== undefined) {
    const passphrase = ctx.passphrase(input.text("passphrase"), `Passphrase of ${key}`);
    const ref = { type: "software", path: joinPath(ctx.cwd, key) } as const;
    return { kind: "existing", provider: { type: "software", passphrase }, ref };
  }
  if (!row) {
    throw new UsageError("Cannot make a key: --algorithm is missing", {
      code: "usage.algorithm",
      hint: "For example --algorithm ecdsa-p256",
    });
  }
  const passphrase = ctx.passphrase(input.text("passphrase"), undefined, { twice: true });
  const ref = { type: "software", path: joinPath(ctx.cwd, keyout!) } as const;
  return { kind: "new", provider: { type: "software", passphrase }, ref, overwrite: input.on("force") };
}

type WrittenRef = { type: "software"; path: string } | {
  type: "pkcs11";
  config: string;
  label?: string;
  key_id?: string;
};

/** The key as the operator would name it. */
function writtenRef(ref: KeyRef, input: Input): WrittenRef {
  if (ref.type === "software") return { type: "software", path: input.text("key") ?? input.text("keyout") ?? ref.path };
  return {
    type: "pkcs11",
    config: input.text("hsm-config") ?? ref.config,
    ...(ref.label === undefined ? {} : { label: ref.label }),
    ...(ref.keyId === undefined ? {} : { key_id: ref.keyId }),
  };
}

function keyText(ref: WrittenRef): string {
  return ref.type === "software" ? ref.path : `${ref.label ?? ref.key_id} in the token of ${ref.config}`;
}
