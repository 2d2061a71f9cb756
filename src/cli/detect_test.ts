import assert from "node:assert/strict";
import { run } from "../../tests/support/cli.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { concatBytes, encodePem, randomBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { detectObjects, type ObjectType } from "./detect.ts";

/** What openssl makes, as shell lines with OUT for the file, and what it must be recognised as. */
const MADE_BY_OPENSSL: readonly [ObjectType, string][] = [
  ["private_key", "openssl pkcs8 -topk8 -nocrypt -in ec.pem -outform DER -out OUT"],
  ["encrypted_private_key", "openssl pkcs8 -topk8 -passout pass:x -in ec.pem -outform DER -out OUT"],
  ["ec_private_key", "openssl ec -in ec.pem -outform DER -out OUT"],
  ["rsa_private_key", "openssl rsa -in rsa.pem -traditional -outform DER -out OUT"],
  ["public_key", "openssl pkey -in ec.pem -pubout -outform DER -out OUT"],
  ["rsa_public_key", "openssl rsa -in rsa.pem -RSAPublicKey_out -outform DER -out OUT"],
  ["csr", "openssl req -new -key ec.pem -subj /CN=x -outform DER -out OUT"],
  ["certificate", "openssl req -new -x509 -key ec.pem -subj /CN=x -outform DER -out OUT"],
  ["certificate", "openssl x509 -req -in x.csr -signkey ec.pem -outform DER -out OUT"],
  [
    "crl",
    "openssl ca -config ca.cnf -gencrl -keyfile ec.pem -cert ca.pem -out OUT.pem && openssl crl -in OUT.pem -outform DER -out OUT",
  ],
  ["cms", "openssl cms -sign -signer ca.pem -inkey ec.pem -in ca.cnf -nodetach -outform DER -out OUT"],
  ["pkcs12", "openssl pkcs12 -export -in ca.pem -inkey ec.pem -passout pass:x -out OUT"],
];

const SETUP = `set -e
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
openssl genrsa -out rsa.pem 2048
openssl req -new -x509 -key ec.pem -subj /CN=ca -out ca.pem
openssl req -new -key ec.pem -subj /CN=x -out x.csr
printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\ndefault_md=sha256\\ndefault_crl_days=1\\n' > ca.cnf
: > index
`;

testWith("what openssl writes is recognised, and no truncation of it crashes", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const lines = MADE_BY_OPENSSL.map(([, line], i) => line.replaceAll("OUT", `out${i}`));
  const made = await run("sh", ["-c", SETUP + lines.join("\n")], { cwd: tmp.path });
  assert.equal(made.code, 0, made.stderr);
  for (const [i, [type]] of MADE_BY_OPENSSL.entries()) {
    const bytes = Deno.readFileSync(tmp.join(`out${i}`));
    assert.deepEqual(detectObjects(bytes).map((o) => o.type), [type], MADE_BY_OPENSSL[i]![1]);
    for (let n = 0; n < bytes.length; n++) assertTypedOrResult(bytes.subarray(0, n));
    for (let bit = 0; bit < Math.min(bytes.length, 300) * 8; bit++) {
      const flipped = new Uint8Array(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      assertTypedOrResult(flipped);
    }
    const pem = new TextEncoder().encode(encodePem("CERTIFICATE", bytes));
    for (let n = 0; n < pem.length; n += 7) assertTypedOrResult(pem.subarray(0, n));
  }
});

testWith("several PEM blocks are several objects, text around them is skipped", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  assert.equal((await run("sh", ["-c", SETUP], { cwd: tmp.path })).code, 0);
  const text = `0 s: of openssl s_client\n${tmp.read("ca.pem")}\ntext\n${tmp.read("x.csr")}${tmp.read("rsa.pem")}`;
  const objects = detectObjects(new TextEncoder().encode(text));
  assert.deepEqual(objects.map((o) => [o.type, o.label]), [
    ["certificate", "CERTIFICATE"],
    ["csr", "CERTIFICATE REQUEST"],
    ["private_key", "PRIVATE KEY"],
  ]);
  const wrong = tmp.read("ca.pem").replaceAll("CERTIFICATE", "PUBLIC KEY");
  assert.throws(() => detectObjects(new TextEncoder().encode(wrong)), { code: "inspect.mismatch" });
});

Deno.test("COSE is told by tag and structure", () => {
  const cases: [string, string | undefined][] = [
    ["d28441a0a04101410a", "COSE_Sign1"],
    ["d83dd28441a0a0f6410a", "COSE_Sign1 in a CWT"],
    ["d8628440a0410180", "COSE_Sign"],
    ["d9d9f7d28441a0a04101410a", "COSE_Sign1"],
    ["d28441a0a04101410a00", undefined],
    ["d28441a0a0410141", undefined],
    ["d28341a0a04101", undefined],
    ["d2849bffffffffffffffff", undefined],
    ["d284818181818181818181818181818181818181818181818181", undefined],
  ];
  for (const [hex, name] of cases) {
    const bytes = Uint8Array.fromHex(hex);
    if (name === undefined) assert.throws(() => detectObjects(bytes), { code: "inspect.unknown" }, hex);
    else assert.equal(detectObjects(bytes)[0]!.note, name);
  }
});

Deno.test("garbage is an InputError", () => {
  for (let length = 0; length < 400; length++) assertTypedOrResult(randomBytes(length));
  for (let length = 0; length < 400; length++) {
    assertTypedOrResult(concatBytes(Uint8Array.of(0x30, 0x82, length >> 8, length & 255), randomBytes(length)));
  }
  assert.throws(() => detectObjects(new TextEncoder().encode("hello")), { code: "inspect.unknown" });
  assert.throws(() => detectObjects(new Uint8Array()), { code: "inspect.unknown" });
  const deep = new TextEncoder().encode("-----BEGIN A-----\n".repeat(100_000));
  assert.throws(() => detectObjects(deep), { code: "pem.truncated" });
});

function assertTypedOrResult(bytes: Uint8Array): void {
  try {
    assert.ok(detectObjects(bytes).length > 0);
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
  }
}
