import assert from "node:assert/strict";
import { run } from "../../tests/support/cli.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { QpkiError } from "../errors.ts";
import { detectObjects } from "./detect.ts";
import { inspectObject } from "./inspect.ts";

const MAKE = `set -e
openssl ecparam -name prime256v1 -genkey -noout -out k
openssl genrsa -traditional -out r 1024
openssl pkcs8 -topk8 -nocrypt -in k -outform DER -out 0
openssl pkcs8 -topk8 -passout pass:x -in k -outform DER -out 1
openssl ec -in k -outform DER -out 2
openssl rsa -in r -traditional -outform DER -out 3
openssl pkey -in k -pubout -outform DER -out 4
openssl rsa -in r -RSAPublicKey_out -outform DER -out 5
openssl req -new -key k -subj /C=DE/CN=x -addext subjectAltName=DNS:a.test,IP:192.0.2.1 -outform DER -out 6
openssl req -new -x509 -key k -subj /CN=x -addext certificatePolicies=1.2.3 -addext nameConstraints=permitted\\;DNS:a -outform DER -out 7
printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\ndefault_md=sha256\\ndefault_crl_days=1\\n' > cnf
printf 'R\\t340101000000Z\\t250101000000Z,keyCompromise\\t01\\tunknown\\t/CN=a\\n' > index
openssl x509 -inform DER -in 7 -out ca
openssl ca -config cnf -gencrl -keyfile k -cert ca -out crl
openssl crl -in crl -outform DER -out 8
`;

/** Every truncation and every single flipped bit of every kind ends in a result or a typed error. */
testWith("inspect survives truncations and bit flips of every kind", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const made = await run("sh", ["-c", MAKE], { cwd: tmp.path });
  assert.equal(made.code, 0, made.stderr);
  let results = 0;
  for (let kind = 0; kind <= 8; kind++) {
    const bytes = Deno.readFileSync(tmp.join(String(kind)));
    await inspect(bytes);
    for (let n = 0; n < bytes.length; n += n < 64 ? 1 : 13) results += await survives(bytes.subarray(0, n));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = new Uint8Array(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      results += await survives(flipped);
    }
  }
  assert.ok(results > 0);
});

async function survives(bytes: Uint8Array): Promise<number> {
  try {
    await inspect(bytes);
    return 1;
  } catch (error) {
    if (error instanceof QpkiError) return 0;
    throw new Error(`Not a typed error for ${bytes.toHex()}`, { cause: error });
  }
}

async function inspect(bytes: Uint8Array): Promise<void> {
  for (const object of detectObjects(bytes)) JSON.stringify((await inspectObject(object, "file")).json);
}
