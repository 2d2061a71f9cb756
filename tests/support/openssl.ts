import type { KeyRow } from "../../src/alg/find.ts";
import type { Family } from "../../src/alg/registry.ts";
import type { Need } from "./require.ts";

const NEEDS: Readonly<Partial<Record<Family, Need>>> = {
  ecdsa: "openssl",
  eddsa: "openssl",
  rsa: "openssl",
  "ml-dsa": "openssl-pqc",
  "slh-dsa": "openssl-pqc",
  "ml-kem": "openssl-pqc",
};

/** Which OpenSSL has keys of this row; undefined where none has (composite). */
export function opensslFor(row: KeyRow): Need | undefined {
  return NEEDS[row.family];
}
