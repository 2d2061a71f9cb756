import { createCipheriv, createHmac } from "node:crypto";
import type { Bytes } from "../../src/bytes.ts";
import { CKA, CKM, CKO, CKR } from "../../src/pkcs11/constants.ts";
import type { Arg, FunctionName } from "../../src/pkcs11/ffi.ts";
import {
  CK_ATTRIBUTE,
  CK_MECHANISM,
  CK_MECHANISM_INFO,
  CK_TOKEN_INFO,
  LP64,
  readUlong,
  ulongBytes,
  UNAVAILABLE,
  writeUlong,
} from "../../src/pkcs11/layout.ts";
import { FakeToken } from "./fake_token.ts";

/** CK_MECHANISM_INFO of one mechanism. */
export interface FakeMechanism {
  readonly type: number;
  readonly min: number;
  readonly max: number;
  readonly flags: number;
}

/** A mechanism as a function was given it. */
export interface FakeCall {
  readonly function: FunctionName;
  readonly type: number;
  readonly parameter: Bytes;
}

/** Attributes by number. Negative numbers are the fake's own and never shown. */
export type FakeObject = Map<number, Bytes>;

/** Both halves of a key pair. */
export interface FakePair {
  readonly public: FakeObject;
  readonly private: FakeObject;
}

/** How a device of some vendor behaves. Functions answer with a CK_RV where they refuse. */
export interface FakeDevice {
  /** What C_GetMechanismList shows. */
  readonly mechanisms: readonly FakeMechanism[];
  /** Functions that the list has; every one unless told. */
  readonly lacks?: readonly FunctionName[];
  /** Symbols exported beside it. */
  readonly exports?: readonly string[];
  /** Completes the objects that templates ask for. */
  generate?(call: FakeCall, templates: FakePair): number | FakePair;
  sign?(call: FakeCall, key: FakeObject, data: Bytes): number | Bytes;
  /** Completes the secret that a template asks for; without ciphertext it is in the mechanism's parameter. */
  decapsulate?(call: FakeCall, key: FakeObject, job: { template: FakeObject; ciphertext?: Bytes }): number | FakeObject;
}

/** Where the fake's memory is, for pointers; every buffer begins there. */
const BASE = 0x1000;

/**
 * A device of a vendor played back in memory, with keys that work. A fake, because nobody here has the device: it shows
 * that a driver says what the vendor's documents want, not that the device agrees.
 */
export class FakeHsm extends FakeToken {
  readonly device: FakeDevice;
  readonly objects = new Map<number, FakeObject>();
  /** Every call that had a mechanism. */
  readonly calls: FakeCall[] = [];
  #symbols: Readonly<Partial<Record<FunctionName, string>>> = {};
  #nextHandle = 1;
  #found: number[] = [];
  #operation: { call: FakeCall; key: FakeObject } | undefined;

  constructor(device: FakeDevice) {
    super();
    this.device = device;
  }

  override has(name?: FunctionName): boolean {
    if (name === undefined || !this.device.lacks?.includes(name)) return true;
    const symbol = this.#symbols[name];
    return symbol !== undefined && (this.device.exports?.includes(symbol) ?? false);
  }

  override substitute(symbols: Readonly<Partial<Record<FunctionName, string>>> = {}): void {
    this.#symbols = symbols;
  }

  override call(name: FunctionName, ...args: readonly Arg[]): number {
    const own = this.#functions[name];
    if (own === undefined) return super.call(name, ...args);
    this.log.push(name);
    return own(args);
  }

  readonly #functions: Partial<Record<FunctionName, (args: readonly Arg[]) => number>> = {
    C_GetTokenInfo: (args) => {
      const rv = super.call("C_GetTokenInfo", ...args);
      bytes(args[1]).set(new TextEncoder().encode("1"), CK_TOKEN_INFO.offset(LP64, "serialNumber"));
      return rv;
    },
    C_GetMechanismList: ([, list, length]) => {
      const { mechanisms } = this.device;
      mechanisms.forEach(({ type }, i) => list && writeUlong(LP64, bytes(list), { offset: i * 8, value: type }));
      writeUlong(LP64, bytes(length), { value: mechanisms.length });
      return CKR.CKR_OK;
    },
    C_GetMechanismInfo: ([, type, info]) => {
      const found = this.device.mechanisms.find((mechanism) => mechanism.type === type);
      if (!found) return CKR.CKR_MECHANISM_INVALID;
      CK_MECHANISM_INFO.set(LP64, bytes(info), { field: "ulMinKeySize", value: found.min });
      CK_MECHANISM_INFO.set(LP64, bytes(info), { field: "ulMaxKeySize", value: found.max });
      CK_MECHANISM_INFO.set(LP64, bytes(info), { field: "flags", value: found.flags });
      return CKR.CKR_OK;
    },
    C_GenerateKeyPair: ([, mechanism, publicTemplate, publicCount, privateTemplate, privateCount, one, two]) => {
      const made = this.device.generate?.(this.#mechanism("C_GenerateKeyPair", mechanism), {
        public: object(publicTemplate, publicCount),
        private: object(privateTemplate, privateCount),
      }) ?? CKR.CKR_MECHANISM_INVALID;
      if (typeof made === "number") return made;
      this.#store(made.public, one);
      this.#store(made.private, two);
      return CKR.CKR_OK;
    },
    C_FindObjectsInit: ([, template, count]) => {
      const wanted = [...object(template, count)];
      this.#found = [...this.objects].filter(([, has]) => wanted.every(([type, value]) => equal(has.get(type), value)))
        .map(([handle]) => handle);
      return CKR.CKR_OK;
    },
    C_FindObjects: ([, list, most, count]) => {
      const some = this.#found.splice(0, Number(most));
      some.forEach((handle, i) => writeUlong(LP64, bytes(list), { offset: i * 8, value: handle }));
      writeUlong(LP64, bytes(count), { value: some.length });
      return CKR.CKR_OK;
    },
    C_FindObjectsFinal: () => CKR.CKR_OK,
    C_GetAttributeValue: ([, handle, query, count]) => this.#attributes(Number(handle), bytes(query), Number(count)),
    C_DestroyObject: ([, handle]) => this.objects.delete(Number(handle)) ? CKR.CKR_OK : CKR.CKR_OBJECT_HANDLE_INVALID,
    C_SignInit: ([, mechanism, handle]) => {
      const key = this.objects.get(Number(handle));
      if (!key) return CKR.CKR_KEY_HANDLE_INVALID;
      this.#operation = { call: this.#mechanism("C_SignInit", mechanism), key };
      return CKR.CKR_OK;
    },
    C_Sign: ([, data, length, room, roomLength]) => {
      const { call, key } = this.#operation!;
      const input = bytes(data).slice(0, Number(length));
      const signature = call.type === CKM.CKM_SHA256_HMAC
        ? hmac(key, input)
        : this.device.sign?.(call, key, input) ?? CKR.CKR_MECHANISM_INVALID;
      if (typeof signature === "number") return signature;
      bytes(room).set(signature);
      writeUlong(LP64, bytes(roomLength), { value: signature.length });
      return CKR.CKR_OK;
    },
    C_EncryptInit: ([, mechanism, handle]) => {
      this.#operation = { call: this.#mechanism("C_EncryptInit", mechanism), key: this.objects.get(Number(handle))! };
      return CKR.CKR_OK;
    },
    C_Encrypt: ([, data, length, room, roomLength]) => {
      const { call, key } = this.#operation!;
      if (call.type !== CKM.CKM_AES_ECB || key.get(CKA.CKA_ENCRYPT)?.[0] !== 1) {
        return CKR.CKR_KEY_FUNCTION_NOT_PERMITTED;
      }
      const cipher = createCipheriv("aes-256-ecb", key.get(SECRET)!, null).setAutoPadding(false);
      bytes(room).set(cipher.update(bytes(data).slice(0, Number(length))));
      writeUlong(LP64, bytes(roomLength), { value: Number(length) });
      return CKR.CKR_OK;
    },
    C_DeriveKey: ([, mechanism, handle, template, count, secret]) =>
      this.#decapsulate(this.#mechanism("C_DeriveKey", mechanism), handle, {
        template: object(template, count),
        secret,
      }),
    C_DecapsulateKey: ([, mechanism, handle, template, count, ciphertext, length, secret]) =>
      this.#decapsulate(this.#mechanism("C_DecapsulateKey", mechanism), handle, {
        template: object(template, count),
        ciphertext: bytes(ciphertext).slice(0, Number(length)),
        secret,
      }),
  };

  #decapsulate(
    call: FakeCall,
    handle: Arg | undefined,
    { secret, ...job }: { template: FakeObject; ciphertext?: Bytes; secret: Arg | undefined },
  ): number {
    const made = this.device.decapsulate?.(call, this.objects.get(Number(handle))!, job) ?? CKR.CKR_MECHANISM_INVALID;
    if (typeof made === "number") return made;
    this.#store(made, secret);
    return CKR.CKR_OK;
  }

  #mechanism(name: FunctionName, memory: Arg | undefined): FakeCall {
    const mechanism = bytes(memory);
    const length = CK_MECHANISM.number(LP64, mechanism, "ulParameterLen");
    const at = CK_MECHANISM.number(LP64, mechanism, "pParameter") - BASE;
    const call = {
      function: name,
      type: CK_MECHANISM.number(LP64, mechanism, "mechanism"),
      parameter: length === 0 ? new Uint8Array(0) : mechanism.slice(at, at + length),
    };
    this.calls.push(call);
    return call;
  }

  #store(made: FakeObject, handle: Arg | undefined): void {
    this.objects.set(this.#nextHandle, made);
    writeUlong(LP64, bytes(handle), { value: this.#nextHandle++ });
  }

  #attributes(handle: number, query: Bytes, count: number): number {
    const has = this.objects.get(handle);
    if (!has) return CKR.CKR_OBJECT_HANDLE_INVALID;
    let rv: number = CKR.CKR_OK;
    for (let i = 0; i < count; i++) {
      const base = i * CK_ATTRIBUTE.size(LP64);
      const type = CK_ATTRIBUTE.number(LP64, query, "type", base);
      const pointer = CK_ATTRIBUTE.number(LP64, query, "pValue", base);
      const isSecret = type === CKA.CKA_VALUE && has.get(CKA.CKA_SENSITIVE)?.[0] === 1;
      const value = isSecret ? undefined : has.get(type);
      if (value === undefined) rv = isSecret ? CKR.CKR_ATTRIBUTE_SENSITIVE : CKR.CKR_ATTRIBUTE_TYPE_INVALID;
      else if (pointer !== 0) query.set(value, pointer - BASE);
      CK_ATTRIBUTE.set(LP64, query, { field: "ulValueLen", value: value?.length ?? UNAVAILABLE, base });
    }
    return rv;
  }
}

/** An object with some attributes changed or added. */
export function withAttributes(base: FakeObject, more: Readonly<Record<number, Bytes | number | boolean>>): FakeObject {
  const made = new Map(base);
  for (const [type, value] of Object.entries(more)) {
    made.set(
      Number(type),
      typeof value === "number"
        ? ulongBytes(LP64, value)
        : typeof value === "boolean"
        ? Uint8Array.of(value ? 1 : 0)
        : value,
    );
  }
  return made;
}

/** A CK_ULONG attribute. */
export function numberOf(from: FakeObject, type: number): number | undefined {
  const value = from.get(type);
  return value?.length === 8 ? Number(readUlong(LP64, value)) : undefined;
}

/** The secret of an object, wherever it came from. */
export const SECRET = -1;

function hmac(key: FakeObject, data: Bytes): number | Bytes {
  if (numberOf(key, CKA.CKA_CLASS) !== CKO.CKO_SECRET_KEY || key.get(CKA.CKA_SIGN)?.[0] !== 1) {
    return CKR.CKR_KEY_FUNCTION_NOT_PERMITTED;
  }
  return new Uint8Array(createHmac("sha256", key.get(SECRET)!).update(data).digest());
}

function bytes(arg: Arg | undefined): Bytes {
  return arg as Bytes;
}

function object(template: Arg | undefined, count: Arg | undefined): FakeObject {
  const memory = bytes(template);
  const made: FakeObject = new Map();
  for (let i = 0; i < Number(count); i++) {
    const base = i * CK_ATTRIBUTE.size(LP64);
    const at = CK_ATTRIBUTE.number(LP64, memory, "pValue", base) - BASE;
    const length = CK_ATTRIBUTE.number(LP64, memory, "ulValueLen", base);
    made.set(
      CK_ATTRIBUTE.number(LP64, memory, "type", base),
      length === 0 ? new Uint8Array(0) : memory.slice(at, at + length),
    );
  }
  return made;
}

function equal(a: Bytes | undefined, b: Bytes): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}
