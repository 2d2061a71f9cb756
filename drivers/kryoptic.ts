import type { Driver } from "../src/pkcs11/driver.ts";

/**
 * Kryoptic (github.com/latchset/kryoptic), a token in software with everything of PKCS#11 3.2 that is post-quantum. It
 * answers C_GetInterface for an exact version and no flags only. Points of EC and Edwards keys are raw or wrapped, as its
 * configuration or KRYOPTIC_EC_POINT_ENCODING says: both are read.
 */
const driver: Driver = {
  api: 1,
  name: "kryoptic",
  match: (facts) => /kryoptic/i.test(`${facts.manufacturer} ${facts.description}`),
  libraryPaths: {
    linux: [
      "/usr/lib64/pkcs11/libkryoptic_pkcs11.so",
      "/usr/lib/x86_64-linux-gnu/pkcs11/libkryoptic_pkcs11.so",
      "/usr/lib/aarch64-linux-gnu/pkcs11/libkryoptic_pkcs11.so",
      "/usr/local/lib/libkryoptic_pkcs11.so",
    ],
  },
  // its list does not tell curves; CKR_GENERAL_ERROR for these
  refuses: ["brainpool-p256r1", "brainpool-p384r1"],
  hints: {
    CKR_TOKEN_NOT_PRESENT: "Kryoptic found no configuration: set KRYOPTIC_CONF, or `init_string: kryoptic_conf=FILE`",
  },
};
export default driver;
