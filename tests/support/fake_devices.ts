import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import { ml_kem1024, ml_kem512, ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { plainBytes } from "../../src/bytes.ts";
import { CKA, CKF, CKK, CKM, CKO, CKR } from "../../src/pkcs11/constants.ts";
import { type FakeDevice, type FakeObject, numberOf, SECRET, withAttributes } from "./fake_hsm.ts";

/** Devices of vendors as their documents describe them, played back: see {@link FakeHsm}. */

const ML_DSA = [ml_dsa44, ml_dsa65, ml_dsa87];
const ML_KEM = [ml_kem512, ml_kem768, ml_kem1024];

/** A key pair of one parameter set, 1 to 3. */
function keyPair(
  kind: "dsa" | "kem",
  set: number,
): { publicKey: Uint8Array<ArrayBuffer>; secretKey: Uint8Array<ArrayBuffer> } {
  const { publicKey, secretKey } = kind === "dsa" ? ML_DSA[set - 1]!.keygen() : ML_KEM[set - 1]!.keygen();
  return { publicKey: plainBytes(publicKey), secretKey: plainBytes(secretKey) };
}

/** What every device says of a private key that it made. */
function born(made: FakeObject): FakeObject {
  return withAttributes(made, {
    [CKA.CKA_LOCAL]: true,
    [CKA.CKA_ALWAYS_SENSITIVE]: true,
    [CKA.CKA_NEVER_EXTRACTABLE]: true,
  });
}

const MECHANISM = { min: 0, max: 0 };
/** Number of the fake's own attribute that holds the parameter set. */
const SET = -2;

/** Attributes that the client library has rules for. */
const QP_RULES: ReadonlySet<number> = new Set<number>([
  ...[CKA.CKA_CLASS, CKA.CKA_KEY_TYPE, CKA.CKA_TOKEN, CKA.CKA_PRIVATE, CKA.CKA_LABEL, CKA.CKA_ID, CKA.CKA_SENSITIVE],
  ...[CKA.CKA_EXTRACTABLE, CKA.CKA_SIGN, CKA.CKA_VERIFY, CKA.CKA_DERIVE, CKA.CKA_VALUE_LEN, CKA.CKA_ENCRYPT],
]);

/** QuantumProtect: mechanisms that no list shows, records of big-endian numbers, keys under the vendors' first number. */
export const QUANTUM_PROTECT: FakeDevice = {
  mechanisms: [{ type: CKM.CKM_ECDSA, ...MECHANISM, flags: CKF.CKF_SIGN }],
  generate({ type, parameter }, { public: publicHalf, private: privateHalf }) {
    const kind = type === 0xc0a50001 ? "dsa" : type === 0xc0a50002 ? "kem" : undefined;
    if (!kind) return CKR.CKR_MECHANISM_INVALID;
    const set = parameter[7]!;
    if (parameter.toHex() !== `000000010000000${set}0000`) return CKR.CKR_MECHANISM_PARAM_INVALID;
    for (const half of [publicHalf, privateHalf]) {
      if ([...half.keys()].some((attribute) => !QP_RULES.has(attribute))) return CKR.CKR_TEMPLATE_INCONSISTENT;
      if (numberOf(half, CKA.CKA_KEY_TYPE) !== type) return CKR.CKR_TEMPLATE_INCONSISTENT;
    }
    if (privateHalf.get(CKA.CKA_DERIVE)?.[0] !== 1) return CKR.CKR_TEMPLATE_INCOMPLETE;
    const { publicKey, secretKey } = keyPair(kind, set);
    const shown = { [CKA.CKA_KEY_TYPE]: 0x80000000, [SET]: set };
    return {
      public: withAttributes(publicHalf, shown),
      private: born(withAttributes(privateHalf, { ...shown, 0x80d00001: publicKey, [SECRET]: secretKey })),
    };
  },
  sign({ type, parameter }, key, data) {
    const set = numberOf(key, SET)!;
    if (parameter.toHex() !== `000000000000000${set}`) return CKR.CKR_MECHANISM_PARAM_INVALID;
    const library = ML_DSA[set - 1]!;
    if (type === 0xc0a53001) return plainBytes(library.sign(data, key.get(SECRET)!));
    if (type !== 0xc0a53005) return CKR.CKR_MECHANISM_INVALID;
    if (data.length !== 64) return CKR.CKR_DATA_LEN_RANGE;
    return plainBytes(library.internal.sign(data, key.get(SECRET)!, { externalMu: true }));
  },
  decapsulate({ function: name, type, parameter }, key, { template }) {
    if (name !== "C_DeriveKey" || type !== 0xc0a59002) return CKR.CKR_MECHANISM_INVALID;
    const set = numberOf(key, SET)!;
    const length = parameter[10]! * 256 + parameter[11]!;
    if (parameter.slice(0, 10).toHex() !== `000000000000000${set}0000`) return CKR.CKR_MECHANISM_PARAM_INVALID;
    if (parameter.length !== 12 + length) return CKR.CKR_MECHANISM_PARAM_INVALID;
    // "property is protected": not less than the base key
    if (template.get(CKA.CKA_EXTRACTABLE)?.[0] !== 0) return CKR.CKR_TEMPLATE_INCONSISTENT;
    const secret = ML_KEM[set - 1]!.decapsulate(parameter.slice(12), key.get(SECRET)!);
    return withAttributes(template, { [SECRET]: plainBytes(secret) });
  },
};

const ML_DSA_MECHANISMS = [
  { type: CKM.CKM_ML_DSA_KEY_PAIR_GEN, min: 1312, max: 2592, flags: CKF.CKF_GENERATE_KEY_PAIR },
  { type: CKM.CKM_ML_DSA, min: 1312, max: 2592, flags: CKF.CKF_SIGN + CKF.CKF_VERIFY },
];
const ML_KEM_MECHANISMS = [
  { type: CKM.CKM_ML_KEM_KEY_PAIR_GEN, min: 800, max: 1568, flags: CKF.CKF_GENERATE_KEY_PAIR },
  { type: CKM.CKM_ML_KEM, min: 800, max: 1568, flags: CKF.CKF_ENCAPSULATE + CKF.CKF_DECAPSULATE },
];

/** Standard numbers, and templates that must hold a place for what the device makes. */
export const PLACEHOLDERS_WANTED: FakeDevice = {
  mechanisms: ML_DSA_MECHANISMS,
  generate(_call, { public: publicHalf, private: privateHalf }) {
    for (const half of [publicHalf, privateHalf]) {
      if (half.get(CKA.CKA_VALUE)?.toHex() !== "00") return CKR.CKR_TEMPLATE_INCOMPLETE;
    }
    if (privateHalf.get(CKA.CKA_SEED)?.length !== 0) return CKR.CKR_TEMPLATE_INCOMPLETE;
    if (privateHalf.has(CKA.CKA_PARAMETER_SET)) return CKR.CKR_TEMPLATE_INCONSISTENT;
    const set = numberOf(publicHalf, CKA.CKA_PARAMETER_SET)!;
    const { publicKey, secretKey } = keyPair("dsa", set);
    return {
      public: withAttributes(publicHalf, { [CKA.CKA_VALUE]: publicKey }),
      private: born(withAttributes(privateHalf, { [CKA.CKA_PARAMETER_SET]: set, [SECRET]: secretKey, [SET]: set })),
    };
  },
  sign({ parameter }, key, data) {
    if (parameter.length > 0) return CKR.CKR_MECHANISM_PARAM_INVALID;
    return plainBytes(ML_DSA[numberOf(key, SET)! - 1]!.sign(data, key.get(SECRET)!));
  },
};

/** KEM functions beside the list, the parameter set in both templates, secrets that stay inside as AES keys. */
export const KEM_BESIDE_THE_LIST: FakeDevice = {
  mechanisms: ML_KEM_MECHANISMS,
  lacks: ["C_EncapsulateKey", "C_DecapsulateKey"],
  exports: ["CA_EncapsulateKey", "CA_DecapsulateKey"],
  generate(_call, { public: publicHalf, private: privateHalf }) {
    const set = numberOf(publicHalf, CKA.CKA_PARAMETER_SET)!;
    if (numberOf(privateHalf, CKA.CKA_PARAMETER_SET) !== set) return CKR.CKR_TEMPLATE_INCOMPLETE;
    const { publicKey, secretKey } = keyPair("kem", set);
    return {
      public: withAttributes(publicHalf, { [CKA.CKA_VALUE]: publicKey }),
      private: born(withAttributes(privateHalf, { [SECRET]: secretKey, [SET]: set })),
    };
  },
  decapsulate({ type }, key, { template, ciphertext }) {
    if (type !== CKM.CKM_ML_KEM || !ciphertext) return CKR.CKR_MECHANISM_INVALID;
    if (numberOf(template, CKA.CKA_CLASS) !== CKO.CKO_SECRET_KEY) return CKR.CKR_TEMPLATE_INCOMPLETE;
    if (numberOf(template, CKA.CKA_KEY_TYPE) !== CKK.CKK_AES) return CKR.CKR_TEMPLATE_INCONSISTENT;
    if (numberOf(template, CKA.CKA_VALUE_LEN) !== 32) return CKR.CKR_TEMPLATE_INCOMPLETE;
    const secret = plainBytes(ML_KEM[numberOf(key, SET)! - 1]!.decapsulate(ciphertext, key.get(SECRET)!));
    return withAttributes(template, { [SECRET]: secret, [CKA.CKA_SENSITIVE]: true });
  },
};
