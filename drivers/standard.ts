import type { CompleteDriver, SignMechanism, TemplatePatch } from "../src/pkcs11/driver.ts";

/**
 * PKCS#11 3.2 as written: what every driver starts from. Every usage flag is stated, true or false, because tokens have
 * defaults of their own.
 */

const PUBLIC_USAGE: TemplatePatch = {
  CKA_VERIFY: true,
  CKA_VERIFY_RECOVER: false,
  CKA_ENCRYPT: false,
  CKA_WRAP: false,
  CKA_DERIVE: false,
};

/** Hedged is what tokens do on their own; a structure is needed for a context only. */
const PQC_SIGNATURE: SignMechanism = {
  input: "message",
  output: "raw",
  context: true,
  parameter: (_scheme, _row, { context }) =>
    context && {
      struct: "CK_SIGN_ADDITIONAL_CONTEXT",
      values: { hedgeVariant: "CKH_HEDGE_PREFERRED", pContext: context, ulContextLen: context.length },
    },
};

/** FIPS 203: the shared secret of every parameter set has 32 bytes. */
const SECRET_BYTES = 32;

const SECRET: TemplatePatch = {
  CKA_CLASS: "CKO_SECRET_KEY",
  CKA_KEY_TYPE: "CKK_GENERIC_SECRET",
  CKA_TOKEN: false,
};

/** A secret that may be read, and those that a token uses but keeps to itself. */
const READABLE: TemplatePatch = { ...SECRET, CKA_SENSITIVE: false, CKA_EXTRACTABLE: true };

const PRIVATE: TemplatePatch = {
  CKA_CLASS: "CKO_PRIVATE_KEY",
  CKA_KEY_TYPE: "$keyType",
  CKA_TOKEN: true,
  CKA_PRIVATE: true,
  CKA_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_SIGN: true,
  CKA_SIGN_RECOVER: false,
  CKA_DECRYPT: false,
  CKA_UNWRAP: false,
  CKA_DERIVE: false,
  CKA_LABEL: "$label",
  CKA_ID: "$id",
};

function publicKey(own: TemplatePatch): TemplatePatch {
  return {
    CKA_CLASS: "CKO_PUBLIC_KEY",
    CKA_KEY_TYPE: "$keyType",
    CKA_TOKEN: true,
    CKA_PRIVATE: false,
    ...PUBLIC_USAGE,
    ...own,
    CKA_LABEL: "$label",
    CKA_ID: "$id",
  };
}

/** The standard driver. */
export const standard: CompleteDriver = {
  api: 1,
  name: "standard",
  keys: {},
  schemes: {},
  mechanisms: {
    CKM_ECDSA: { input: "digest", output: "r-s" },
    CKM_RSA_PKCS: { input: "digest-info", output: "raw" },
    CKM_RSA_PKCS_PSS: {
      input: "digest",
      output: "raw",
      parameter: (scheme) => {
        // the constants spell hashes without the hyphen: CKM_SHA256, CKG_MGF1_SHA256
        const hash = scheme.hash?.replace("-", "");
        return {
          struct: "CK_RSA_PKCS_PSS_PARAMS",
          values: { hashAlg: `CKM_${hash}`, mgf: `CKG_MGF1_${hash}`, sLen: scheme.saltBytes ?? 0 },
        };
      },
    },
    CKM_ML_DSA: PQC_SIGNATURE,
    CKM_SLH_DSA: PQC_SIGNATURE,
    CKM_EDDSA: {
      input: "message",
      output: "raw",
      // section 6.3.15: no parameter is Ed25519; Ed448 needs one
      parameter: (_scheme, row) =>
        row.scalarBytes === 32
          ? undefined
          : { struct: "CK_EDDSA_PARAMS", values: { phFlag: 0, ulContextDataLen: 0, pContextData: null } },
    },
  },
  templates: {
    ecdsa: { public: publicKey({ CKA_EC_PARAMS: "$ecParams" }), private: PRIVATE },
    eddsa: { public: publicKey({ CKA_EC_PARAMS: "$ecParams" }), private: PRIVATE },
    rsa: {
      public: publicKey({ CKA_MODULUS_BITS: "$modulusBits", CKA_PUBLIC_EXPONENT: "$publicExponent" }),
      private: PRIVATE,
    },
    "ml-dsa": { public: publicKey({ CKA_PARAMETER_SET: "$parameterSet" }), private: PRIVATE },
    "slh-dsa": { public: publicKey({ CKA_PARAMETER_SET: "$parameterSet" }), private: PRIVATE },
    "ml-kem": {
      public: publicKey({ CKA_PARAMETER_SET: "$parameterSet", CKA_VERIFY: false, CKA_ENCAPSULATE: true }),
      private: { ...PRIVATE, CKA_SIGN: false, CKA_DECAPSULATE: true },
    },
  },
  kem: {
    call: "decapsulate",
    // most know the length of what they make; some refuse to be told, some want it
    secrets: [
      { check: "value", template: READABLE },
      { check: "value", template: { ...READABLE, CKA_VALUE_LEN: SECRET_BYTES } },
      { check: "hmac", template: { ...SECRET, CKA_SIGN: true, CKA_VALUE_LEN: SECRET_BYTES } },
      {
        check: "aes",
        template: { ...SECRET, CKA_KEY_TYPE: "CKK_AES", CKA_ENCRYPT: true, CKA_VALUE_LEN: SECRET_BYTES },
      },
    ],
  },
  names: {},
  userTypes: {},
  absent: {},
  refuses: [],
  publicValues: [],
  parameterSets: [],
  notCompared: [],
  unlisted: [],
  findBatch: 64,
  quirks: [],
  lost: [],
  hints: {},
};
