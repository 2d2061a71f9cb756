import { findCompositeRow, findKeyRow, type KeyRow, keyRows, partsOf } from "../../../alg/find.ts";
import { isQuantumSafe } from "../../../alg/quantum.ts";
import type { RequestKey } from "../../../credential/request_keys.ts";
import { InputError, UsageError } from "../../../errors.ts";
import type { PassphraseSource } from "../../../keys/types.ts";
import { modeMistake } from "../../../profile/modes.ts";
import { joinPath } from "../../../store/layout.ts";
import type { KeyMode } from "../../../store/meta.ts";
import type { Context, Flag, Input } from "../../command.ts";
import { hsmRef, KEY, PASSPHRASE } from "../../flags.ts";
import { hasAttestKeyInToken } from "./_attest.ts";
import type { Wanted } from "./_content.ts";

function nameOf({ name }: KeyRow): string {
  return name;
}

/** File for a new key. */
export const KEYOUT: Flag = {
  name: "keyout",
  value: "FILE",
  description: "file for a new private key",
  complete: "file",
  privateKey: true,
};

/** Asks for a Catalyst certificate. */
export const HYBRID: Flag = {
  name: "hybrid",
  value: "NAME",
  description: "algorithm of an alternative key: asks for a Catalyst certificate",
  suggestions: keyRows().filter((row) => isQuantumSafe(row) && row.kind === "signature" && !row.parts).map(nameOf),
};

/** Asks for a composite certificate. */
export const COMPOSITE: Flag = {
  name: "composite",
  value: "NAME",
  description: "post-quantum algorithm that joins the one of --algorithm: asks for a composite certificate",
  suggestions: [...new Set(keyRows().flatMap((row) => partsOf(row)?.pqc ?? []))].map(nameOf),
};

/** File for the new second key. */
export const HYBRID_KEYOUT: Flag = {
  name: "hybrid-keyout",
  value: "FILE",
  description: "file for the new post-quantum key of --hybrid or --composite",
  complete: "file",
  privateKey: true,
};

/** The existing second key. */
export const HYBRID_KEY: Flag = {
  name: "hybrid-key",
  value: "FILE",
  description: "existing private key file of the post-quantum key of --hybrid or --composite",
  complete: "file",
};

/** A key of the request with the path or configuration as the operator wrote it. */
export interface WrittenKey extends RequestKey {
  readonly written: string;
}

/** The keys that the flags name: how they work together, and where each comes from. */
export interface RequestedKeys {
  readonly mode: KeyMode;
  readonly keys: readonly WrittenKey[];
}

/** What the keys are to be, as far as it is stated. */
interface KeyKinds {
  readonly mode: KeyMode;
  readonly row?: KeyRow;
  /** The post-quantum key; stated for Catalyst and composite ones. */
  readonly second?: KeyRow;
}

interface KeyFacts {
  readonly kinds: KeyKinds;
  /** Passphrase of new key files, asked for once. */
  readonly fresh: PassphraseSource;
}

/**
 * The keys of a request from the flags of `csr gen`.
 * @throws {UsageError} when flags contradict each other or say too little; {InputError} `composite.unregistered`,
 * `profile.algorithm_mismatch`.
 */
export function requestedKeys(input: Input, ctx: Context, wanted: Omit<Wanted, "content">): RequestedKeys {
  const kinds = keyKinds(input, wanted);
  const fresh = ctx.passphrase(input.text(PASSPHRASE.name), undefined, { twice: true });
  const first = mainKey(input, ctx, { kinds, fresh });
  const second = secondKey(input, ctx, { kinds, fresh, first });
  if (!second) return { mode: kinds.mode, keys: [first] };
  const parts = kinds.row && partsOf(kinds.row);
  return { mode: kinds.mode, keys: [parts ? { ...first, row: parts.classical } : first, second] };
}

function keyKinds(input: Input, { row, profile }: Omit<Wanted, "content">): KeyKinds {
  const [hybrid, composite] = [input.text(HYBRID.name), input.text(COMPOSITE.name)];
  if (hybrid !== undefined && composite !== undefined) {
    throw new UsageError("Cannot use --hybrid together with --composite: they ask for different certificates", {
      code: "usage.hybrid",
    });
  }
  const stated = hybrid ?? composite;
  const partner = stated === undefined ? undefined : findKeyRow(stated);
  if (profile) return profileKinds(profile, partner, hybrid === undefined ? "composite" : "catalyst");
  if (!partner) return compositeKinds(row);
  const mode = hybrid === undefined ? "composite" : "catalyst";
  if (mode === "composite" && row) {
    if (row.parts) {
      throw new UsageError(`Cannot use --composite with --algorithm ${row.name}: it is a composite already`);
    }
    return compositeKinds(findCompositeRow(row.name, partner.name));
  }
  const mistake = row && modeMistake(mode, [row, partner]);
  if (mistake) throw new UsageError(`Cannot use --${mode === "catalyst" ? "hybrid" : mode}: ${mistake.message}`);
  if (!isQuantumSafe(partner) || partner.kind !== "signature" || partner.parts) {
    throw new UsageError(`Cannot use ${partner.label} here: it is no post-quantum signature algorithm`);
  }
  return { mode, second: partner, ...(row ? { row } : {}) };
}

function compositeKinds(row: KeyRow | undefined): KeyKinds {
  const parts = row && partsOf(row);
  if (!parts) return { mode: "simple", ...(row ? { row } : {}) };
  return { mode: "composite", row: row!, second: parts.pqc };
}

function profileKinds(
  { name, mode, rows }: NonNullable<Wanted["profile"]>,
  partner: KeyRow | undefined,
  flagMode: KeyMode,
): KeyKinds {
  const row = rows[0]!;
  const second = rows[1] ?? partsOf(row)?.pqc;
  if (partner && (mode !== flagMode || partner.name !== second?.name)) {
    throw new InputError(
      `Cannot make a request: --${
        flagMode === "catalyst" ? "hybrid" : flagMode
      } says ${partner.label}, and profile "${name}" ` +
        `${second ? `${mode} with ${second.label}` : "one key"}`,
      { code: "profile.algorithm_mismatch", hint: "Leave out the flag, or choose another profile" },
    );
  }
  return { mode, row, ...(second ? { second } : {}) };
}

/** The one key, the classical one of two, or both in one file. */
function mainKey(input: Input, ctx: Context, { kinds: { row }, fresh }: KeyFacts): WrittenKey {
  const key = input.text(KEY.name);
  const keyout = input.text(KEYOUT.name);
  const token = tokenRef(input, ctx, key ?? keyout);
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
  const known = row ? { row } : {};
  if (token) {
    if (token.label === undefined && token.keyId === undefined) {
      throw new UsageError("Cannot tell which key in the token is meant: --key-label and --key-id are both missing", {
        code: "usage.hsm",
      });
    }
    const config = joinPath(ctx.cwd, token.config);
    const provider = { type: "pkcs11", config } as const;
    return { kind: row ? "either" : "existing", provider, ref: { ...token, config }, written: token.config, ...known };
  }
  if (key !== undefined) return { ...existingFile(input, ctx, key), ...known };
  return newFile(input, ctx, { file: keyout!, row, fresh });
}

/** The post-quantum key of two; undefined when there is one key, or both are in one file. */
function secondKey(
  input: Input,
  ctx: Context,
  { kinds: { mode, second }, fresh, first }: KeyFacts & { readonly first: WrittenKey },
): WrittenKey | undefined {
  const [file, existing] = [input.text(HYBRID_KEYOUT.name), input.text(HYBRID_KEY.name)];
  const stated = file === undefined ? existing === undefined ? undefined : HYBRID_KEY : HYBRID_KEYOUT;
  if (file !== undefined && existing !== undefined) {
    throw new UsageError("Cannot use --hybrid-key together with --hybrid-keyout: one makes the key, one takes it");
  }
  if (mode === "simple" || !second) {
    if (!stated) return undefined;
    throw new UsageError(`Cannot use --${stated.name}: neither --hybrid nor --composite is given`, {
      code: "usage.hybrid",
    });
  }
  if (file !== undefined) {
    return newFile(input, ctx, { file, row: second, fresh });
  }
  if (existing !== undefined) return { ...existingFile(input, ctx, existing), row: second };
  if (first.ref.type === "pkcs11") {
    if (first.ref.keyId === undefined) return { ...first, kind: "either", row: second };
    throw new UsageError("Cannot use --key-id with two keys in the token: each needs an id of its own", {
      code: "usage.key",
      hint: "Name both by --key-label: their types tell them apart",
    });
  }
  if (mode === "composite") return undefined;
  throw new UsageError("Cannot make the alternative key: --hybrid-keyout is missing", {
    code: "usage.hybrid",
    hint: "Name a file of its own for it",
  });
}

/** The key in a token, unless --hsm-config is there for the attesting key alone. */
function tokenRef(input: Input, ctx: Context, file: string | undefined) {
  const token = hsmRef(input, ctx);
  const isOther = file !== undefined && token?.label === undefined && token?.keyId === undefined;
  return token && isOther && hasAttestKeyInToken(input) ? undefined : token;
}

function existingFile(input: Input, ctx: Context, file: string): WrittenKey {
  const passphrase = ctx.passphrase(input.text(PASSPHRASE.name), `Passphrase of ${file}`);
  const ref = { type: "software", path: joinPath(ctx.cwd, file) } as const;
  return { kind: "existing", provider: { type: "software", passphrase }, ref, written: file };
}

function newFile(
  input: Input,
  ctx: Context,
  { file, row, fresh }: { file: string; row: KeyRow | undefined; fresh: PassphraseSource },
): WrittenKey {
  if (!row) {
    throw new UsageError("Cannot make a key: --algorithm is missing", {
      code: "usage.algorithm",
      hint: "For example --algorithm ecdsa-p256",
    });
  }
  const ref = { type: "software", path: joinPath(ctx.cwd, file) } as const;
  const provider = { type: "software", passphrase: fresh } as const;
  return { kind: "new", provider, ref, overwrite: input.on("force"), row, written: file };
}
