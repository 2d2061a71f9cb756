import type { Driver } from "../src/pkcs11/driver.ts";

/**
 * NSS softokn (Mozilla), a token in software. Slot 2 is the key database; slot 1 has session keys only, slot 3 is the FIPS
 * token. The library wants to be told where its database is: `init_string` in hsm.yaml, or NSS_LIB_PARAMS. It is not among
 * the usual libraries, because without that its tokens are empty and read-only. ML-DSA since 3.116; no SLH-DSA, no ML-KEM-512.
 */
const driver: Driver = {
  api: 1,
  name: "nss",
  match: (facts) => /mozilla/i.test(facts.manufacturer) && /nss/i.test(facts.description),
  // seen in 3.132: ML-DSA key pairs are listed with CKF_GENERATE; C_Sign of Ed25519 refuses room for more than 64 bytes
  quirks: ["generate-flag", "exact-room"],
  refuses: ["brainpool-p256r1", "brainpool-p384r1"],
  // the public object has the modulus, and not its length
  notCompared: ["CKA_MODULUS_BITS"],
  hints: {
    CKR_TOKEN_WRITE_PROTECTED: "NSS knows no database, or opens it read-only: say where it is with " +
      "`init_string: \"configDir='sql:/path'\"` in hsm.yaml, or with NSS_LIB_PARAMS, and use slot 2",
    CKR_DEVICE_ERROR: "The NSS database cannot be read or written: check the folder that configDir names",
    CKR_USER_PIN_NOT_INITIALIZED: "Set a password for the database with `certutil -W`",
  },
};
export default driver;
