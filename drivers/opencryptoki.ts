import type { Driver, KeyDialect, MechanismParameter, TemplatePair } from "../src/pkcs11/driver.ts";

/**
 * openCryptoki (IBM, open source) with its soft, CCA and EP11 tokens. Version 3.27 has the standard's ML-DSA and ML-KEM
 * beside IBM's own dialect, 3.26 that one alone; both are driven, new keys are made in the standard's where it is there.
 * Traps of the dialect: the parameter set is another attribute, hedging is counted from 1 where the standard counts from 0,
 * ML-KEM goes through C_DeriveKey. No SLH-DSA. PINs have 4 to 8 characters.
 */

const CKA_IBM_PARAMETER_SET = "0x80010010";
const CKH_IBM_HEDGE_PREFERRED = 1;
const CK_IBM_ML_KEM_DECAPSULATE = 2;
/** The bare secret, no key derivation after it. */
const CKD_IBM_NULL = 1;

const SET: TemplatePair = { public: { CKA_PARAMETER_SET: null, [CKA_IBM_PARAMETER_SET]: "$parameterSet" } };

const ML_DSA: KeyDialect = { keyType: 0x80010025, generate: 0x80010035, sign: 0x80010036, templates: SET };

const ML_KEM: KeyDialect = {
  keyType: 0x80010026,
  generate: 0x80010037,
  templates: {
    public: { ...SET.public, CKA_ENCAPSULATE: null, CKA_DERIVE: true },
    private: { CKA_DECAPSULATE: null, CKA_DERIVE: true },
  },
  kem: { call: "derive", mechanism: 0x80010038, parameter: (_row, ciphertext) => kemParameters(ciphertext) },
};

/** CK_IBM_ML_KEM_PARAMS for decapsulation. */
function kemParameters(ciphertext: Uint8Array): MechanismParameter {
  return {
    struct: {
      ulVersion: "ulong",
      mode: "ulong",
      kdf: "ulong",
      bPrepend: "byte",
      pCipher: "pointer",
      ulCipherLen: "ulong",
      pSharedData: "pointer",
      ulSharedDataLen: "ulong",
      hSecret: "ulong",
    },
    values: {
      ulVersion: 0,
      mode: CK_IBM_ML_KEM_DECAPSULATE,
      kdf: CKD_IBM_NULL,
      bPrepend: 0,
      pCipher: ciphertext,
      ulCipherLen: ciphertext.length,
      pSharedData: null,
      ulSharedDataLen: 0,
      hSecret: 0,
    },
  };
}

const driver: Driver = {
  api: 1,
  name: "opencryptoki",
  match: (facts) => /opencryptoki/i.test(facts.description),
  libraryPaths: {
    linux: [
      "/usr/lib/x86_64-linux-gnu/opencryptoki/libopencryptoki.so",
      "/usr/lib/x86_64-linux-gnu/pkcs11/libopencryptoki.so",
      "/usr/lib/s390x-linux-gnu/opencryptoki/libopencryptoki.so",
      "/usr/lib/s390x-linux-gnu/pkcs11/libopencryptoki.so",
      "/usr/lib64/opencryptoki/libopencryptoki.so",
    ],
  },
  keys: {
    "ml-dsa-44": [{}, ML_DSA],
    "ml-dsa-65": [{}, ML_DSA],
    "ml-dsa-87": [{}, ML_DSA],
    "ml-kem-512": [{}, ML_KEM],
    "ml-kem-768": [{}, ML_KEM],
    "ml-kem-1024": [{}, ML_KEM],
  },
  mechanisms: {
    "0x80010036": {
      input: "message",
      output: "raw",
      context: true,
      parameter: (_scheme, _row, { context }) =>
        context && {
          struct: "CK_SIGN_ADDITIONAL_CONTEXT",
          values: { hedgeVariant: CKH_IBM_HEDGE_PREFERRED, pContext: context, ulContextLen: context.length },
        },
    },
  },
  parameterSets: [CKA_IBM_PARAMETER_SET],
  // ρ and t1 of ML-DSA; the key of ML-KEM
  publicValues: [["0x800d0002", "0x800d0008"], ["0x800d000a"]],
  names: {
    "0x80010023": "CKM_IBM_DILITHIUM",
    "0x80010024": "CKM_IBM_KYBER",
    "0x80010035": "CKM_IBM_ML_DSA_KEY_PAIR_GEN",
    "0x80010036": "CKM_IBM_ML_DSA",
    "0x80010037": "CKM_IBM_ML_KEM_KEY_PAIR_GEN",
    "0x80010038": "CKM_IBM_ML_KEM",
    "0x8001ff01": "CKM_IBM_ML_KEM_WITH_ECDH",
    "0x8001001c": "CKM_IBM_ED25519_SHA512",
  },
  hints: {
    CKR_FUNCTION_FAILED: "Is the daemon pkcsslotd running, and this user in the group pkcs11?",
    CKR_HOST_MEMORY: "Is the daemon pkcsslotd running, and this user in the group pkcs11?",
    CKR_TOKEN_NOT_PRESENT: "Is the daemon pkcsslotd running, and this user in the group pkcs11?",
    CKR_PIN_EXPIRED: "The default PINs must be changed first: `pkcsconf -P` for the SO's, `pkcsconf -p` for the user's",
    CKR_PIN_LEN_RANGE: "openCryptoki's soft token takes PINs of 4 to 8 characters",
  },
};
export default driver;
