import type { Driver } from "../src/pkcs11/driver.ts";

/**
 * SoftHSM2 (github.com/softhsm/SoftHSMv2), a token in software for tests and development. Releases up to 2.7.0 have nothing
 * post-quantum and no C_GetInterface; the main branch has ML-DSA and ML-KEM by the standard's numbers where it was built
 * with them. Traps there: CKA_PARAMETER_SET in the private template is refused, a missing one in the public template is
 * CKR_TEMPLATE_INCOMPLETE, and the secret of a KEM must state its class and type.
 */
const FROM_SOURCE = "This SoftHSM2 was built without it: releases up to 2.7.0 have no post-quantum algorithms";

const driver: Driver = {
  api: 1,
  name: "softhsm2",
  match: (facts) => /softhsm/i.test(`${facts.manufacturer} ${facts.description}`),
  libraryPaths: {
    linux: [
      "/usr/lib/softhsm/libsofthsm2.so",
      "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
      "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
      "/usr/lib64/pkcs11/libsofthsm2.so",
      "/usr/lib64/softhsm/libsofthsm2.so",
      "/usr/local/lib/softhsm/libsofthsm2.so",
    ],
    darwin: ["/opt/homebrew/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"],
    windows: ["C:\\SoftHSM2\\lib\\softhsm2-x64.dll"],
  },
  // C_Login reads the token's file anew, and fails while another process writes it
  quirks: ["fickle-login"],
  // it takes no parameter for either Edwards curve
  mechanisms: { CKM_EDDSA: { input: "message", output: "raw" } },
  absent: { "ml-dsa": FROM_SOURCE, "ml-kem": FROM_SOURCE },
  hints: {
    CKR_GENERAL_ERROR: "SoftHSM2 could not read its configuration or token folder: check SOFTHSM2_CONF and permissions",
    CKR_TOKEN_NOT_PRESENT: "Initialise a token with `softhsm2-util --init-token --free --label NAME`",
    CKR_PIN_LEN_RANGE: "SoftHSM2 takes PINs of 4 to 255 characters",
    CKR_DEVICE_ERROR: "The token folder was removed or cannot be written: check `directories.tokendir`",
  },
};
export default driver;
