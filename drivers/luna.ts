import type { Driver, KeyDialect, TemplatePatch } from "../src/pkcs11/driver.ts";

/**
 * Thales Luna 7, Luna Cloud HSM (DPoD) and Azure Dedicated HSM. From firmware 7.9.0 and client 10.9 ML-DSA and ML-KEM have
 * the standard's numbers and structures; no SLH-DSA. Traps: the entry points of ML-KEM are CA_EncapsulateKey and
 * CA_DecapsulateKey beside the standard's list; the samples give the parameter set of ML-KEM to the private template too,
 * and that of ML-DSA not; secrets of ML-KEM are AES keys in them, which the device keeps. Edwards keys have an OID of the
 * vendor's, and FIPS mode refuses them; it also wants RSA made by mechanisms of the vendor's own.
 * The older functionality module (numbers from C0000000) is another dialect, and not driven.
 * Not tried on a device.
 */

/** FIPS mode lists one of these in place of CKM_RSA_PKCS_KEY_PAIR_GEN. */
const RSA: readonly KeyDialect[] = [{}, { generate: 0x80000142 }, { generate: 0x80000143 }];

const SECRET: TemplatePatch = {
  CKA_CLASS: "CKO_SECRET_KEY",
  CKA_KEY_TYPE: "CKK_AES",
  CKA_VALUE_LEN: 32,
  CKA_TOKEN: false,
  CKA_ENCRYPT: true,
  CKA_DECRYPT: true,
};

const driver: Driver = {
  api: 1,
  name: "luna",
  // the maker's name alone is also on other devices, and cryptoki.dll is a name that others use
  match: (facts) =>
    /safenet|thales|gemalto/i.test(facts.manufacturer) &&
    /chrystoki|luna|dpod|cryptoki2/i.test(`${facts.description} ${facts.path}`),
  libraryPaths: {
    linux: [
      "/usr/safenet/lunaclient/lib/libCryptoki2_64.so",
      "/opt/safenet/lunaclient/lib/libCryptoki2_64.so",
      "/usr/lib/libCryptoki2_64.so",
    ],
    windows: ["C:\\Program Files\\SafeNet\\LunaClient\\cryptoki.dll"],
  },
  functions: { C_EncapsulateKey: "CA_EncapsulateKey", C_DecapsulateKey: "CA_DecapsulateKey" },
  // the Crypto User; without it the Crypto Officer logs in
  userTypes: { "crypto-user": 0x80000001 },
  keys: {
    "rsa-2048": RSA,
    "rsa-3072": RSA,
    "rsa-4096": RSA,
    ed25519: { ecParams: "06092b06010401da470f01" },
  },
  templates: { "ml-kem": { private: { CKA_PARAMETER_SET: "$parameterSet" } } },
  mechanisms: {
    // µ made outside; for a plug-in with `schemes: { "ml-dsa-65": "0x80000175" }`, where messages are long
    "0x80000175": { input: "external-mu", output: "raw", context: true },
  },
  kem: {
    secrets: [
      { check: "value", template: { ...SECRET, CKA_SENSITIVE: false, CKA_EXTRACTABLE: true } },
      { check: "aes", template: SECRET },
    ],
  },
  names: {
    "0x80000142": "CKM_RSA_FIPS_186_3_AUX_PRIME_KEY_PAIR_GEN",
    "0x80000143": "CKM_RSA_FIPS_186_3_PRIME_KEY_PAIR_GEN",
    "0x80000175": "CKM_EXTMU_ML_DSA",
  },
  hints: {
    CKR_MECHANISM_INVALID: "FIPS mode refuses Edwards keys and CKM_RSA_PKCS_KEY_PAIR_GEN; ML-DSA needs firmware 7.9.0",
    CKR_TOKEN_NOT_PRESENT: "After all members of an HA group were lost, only a new process gets back to it",
    CKR_DEVICE_ERROR: "Check the connection to the appliance (`lunacm`, ReceiveTimeout in Chrystoki.conf)",
  },
};
export default driver;
