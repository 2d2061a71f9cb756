import { registerTokenKeys } from "./token_keys.ts";

registerTokenKeys({ token: "kryoptic", driver: "kryoptic" });
