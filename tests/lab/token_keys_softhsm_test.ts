import { registerTokenKeys } from "./token_keys.ts";

registerTokenKeys({ token: "softhsm", driver: "softhsm2" });
