import assert from "node:assert/strict";
import { findKeyRow, keyRows } from "../alg/find.ts";
import { decodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { generateSoftwareKey, openSoftwareKey } from "../keys/software.ts";
import { type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { decodeCoseKey, encodeCoseKey, looksLikeCoseKey } from "./cose_key.ts";

/** Their siblings stand for them. */
const LEFT_OUT = /^(slh-dsa-.*(s|192f|256f)|rsa-[34].*)$/;

for (const row of keyRows().filter(({ name, parts }) => !LEFT_OUT.test(name) && !parts)) {
  Deno.test(`${row.name}: both halves through a COSE_Key`, async () => {
    using key = await generateSoftwareKey(row);
    const { spki } = key;
    if (row.kind === "kem") return assert.throws(() => encodeCoseKey({ spki }), { code: "cose.key" });
    const kid = new TextEncoder().encode("kid");
    const publicKey = encodeCoseKey({ spki, kid });
    assert.deepEqual(decodeCoseKey(publicKey), { spki, kid });
    const pkcs8 = await key.encode({ format: "der" });
    const privateKey = encodeCoseKey({ spki, pkcs8 });
    decodeCbor(privateKey, { deterministic: true });
    assert.ok(looksLikeCoseKey(publicKey) && looksLikeCoseKey(privateKey));
    const read = decodeCoseKey(privateKey);
    assert.deepEqual(read.spki, spki);
    using again = await openSoftwareKey(read.pkcs8!);
    assert.deepEqual(again.spki, spki);
    assert.deepEqual(await again.encode({ format: "der" }), pkcs8);
  });
}

Deno.test("the examples of RFC 8152 appendix C.7 and RFC 9964 section 3 have the forms that were read", () => {
  const p256 = decodeHex(
    "a5010202581b6d65726961646f632e6272616e64796275636b406578616d706c652001" +
      "21582065eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d" +
      "2258201e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c",
  );
  const { spki, kid } = decodeCoseKey(p256);
  assert.equal(new TextDecoder().decode(kid), "meriadoc.brandybuck@example");
  assert.deepEqual(encodeCoseKey({ spki, kid: kid! }), p256);
});

Deno.test("an ML-DSA key goes in as its seed; a key that has none does not go in", async () => {
  const row = findKeyRow("ml-dsa-44");
  using key = await generateSoftwareKey(row);
  const map = decodeCbor(encodeCoseKey({ spki: key.spki, pkcs8: await key.encode({ format: "der" }) })) as Map<
    number,
    unknown
  >;
  assert.deepEqual([map.get(1), map.get(3)], [7, -48]);
  assert.equal((map.get(-1) as Uint8Array).length, 1312);
  assert.equal((map.get(-2) as Uint8Array).length, 32);
  const { mlDsaOf } = await import("../keys/pqc_noble.ts");
  const { encodePkcs8 } = await import("../keys/private_key.ts");
  const { secretKey } = (await mlDsaOf(row)).keygen(new Uint8Array(32));
  const pkcs8 = encodePkcs8({ row, material: new Uint8Array(secretKey) });
  assert.throws(() => encodeCoseKey({ spki: key.spki, pkcs8 }), { code: "cose.key" });
});

Deno.test("what is no COSE_Key is an InputError", async () => {
  using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
  const good = decodeCbor(encodeCoseKey({ spki: key.spki })) as Map<CborValue, CborValue>;
  const changed = (...entries: [CborValue, CborValue][]) => {
    const map = new Map([...good, ...entries]);
    for (const [label, value] of entries) if (value === undefined) map.delete(label);
    return encodeCbor(map);
  };
  const bad: [string, Uint8Array][] = [
    ["no map", encodeCbor([])],
    ["no type", changed([1, undefined])],
    ["symmetric", changed([1, 4])],
    ["another curve", changed([-1, 8])],
    ["no x", changed([-2, undefined])],
    ["x is text", changed([-2, "x"])],
    ["x is short", changed([-2, new Uint8Array(31)])],
    ["off the curve", changed([-2, new Uint8Array(32)])],
    ["compressed", changed([-3, true])],
    ["d is long", changed([-4, new Uint8Array(33)])],
    ["kid is text", changed([2, "x"])],
    ["OKP on P-256", changed([1, 1])],
    ["AKP without algorithm", changed([1, 7])],
    ["RSA of 256 bits", changed([1, 3], [-1, new Uint8Array(32).fill(255)], [-2, new Uint8Array([1, 0, 1])])],
  ];
  for (const [what, bytes] of bad) {
    assert.throws(() => decodeCoseKey(bytes), (error: InputError) => {
      assert.ok(error instanceof InputError, `${what}: ${error}`);
      return true;
    });
  }
});
