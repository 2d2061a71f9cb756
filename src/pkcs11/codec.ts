import { defaultScheme, type KeyRow, type SchemeRow } from "../alg/find.ts";
import type { Family, HashName } from "../alg/registry.ts";
import { type Bytes, concatBytes, decodeHex } from "../bytes.ts";
import { digest } from "../keys/digest.ts";
import { encodeEcdsaSignature } from "../keys/ecdsa.ts";
import { Arena } from "./arena.ts";
import type { CompleteDriver, ConstantRef, MechanismParameter, SignMechanism } from "./driver.ts";
import type { Ffi } from "./ffi.ts";
import { CK_MECHANISM, PARAMETER_STRUCTS, Struct, ulongBytes } from "./layout.ts";
import { constantName, hexNumber, mustConstant } from "./names.ts";

/** How one scheme is done by one token: what C_SignInit and C_Sign get, and what their answer becomes. */
export interface SignCodec {
  /** CK_MECHANISM with its parameter, in memory. */
  readonly mechanism: Bytes;
  /** Number of the mechanism. */
  readonly type: number;
  /** Bytes to give to C_Sign for a message. */
  input(message: Uint8Array): Bytes | Promise<Bytes>;
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

/** Number of a constant given by name or number. */
export function constantNumber(ref: ConstantRef): number {
  return typeof ref === "number" ? ref : mustConstant(ref);
}

/** Name of a mechanism for people, `0x…` where the standard has none. */
export function mechanismName(type: number): string {
  return constantName("CKM", type) ?? hexNumber(type);
}

/** The mechanism of a scheme with this driver, or undefined when PKCS#11 has none for it. */
export function schemeMechanism(driver: CompleteDriver, scheme: SchemeRow): number | undefined {
  const ref = driver.schemes[scheme.name] ?? scheme.mechanism;
  return ref === null ? undefined : constantNumber(ref);
}

/** CK_MECHANISM in memory, with the parameter behind it. */
export function encodeMechanism(ffi: Ffi, type: number, parameter?: MechanismParameter): Bytes {
  const { platform } = ffi;
  const arena = new Arena();
  const mechanism = CK_MECHANISM.allocate(platform);
  CK_MECHANISM.set(platform, mechanism, { field: "mechanism", value: type });
  const base = arena.add(mechanism);
  if (parameter !== undefined) {
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

/** What a signer needs of its token; undefined when neither standard nor driver has a codec for the mechanism. */
export function signCodec(
  ffi: Ffi,
  driver: CompleteDriver,
  { scheme, row }: { scheme: SchemeRow; row: KeyRow },
): SignCodec | undefined {
  const type = schemeMechanism(driver, scheme);
  if (type === undefined) return undefined;
  const how = driver.mechanisms[mechanismName(type)];
  if (how === undefined) return undefined;
  return {
    type,
    mechanism: encodeMechanism(ffi, type, how.parameter?.(scheme, row)),
    input: INPUTS[how.input](scheme, row),
    output: how.output === "r-s" ? encodeEcdsaSignature : (raw) => raw,
    capacity: SIGNATURE_BYTES[row.family]?.(row) ?? 0,
  };
}

type Input = (message: Uint8Array) => Bytes | Promise<Bytes>;

const INPUTS: Readonly<Record<SignMechanism["input"], (scheme: SchemeRow, row: KeyRow) => Input>> = {
  message: () => (message) => new Uint8Array(message),
  digest: ({ hash }, row) => {
    // an ECDSA digest is cut to the order's length (FIPS 186-5 section 6.4.1), which not every token does itself
    const most = row.family === "ecdsa" ? row.scalarBytes : Infinity;
    return async (message) => {
      const value = await digest(hash!, message);
      return value.length > most ? value.slice(0, most) : value;
    };
  },
  "digest-info": ({ hash }) => async (message) => concatBytes(DIGEST_INFO_PREFIX[hash!], await digest(hash!, message)),
};

/** A CK_ULONG value as an attribute's bytes; for searches by class or type. */
export function constantBytes(ffi: Ffi, ref: ConstantRef): Bytes {
  return ulongBytes(ffi.platform, constantNumber(ref));
}
