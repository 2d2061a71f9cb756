import { registerTokenKeys } from "./token_keys.ts";

registerTokenKeys({ token: "opencryptoki", driver: "opencryptoki" });
