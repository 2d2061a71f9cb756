import type { Driver, TemplatePair } from "../src/pkcs11/driver.ts";

/**
 * YubiHSM 2. The PIN is the authentication key's number in four hex digits with its password behind. An attribute that the
 * library does not know makes it refuse a template. A CKA_ID of two bytes is the object's own number. 16 sessions, some 256
 * objects; searches must be over before objects come or go. Nothing post-quantum. Not tried on a device.
 */
const STRICT: TemplatePair = {
  public: { CKA_VERIFY_RECOVER: null },
  private: { CKA_SIGN_RECOVER: null },
};

const driver: Driver = {
  api: 1,
  name: "yubihsm2",
  match: (facts) => /yubihsm/i.test(`${facts.description} ${facts.path}`),
  libraryPaths: {
    linux: [
      "/usr/lib/x86_64-linux-gnu/pkcs11/yubihsm_pkcs11.so",
      "/usr/lib/aarch64-linux-gnu/pkcs11/yubihsm_pkcs11.so",
      "/usr/lib64/pkcs11/yubihsm_pkcs11.so",
    ],
    darwin: ["/usr/local/lib/pkcs11/yubihsm_pkcs11.dylib", "/opt/homebrew/lib/pkcs11/yubihsm_pkcs11.dylib"],
    windows: ["C:\\Program Files\\Yubico\\YubiHSM Shell\\bin\\pkcs11\\yubihsm_pkcs11.dll"],
  },
  templates: { ecdsa: STRICT, eddsa: STRICT, rsa: STRICT },
  refuses: ["ed448"],
  hints: {
    CKR_ARGUMENTS_BAD: "Name the connector: YUBIHSM_PKCS11_CONF, or `init_string: connector=http://…` in hsm.yaml",
    CKR_TOKEN_NOT_PRESENT: "The connector was not found: check its address, and that yubihsm-connector runs",
    CKR_DEVICE_REMOVED: "The connection to the YubiHSM was lost",
    CKR_FUNCTION_REJECTED: "The authentication key lacks a capability for this; see it with yubihsm-shell",
    CKR_DEVICE_MEMORY: "The YubiHSM is full, or its audit log is and must be read first",
    CKR_PIN_INCORRECT: "The PIN is four hex digits (the authentication key's id) and its password: 0001password",
  },
};
export default driver;
