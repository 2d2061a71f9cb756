import type { Driver, TemplatePair } from "../src/pkcs11/driver.ts";

/**
 * Securosys Primus HSM and CloudsHSM. Standard numbers for ML-DSA, SLH-DSA and ML-KEM (which of them a firmware has, its
 * list tells), and a trap: templates must hold a place for what the device makes, one byte of CKA_VALUE on both sides and
 * an empty CKA_SEED on the private one. Usage flags default to false once one is stated; session objects must be allowed by
 * the HSM's policy. Not tried on a device: tested against a token played back.
 */
const PLACEHOLDERS: TemplatePair = {
  public: { CKA_VALUE: new Uint8Array(1) },
  private: { CKA_VALUE: new Uint8Array(1), CKA_SEED: new Uint8Array(0) },
};

const driver: Driver = {
  api: 1,
  name: "securosys",
  match: (facts) => /securosys|primus/i.test(`${facts.manufacturer} ${facts.description} ${facts.path}`),
  libraryPaths: {
    linux: [
      "/usr/local/primus/lib/libprimusP11.so",
      "/opt/primus/lib/libprimusP11.so",
      "/opt/securosys/lib/libprimusP11.so",
    ],
  },
  templates: { "ml-dsa": PLACEHOLDERS, "slh-dsa": PLACEHOLDERS, "ml-kem": PLACEHOLDERS },
  notCompared: ["CKA_VALUE", "CKA_SEED"],
  // not logged in any more; HSM not reachable
  lost: ["0x8000000c", "0x80005015"],
  hints: {
    "0x8000000b": "The PIN is wrong; it is the PKCS#11 password of the partition, and was tried once only",
    "0x8000000c": "The login was lost; run the command again",
    "0x80000018": "Too many connections to the HSM; close other clients or lower `sessions`",
    "0x8000003b": "The HSM does not answer; check the host and port in primus.cfg (2310, or the cloud's proxy)",
    "0x8000005f": "The HSM's policy does not allow session objects",
    "0x80005015": "The HSM cannot be reached; check primus.cfg and the network",
    "0x80005017": "The permanent secret is missing: run `ppin -a` with the setup password first",
  },
};
export default driver;
