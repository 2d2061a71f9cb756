import opencryptoki from "../../drivers/opencryptoki.ts";
import type { Driver, KeyDialect } from "../../src/pkcs11/driver.ts";
import { registerTokenKeys } from "./token_keys.ts";

// openCryptoki's soft token speaks IBM's dialect too: with the standard's taken away, it is the real thing
const keys = Object.fromEntries(
  Object.entries(opencryptoki.keys!).map(([name, dialects]) => [name, (dialects as readonly KeyDialect[])[1]!]),
);
const dialect: Driver = { ...opencryptoki, name: "ibm", keys };

registerTokenKeys({ token: "opencryptoki", driver: "opencryptoki", dialect, rows: Object.keys(keys) });
