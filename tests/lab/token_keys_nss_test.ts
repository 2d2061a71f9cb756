import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import type { TokenError } from "../../src/errors.ts";
import { TOKEN_NEEDS } from "../support/lab.ts";
import { testWith } from "../support/require.ts";
import { openLabToken, ref, registerTokenKeys, tokenInProcess, works } from "./token_keys.ts";

const NEEDS = { needs: ["lab" as const, "openssl-pqc" as const, ...TOKEN_NEEDS.nss] };

registerTokenKeys({ token: "nss", driver: "nss" });

testWith("nss: the database is found by init_string, in slot 2", NEEDS, async () => {
  using token = await tokenInProcess("nss");
  const initString = Deno.env.get("NSS_LIB_PARAMS")!;
  Deno.env.delete("NSS_LIB_PARAMS");
  await using provider = await openLabToken(token, { initString, token: undefined, slot: 2 });
  const row = findKeyRow("ml-dsa-65");
  await works(row, await provider.generate(row, ref("a")));
});

testWith("nss: without its database nothing is made, and the error says how to name it", NEEDS, async () => {
  using token = await tokenInProcess("nss");
  Deno.env.delete("NSS_LIB_PARAMS");
  await using provider = await openLabToken(token, { token: undefined, slot: 2 });
  await assert.rejects(provider.generate(findKeyRow("ml-dsa-65"), ref("a")), (error: TokenError) => {
    assert.equal(error.rvName, "CKR_TOKEN_WRITE_PROTECTED");
    assert.match(error.hint!, /init_string/);
    return true;
  });
});
