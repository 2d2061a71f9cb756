import type { Driver, TemplatePatch } from "../src/pkcs11/driver.ts";

/**
 * AWS CloudHSM, client SDK 5. The PIN is `user:password` of a crypto user. Read-only sessions are refused; a CKA_ID must be
 * the only one of its kind; what is signed is hashed outside. No Edwards curves, nothing post-quantum: the post-quantum key
 * of a hybrid goes to a file. Not tried on a device.
 */
const NO_RECOVERY: { public: TemplatePatch; private: TemplatePatch } = {
  public: { CKA_VERIFY_RECOVER: null },
  private: { CKA_SIGN_RECOVER: null },
};

const driver: Driver = {
  api: 1,
  name: "cloudhsm",
  match: (facts) => /cloudhsm/i.test(`${facts.manufacturer} ${facts.description} ${facts.path}`),
  libraryPaths: {
    linux: ["/opt/cloudhsm/lib/libcloudhsm_pkcs11.so"],
    windows: ["C:\\Program Files\\Amazon\\CloudHSM\\lib\\cloudhsm_pkcs11.dll"],
  },
  quirks: ["write-sessions"],
  templates: { ecdsa: NO_RECOVERY, rsa: NO_RECOVERY },
  hints: {
    CKR_ATTRIBUTE_VALUE_INVALID: "Another key has this CKA_ID, or the key type is not offered",
    CKR_PIN_INCORRECT: "The PIN has the form user:password, of a crypto user (CU)",
    CKR_FUNCTION_FAILED:
      "See the client's log; a cluster of one HSM needs `configure-pkcs11 --disable-key-availability-check`",
  },
};
export default driver;
