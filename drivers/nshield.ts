import type { Driver } from "../src/pkcs11/driver.ts";

/**
 * Entrust nShield. From firmware 13.8.6 (nShield 5c) its library is one of PKCS#11 3.2 with ML-DSA, SLH-DSA and ML-KEM by
 * the standard's numbers. Traps: placeholders for CKA_VALUE and CKA_SEED are refused, so no driver that wants them fits;
 * curves of Edwards are given by name; slot 0 is the accelerator, whose keys are no private objects; token keys may have to
 * be allowed by CKNFAST_OVERRIDE_SECURITY_ASSURANCES; reading some attributes fails as a whole.
 * Not tried on a device.
 */
const driver: Driver = {
  api: 1,
  name: "nshield",
  match: (facts) => /ncipher|nfast|nshield|cknfast/i.test(`${facts.manufacturer} ${facts.description} ${facts.path}`),
  libraryPaths: { linux: ["/opt/nfast/toolkits/pkcs11/libcknfast.so"] },
  quirks: ["one-attribute"],
  // PrintableString "edwards25519" and "edwards448"
  keys: {
    ed25519: { ecParams: "130c656477617264733235353139" },
    ed448: { ecParams: "130a65647761726473343438" },
  },
  hints: {
    CKR_TEMPLATE_INCONSISTENT:
      "If the device refuses keys that are kept, list `tokenkeys` in CKNFAST_OVERRIDE_SECURITY_ASSURANCES (cknfastrc)",
    CKR_USER_PIN_NOT_INITIALIZED: "Slot 0 is the accelerator; choose the card set or softcard by its label",
    CKR_USER_NOT_LOGGED_IN: "Slot 0 is the accelerator; choose the card set or softcard by its label",
    CKR_TOKEN_NOT_PRESENT: "Insert a card of the operator card set, or set CKNFAST_LOADSHARING=1 for a softcard",
  },
};
export default driver;
