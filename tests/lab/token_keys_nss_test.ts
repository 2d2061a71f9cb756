import { registerTokenKeys } from "./token_keys.ts";

registerTokenKeys({ token: "nss", driver: "nss" });
