import { defaultScheme, type KeyRow, type SchemeRow } from "../alg/find.ts";
import type { Family, HashName } from "../alg/registry.ts";
import { type Bytes, concatBytes, decodeHex } from "../bytes.ts";
import { hasher } from "../keys/digest.ts";
import { encodeEcdsaSignature } from "../keys/ecdsa.ts";
import { externalMu } from "../keys/external_mu.ts";
import { digestPieces, muOfPieces } from "../keys/pieces.ts";
import { describeSpki } from "../keys/spki.ts";
import type { Pieces } from "../keys/types.ts";
import { Arena } from "./arena.ts";
import { dialectsOf, type RowDialect } from "./dialect.ts";
import type { CompleteDriver, ConstantRef, MechanismParameter, SignMechanism } from "./driver.ts";
import type { Ffi } from "./ffi.ts";
import { CK_MECHANISM, PARAMETER_STRUCTS, Struct, ulongBytes } from "./layout.ts";
import { constantNumber, mechanismKey } from "./names.ts";

/** How one scheme is done by one token: what C_SignInit and C_Sign get, and what their answer becomes. */
export interface SignCodec {
  /** CK_MECHANISM with its parameter, in memory. */
  readonly mechanism: Bytes;
  /** Number of the mechanism. */
  readonly type: number;
  /** Bytes to give to C_Sign for a message. */
  input(message: Uint8Array): Bytes | Promise<Bytes>;
  /** The same for a message in pieces; absent where the mechanism takes the message itself. */
  readonly piecesInput?: ((pieces: Pieces) => Promise<Bytes>) | undefined;
  /** What X.509 carries, from what C_Sign returned. */
  output(raw: Bytes): Bytes;
  /** Longest answer expected; a longer one only costs a second call. */
  readonly capacity: number;
}

/** DER of a DigestInfo up to the hash value (RFC 8017 section 9.2, note 1). */
const DIGEST_INFO_PREFIX: Readonly<Record<HashName, Bytes>> = {
  "SHA-256": decodeHex("3031300d060960864801650304020105000420"),
  "SHA-384": decodeHex("3041300d060960864801650304020205000430"),
  "SHA-512": decodeHex("3051300d060960864801650304020305000440"),
};

/** CK_MECHANISM in memory, with the parameter behind it. */
export function encodeMechanism(ffi: Ffi, type: number, parameter?: MechanismParameter): Bytes {
  const { platform } = ffi;
  const arena = new Arena();
  const mechanism = CK_MECHANISM.allocate(platform);
  CK_MECHANISM.set(platform, mechanism, { field: "mechanism", value: type });
  const base = arena.add(mechanism);
  if (parameter instanceof Uint8Array) {
    CK_MECHANISM.set(platform, mechanism, { field: "ulParameterLen", value: parameter.length });
    arena.point(base + CK_MECHANISM.offset(platform, "pParameter"), arena.add(parameter));
  } else if (parameter !== undefined) {
    const struct = typeof parameter.struct === "string"
      ? PARAMETER_STRUCTS[parameter.struct] as unknown as Struct<Record<string, "ulong">>
      : new Struct("parameter", parameter.struct);
    const bytes = struct.allocate(platform);
    const at = arena.add(bytes);
    for (const [field, value] of Object.entries(parameter.values)) {
      if (value instanceof Uint8Array) {
        if (value.length > 0) arena.point(at + struct.offset(platform, field), arena.add(value));
      } else if (value !== null) struct.set(platform, bytes, { field, value: constantNumber(value) });
    }
    CK_MECHANISM.set(platform, mechanism, { field: "ulParameterLen", value: bytes.length });
    arena.point(base + CK_MECHANISM.offset(platform, "pParameter"), at);
  }
  return arena.build(ffi);
}

/** Longest signature of a key of each family, in bytes; where none is given, the token tells. */
const SIGNATURE_BYTES: Readonly<Partial<Record<Family, (row: KeyRow) => number>>> = {
  ecdsa: (row) => 2 * row.scalarBytes,
  eddsa: (row) => 2 * row.scalarBytes,
  rsa: (row) => row.modulusBits / 8,
  "ml-dsa": fixedBytes,
  "slh-dsa": fixedBytes,
};

function fixedBytes(row: KeyRow): number {
  return defaultScheme(row).signatureBytes ?? 0;
}

/** What is to be signed with what. */
export interface SignUse {
  readonly scheme: SchemeRow;
  readonly row: KeyRow;
  /** How the token does the key; the preferred way unless told. */
  readonly dialect?: RowDialect | undefined;
  readonly context?: Uint8Array | undefined;
  /** SubjectPublicKeyInfo, for mechanisms whose input is made of it. */
  readonly spki?: Uint8Array | undefined;
}

/** The mechanism for a use, and how it is fed. */
export interface ChosenMechanism {
  readonly type: number;
  /** Undefined when neither standard nor driver has a codec for it. */
  readonly how: SignMechanism | undefined;
}

/** The mechanism that signs so with this driver, or undefined when PKCS#11 has none. */
export function chooseMechanism(driver: CompleteDriver, use: SignUse): ChosenMechanism | undefined {
  const dialect = use.dialect ?? dialectsOf(driver, use.row)[0];
  const type = dialect?.sign(use.scheme);
  if (type === undefined) return undefined;
  const how = driver.mechanisms[mechanismKey(type)];
  if (!use.context?.length || how?.withContext === undefined) return { type, how };
  const other = constantNumber(how.withContext);
  return { type: other, how: driver.mechanisms[mechanismKey(other)] };
}

/**
 * What a signer needs of its token; undefined when neither standard nor driver has a codec for the mechanism, or it takes
 * no context and there is one.
 */
export function signCodec(ffi: Ffi, driver: CompleteDriver, use: SignUse): SignCodec | undefined {
  const { scheme, row } = use;
  const chosen = chooseMechanism(driver, use);
  const context = use.context?.length ? use.context : undefined;
  if (chosen?.how === undefined || (context && !chosen.how.context)) return undefined;
  const { type, how } = chosen;
  return {
    type,
    mechanism: encodeMechanism(ffi, type, how.parameter?.(scheme, row, context ? { context } : {})),
    ...INPUTS[how.input](use),
    output: how.output === "r-s" ? encodeEcdsaSignature : (raw) => raw,
    capacity: SIGNATURE_BYTES[row.family]?.(row) ?? 0,
  };
}

type Inputs = Pick<SignCodec, "input" | "piecesInput">;

const INPUTS: Readonly<Record<SignMechanism["input"], (use: SignUse) => Inputs>> = {
  message: () => ({ input: (message) => new Uint8Array(message) }),
  digest: ({ scheme: { hash }, row }) => {
    // an ECDSA digest is cut to the order's length (FIPS 186-5 section 6.4.1), which not every token does itself
    const most = row.family === "ecdsa" ? row.scalarBytes : Infinity;
    return hashing(hash!, (value) => value.length > most ? value.slice(0, most) : value);
  },
  "digest-info": ({ scheme: { hash } }) => hashing(hash!, (value) => concatBytes(DIGEST_INFO_PREFIX[hash!], value)),
  "external-mu": ({ spki, context }) => {
    const options = context ? { context } : {};
    return {
      input: (message) => externalMu(spki!, message, options),
      piecesInput: (pieces) => muOfPieces(describeSpki(spki!).publicKey, pieces, options),
    };
  },
};

/** Hashes, and makes `finish` of the hash. */
function hashing(hash: HashName, finish: (value: Bytes) => Bytes): Inputs {
  const hashOf = hasher(hash);
  return {
    input: (message) => {
      const value = hashOf(message);
      return value instanceof Promise ? value.then(finish) : finish(value);
    },
    piecesInput: async (pieces) => finish(await digestPieces(hash, pieces)),
  };
}

/** A CK_ULONG value as an attribute's bytes; for searches by class or type. */
export function constantBytes(ffi: Ffi, ref: ConstantRef): Bytes {
  return ulongBytes(ffi.platform, constantNumber(ref));
}
