import { findKeyRow } from "../../src/alg/find.ts";
import { TOKEN_NEEDS } from "../support/lab.ts";
import { testWith } from "../support/require.ts";
import { openLabToken, ref, registerTokenKeys, tokenInProcess, works } from "./token_keys.ts";

registerTokenKeys({ token: "kryoptic", driver: "kryoptic" });

for (const encoding of ["BYTES", "DER"]) {
  testWith(
    `kryoptic: points of curves in the form ${encoding}`,
    { needs: ["lab", "openssl-pqc", ...TOKEN_NEEDS.kryoptic] },
    async () => {
      using token = await tokenInProcess("kryoptic");
      Deno.env.set("KRYOPTIC_EC_POINT_ENCODING", encoding);
      await using provider = await openLabToken(token);
      for (const name of ["ecdsa-p256", "ecdsa-p521", "ed25519", "ed448"]) {
        const row = findKeyRow(name);
        await works(row, await provider.generate(row, ref(name)));
      }
      Deno.env.delete("KRYOPTIC_EC_POINT_ENCODING");
    },
  );
}
