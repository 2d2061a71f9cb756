import assert from "node:assert/strict";
import { keyRows, schemeRows } from "../alg/find.ts";
import { describeSpki } from "../keys/spki.ts";
import { encodeName, parseNameText } from "../x509/name.ts";
import { buildTbsCertificate } from "../x509/tbs.ts";
import { standInKeys } from "./stand_in.ts";

Deno.test("a stand-in of every row is a public key of that row, quickly made", async () => {
  for (const row of keyRows()) {
    const begin = performance.now();
    const { spki, alternativeSpki } = await standInKeys({ rows: [row] });
    assert.ok(performance.now() - begin < 500, `${row.name} is slow`);
    assert.equal(describeSpki(spki).row?.name, row.name);
    assert.equal(alternativeSpki, undefined);
    const name = encodeName(parseNameText("CN=Test"));
    const [notBefore, notAfter] = [new Date(0), new Date(1000)];
    await buildTbsCertificate({
      ...{ serial: "01", issuer: name, subject: name, notBefore, notAfter, spki, extensions: {} },
      scheme: schemeRows()[0]!,
    });
  }
});
