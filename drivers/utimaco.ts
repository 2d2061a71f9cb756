import type { Driver, KeyDialect, TemplatePatch } from "../src/pkcs11/driver.ts";

/**
 * Utimaco SecurityServer, CryptoServer and u.trust, and as `utimaco-qp` those with the QuantumProtect firmware.
 *
 * Traps, from Utimaco's samples and from others' drivers: the client library refuses attributes that its own table lacks
 * (CKA_COPYABLE, CKA_DESTROYABLE and CKA_ENCAPSULATE among them) with CKR_TEMPLATE_INCONSISTENT. QuantumProtect has
 * mechanisms of its own that neither C_GetMechanismList nor C_GetMechanismInfo shows, so it must be asked for by name; some
 * comments in the wild have their base as CA50…, it is C0A5…. Parameters are big-endian records, which also carry the
 * parameter set; a context goes through external µ only. No hedging control, no SLH-DSA.
 * Not tried on a device: what is encoded is tested byte by byte, and against a token played back.
 */

const CKK_ML_DSA = 0xc0a50001;
const CKK_ML_KEM = 0xc0a50002;
const CKM_ML_DSA_SIGN = "0xc0a53001";
const CKM_ML_DSA_EXTMU_SIGN = "0xc0a53005";
const CKM_ML_KEM_DECAPSULATE = "0xc0a59002";
/** The raw public key, on the private object. */
const CKA_CUSTOM_DATA = "0x80d00001";
/** Some firmware shows its keys under the first number of all vendors. */
const CKK_VENDOR_DEFINED = 0x80000000;

const SETS: Readonly<Record<string, number>> = {
  "ml-dsa-44": 1,
  "ml-dsa-65": 2,
  "ml-dsa-87": 3,
  "ml-kem-512": 1,
  "ml-kem-768": 2,
  "ml-kem-1024": 3,
};

/** A record of big-endian numbers (`[value, bytes]`) and bytes. */
function record(...parts: readonly (readonly [value: number, bytes: 2 | 4] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => {
    if (part instanceof Uint8Array) return [...part];
    const [value, bytes] = part;
    return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
  }));
}

/** Flags (1), parameter set, length of further attributes (none). */
function generation(set: number): Uint8Array {
  return record([1, 4], [set, 4], [0, 2]);
}

/** Flags (none), parameter set. */
function signature(row: { readonly name: string }): Uint8Array {
  return record([0, 4], [SETS[row.name]!, 4]);
}

/** Attributes without a rule for these keys; the parameter set is in the mechanism's record. */
const NO_RULE: TemplatePatch = { CKA_PARAMETER_SET: null, CKA_ENCAPSULATE: null, CKA_DECAPSULATE: null };
const PUBLIC: TemplatePatch = { ...NO_RULE, CKA_VERIFY_RECOVER: null, CKA_ENCRYPT: null, CKA_WRAP: null };
const PRIVATE: TemplatePatch = { ...NO_RULE, CKA_SIGN_RECOVER: null, CKA_DECRYPT: null, CKA_UNWRAP: null };

function mlDsa(set: number): KeyDialect {
  return {
    keyType: CKK_ML_DSA,
    shownAs: [CKK_VENDOR_DEFINED],
    generate: CKK_ML_DSA,
    parameter: generation(set),
    sign: CKM_ML_DSA_SIGN,
    // the vendor's sample gives the private key both uses
    templates: { public: { ...PUBLIC, CKA_DERIVE: null }, private: { ...PRIVATE, CKA_DERIVE: true } },
  };
}

const SECRET: TemplatePatch = {
  CKA_CLASS: "CKO_SECRET_KEY",
  CKA_TOKEN: false,
  CKA_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_VALUE_LEN: 32,
};

function mlKem(set: number): KeyDialect {
  return {
    keyType: CKK_ML_KEM,
    shownAs: [CKK_VENDOR_DEFINED],
    generate: CKK_ML_KEM,
    parameter: generation(set),
    templates: {
      public: { ...PUBLIC, CKA_VERIFY: null, CKA_DERIVE: true },
      private: { ...PRIVATE, CKA_SIGN: null, CKA_DERIVE: true },
    },
    kem: {
      call: "derive",
      mechanism: CKM_ML_KEM_DECAPSULATE,
      // flags, parameter set, no private key (the base key is it), ciphertext
      parameter: (row, ciphertext) => record([0, 4], [SETS[row.name]!, 4], [0, 2], [ciphertext.length, 2], ciphertext),
      // a secret is never less protected than the key it comes from, so its value stays inside
      secrets: [
        { check: "hmac", template: { ...SECRET, CKA_KEY_TYPE: "CKK_GENERIC_SECRET", CKA_SIGN: true } },
        { check: "aes", template: { ...SECRET, CKA_KEY_TYPE: "CKK_AES", CKA_ENCRYPT: true } },
      ],
    },
  };
}

const QUANTUM_PROTECT = "ML-DSA and ML-KEM are in the QuantumProtect firmware, which cannot be seen from outside: " +
  "where it is installed, set `driver: utimaco-qp`";

const driver: Driver = {
  api: 1,
  name: "utimaco",
  match: (facts) =>
    /utimaco|cryptoserver|cs2?_pkcs11/i.test(`${facts.manufacturer} ${facts.description} ${facts.path}`),
  libraryPaths: {
    linux: [
      "/opt/utimaco/p11/libcs_pkcs11_R3.so",
      "/opt/utimaco/lib/libcs_pkcs11_R3.so",
      "/etc/utimaco/libcs_pkcs11_R3.so",
      "/lib/libcs_pkcs11_R3.so",
    ],
    windows: ["C:\\Program Files\\Utimaco\\CryptoServer\\Lib\\cs_pkcs11_R3.dll"],
  },
  // accounts besides USR_000n of the slot; their PIN is `user,secret`
  userTypes: { generic: 0x83 },
  publicValues: [[CKA_CUSTOM_DATA]],
  findBatch: 64,
  absent: { "ml-dsa": QUANTUM_PROTECT, "ml-kem": QUANTUM_PROTECT },
  hints: {
    CKR_TEMPLATE_INCONSISTENT: "The client library has no rule for an attribute, or for its combination with another",
    CKR_SESSION_HANDLE_INVALID:
      "Idle sessions end after AppTimeout (30 minutes unless cs_pkcs11_R3.cfg says otherwise)",
    CKR_USER_PIN_NOT_INITIALIZED: "The slot's user must change the PIN that the SO set before it can be used",
    CKR_DEVICE_ERROR: "Check the device's address in the file that CS_PKCS11_R3_CFG names, and that the port is open",
  },
};
export default driver;

/** With QuantumProtect. */
export const quantumProtect: Driver = {
  ...driver,
  name: "utimaco-qp",
  match: () => false,
  libraryPaths: {},
  keys: {
    "ml-dsa-44": mlDsa(1),
    "ml-dsa-65": mlDsa(2),
    "ml-dsa-87": mlDsa(3),
    "ml-kem-512": mlKem(1),
    "ml-kem-768": mlKem(2),
    "ml-kem-1024": mlKem(3),
  },
  mechanisms: {
    [CKM_ML_DSA_SIGN]: {
      input: "message",
      output: "raw",
      parameter: (_scheme, row) => signature(row),
      withContext: CKM_ML_DSA_EXTMU_SIGN,
    },
    [CKM_ML_DSA_EXTMU_SIGN]: {
      input: "external-mu",
      output: "raw",
      parameter: (_scheme, row) => signature(row),
      context: true,
    },
  },
  unlisted: ["0xc0a50001", "0xc0a50002", CKM_ML_DSA_SIGN, CKM_ML_DSA_EXTMU_SIGN, CKM_ML_KEM_DECAPSULATE],
  names: {
    "0xc0a50001": "CKM_UTI_MLDSA_GENKEY",
    "0xc0a50002": "CKM_UTI_MLKEM_GENKEY",
    [CKM_ML_DSA_SIGN]: "CKM_UTI_MLDSA_SIGN",
    [CKM_ML_DSA_EXTMU_SIGN]: "CKM_UTI_MLDSA_EXTMU_SIGN",
    [CKM_ML_KEM_DECAPSULATE]: "CKM_UTI_MLKEM_DECAP",
  },
  absent: {},
  hints: {
    ...driver.hints,
    CKR_MECHANISM_INVALID: "Is QuantumProtect installed on the device? Without it, set `driver: utimaco`",
  },
};
