import type { Driver } from "../src/pkcs11/driver.ts";

/** Any module that no other driver claims: the standard, unchanged. */
const driver: Driver = { api: 1, name: "generic" };
export default driver;
