/** `qpki cose` on files and in SoftHSM2: who may sign, what is refused, hybrids, batches, files of any size. */
import assert from "node:assert/strict";
import { decodeHex } from "../../src/bytes.ts";
import { CborTag, type CborValue, decodeCbor, encodeCbor } from "../../src/cose/cbor.ts";
import { describe, runCli } from "../support/cli.ts";
import { runInProcess, shellWords } from "../support/in_process.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

interface World {
  readonly tmp: TempFolder;
  /** Runs a command line that must succeed. */
  ok(line: string, now?: Date): Promise<string>;
  /** Runs one that must end with this status and these words. */
  no(line: string, status: number, words: RegExp, now?: Date): Promise<void>;
}

function worldOf(tmp: TempFolder, env: Record<string, string> = {}): World {
  const run = (line: string, now?: Date) =>
    runInProcess(shellWords(line), { cwd: tmp.path, env, ...(now ? { now } : {}) });
  return {
    tmp,
    async ok(line, now) {
      const { status, stdout, stderr } = await run(line, now);
      assert.equal(status, 0, describe(line, { code: status, stdout, stderr }));
      return stdout;
    },
    async no(line, status, words, now) {
      const result = await run(line, now);
      const told = describe(line, { code: result.status, ...result });
      assert.equal(result.status, status, told);
      assert.match(result.stdout + result.stderr, words, told);
    },
  };
}

/** A CA called `ca` with one signer: s.key, s.crt. */
async function withSigner(tmp: TempFolder, env?: Record<string, string>): Promise<World> {
  const world = worldOf(tmp, env);
  await world.ok("ca init --profile ec/root-ca --var cn=Root --ca-dir ca");
  await world.ok("csr gen -a ecdsa-p256 --keyout s.key --cn signer --out s.csr");
  await world.ok("cert issue --ca-dir ca --profile ec/signing --csr s.csr --out s.crt");
  tmp.write("data", "some content\n");
  return world;
}

const DAY = 86_400_000;

Deno.test("a token: claims, times, audience", async () => {
  using tmp = tempFolder();
  const { ok, no } = await withSigner(tmp);
  const now = new Date(Math.floor(Date.now() / 1000) * 1000 + 1000);
  const claims = "--iss me --sub you --aud a --aud b --claim level:int=-3 --claim on:bool=true --claim x:bytes=0a " +
    "--claim -70000=t --claim big:int=18446744073709551615 --cti 0102";
  await ok(`cose sign --cert s.crt --key s.key ${claims} --exp 1h --nbf 2000-01-01 --out t.cbor`, now);
  const shown = JSON.parse(await ok("cose info t.cbor --json"));
  const time = now.getTime() / 1000;
  assert.deepEqual(shown.claims, {
    iss: "me",
    sub: "you",
    aud: ["a", "b"],
    exp: time + 3600,
    nbf: 946684800,
    iat: time,
    cti: "0102",
    "-70000": "t",
    x: "0a",
    on: true,
    big: "18446744073709551615",
    level: -3,
  });
  const verify = "cose verify t.cbor --ca ca --cert s.crt";
  assert.match(await ok(`${verify} --iss me --sub you --aud b`, now), /^VALID\n/);
  // without its tag it is a token still: its type is signed
  const token = Deno.readFileSync(tmp.join("t.cbor"));
  assert.equal(token.subarray(0, 2).toHex(), "d83d");
  tmp.write("bare.cbor", token.subarray(2));
  const late = new Date(now.getTime() + 3_600_000);
  await no(verify.replace("t.cbor", "bare.cbor"), 1, /it expired at/, late);
  await no(`${verify} --aud c`, 1, /it is not for "c"/, now);
  await no(`${verify} --iss other`, 1, /iss is "me", not "other"/, now);
  await no(verify, 1, /INVALID\n {2}it expired at/, late);
  for (const flag of ["--no-check-exp", "--check-exp=false"]) await ok(`${verify} ${flag}`, late);
  await no(verify, 1, /it says that it was issued at/, new Date(now.getTime() - DAY / 24));
  // the certificate has expired, and was valid when the token was issued
  const nextYear = new Date(now.getTime() + 366 * DAY);
  await ok(`${verify} --no-check-exp`, nextYear);
  await ok("cose sign --cert s.crt --key s.key --sub x --no-iat --out n.cbor", now);
  await no("cose verify n.cbor --ca ca --cert s.crt", 1, /expired/, nextYear);
  await no("cose sign --cert s.crt --key s.key --sub x --out y.cbor", 1, /its certificate expired/, nextYear);
});

Deno.test("who signed must lead to the CA, be allowed to, and not be revoked", async () => {
  using tmp = tempFolder();
  const { ok, no } = await withSigner(tmp);
  await ok("ca init --profile ec/root-ca --var cn=Other --ca-dir other");
  await ok("cose sign --cert s.crt --key s.key --data data --include-certs --out d.cose");
  assert.match(await ok("cose verify d.cose --ca ca/ca.crt --data data"), /CN=signer \(ES256\)/);
  // a message that brings along whatever it finds is answered soon
  const { value } = decodeCbor(Deno.readFileSync(tmp.join("d.cose"))) as CborTag;
  const [head, , content, signature] = value as readonly CborValue[];
  const certificate = Uint8Array.fromBase64(
    tmp.read("s.crt").split("\n").filter((line) => !line.startsWith("-")).join(""),
  );
  const crowd: CborValue[] = Array.from({ length: 20_000 }, () => certificate);
  tmp.write("crowd.cose", encodeCbor(new CborTag(18, [head, new Map([[32, crowd]]), content, signature])));
  const begin = performance.now();
  await ok("cose verify crowd.cose --ca ca/ca.crt");
  assert.ok(performance.now() - begin < 10_000);
  // the CA's folder has the certificate too
  await ok("cose sign --cert s.crt --key s.key --data data --out e.cose");
  await ok("cose verify e.cose --ca ca");
  await no("cose verify e.cose --ca ca/ca.crt", 1, /none of the certificates and keys given/);
  await no("cose verify d.cose --ca other", 1, /no certificate of its issuer "CN=Root"/);
  await no("cose verify d.cose", 2, /none of --ca, --cert and --key/);
  await no("cose verify d.cose --ca ca --data s.csr", 1, /the content given is not the payload/);
  await ok("cose sign --key s.key --data data --out k.cose");
  await no("cose verify k.cose --ca ca", 1, /unknown signer/);
  await ok("cose verify k.cose --cert s.crt");
  await ok("key pub --key s.key --out s.pub");
  await ok("cose verify k.cose --key s.pub");
  // a CA's own key: for who trusts this very certificate
  await ok("cose sign --cert ca/ca.crt --key ca/versions/v1/keys/ca.ecdsa-p384.key --sub x --out ca.cbor");
  await ok("cose verify ca.cbor --ca ca/ca.crt");
  await ok("ca init --profile ec/issuing-ca --var cn=Sub --ca-dir sub --parent ca");
  await ok(
    "cose sign --cert sub/ca.crt --key sub/versions/v1/keys/ca.ecdsa-p256.key --sub x --include-certs --out u.cbor",
  );
  await no("cose verify u.cbor --ca ca/ca.crt", 1, /key usage of "CN=Sub" does not allow/);
  // the wrong key for the certificate, before anything is written
  await no(
    "cose sign --cert ca/ca.crt --key s.key --sub x --out w.cbor",
    4,
    /"s\.key" is not the key of its certificate/,
  );
  const serial = JSON.parse(await ok("inspect s.crt --json")).objects[0].serial as string | undefined ??
    (await ok("cert list --ca-dir ca")).match(/\b[0-9A-F]{32}\b/)![0];
  await ok(`cert revoke ${serial} --ca-dir ca`);
  await no("cose verify d.cose --ca ca", 1, /revoked/);
  await ok("crl gen --ca-dir ca");
  await no("cose verify d.cose --ca ca", 1, /revoked/);
});

Deno.test("what is refused, and with which status", async () => {
  using tmp = tempFolder();
  const { ok, no } = await withSigner(tmp);
  await ok("key gen -a slh-dsa-sha2-128f --out slh.key");
  await ok("key gen -a mldsa44-ed25519-sha512 --out both.key");
  await ok("key gen -a ml-kem-512 --out kem.key");
  const sign = "cose sign --key s.key";
  await no(sign, 2, /neither --data nor a claim/);
  await no(`${sign} --sub x --data data`, 2, /--data together with claims/);
  await no(`${sign} --sub x --type sign1`, 2, /claims with --type sign1/);
  await no(`${sign} --data data --type cwt`, 2, /--data with --type cwt/);
  await no(`${sign} --sub x --detached`, 2, /--detached is for --data/);
  await no("cose sign --sub x", 2, /Cannot tell who signs/);
  await no(`${sign} --sub x --credential c`, 2, /--credential together with --key/);
  for (const claim of ["a", "=x", "a:int=b", "a:bool=yes", "a:bytes=0"]) {
    await no(`${sign} --claim ${claim}`, 2, /Cannot use --claim/);
  }
  await no(`${sign} --sub a --claim 2=b`, 2, /sub twice/);
  await no(`${sign} --claim 1:int=5`, 4, /iss is not text/);
  await no(`${sign} --sub a --exp soon`, 2, /neither a duration nor a time/);
  await no(`${sign} --data data --alg PS256`, 2, /none of the keys signs so/);
  await no("cose sign --key slh.key --data data", 4, /no COSE algorithm is registered[\s\S]*--private-use/);
  await ok("cose sign --key slh.key --data data --private-use --out slh.cose");
  await ok("key pub --key slh.key --out slh.pub");
  await ok("cose verify slh.cose --key slh.pub");
  await no("cose sign --key both.key --data data", 4, /no COSE algorithm is registered[\s\S]*COSE_Sign with two/);
  await no("cose sign --key kem.key --data data", 4, /key establishment only/);
  await no(`${sign} --data nothing`, 4, /no such file/);
  await ok(`${sign} --data data --detached --out det.cose`);
  await no(`${sign} --data data --out det.cose`, 1, /the file exists/);
  await no("cose verify det.cose --cert s.crt", 4, /payload is detached/);
  await no("cose verify det.cose --cert s.crt --data s.csr", 1, /signature does not verify/);
  await ok("cose verify det.cose --cert s.crt --data data");
  await no("cose verify data --cert s.crt", 4, /Cannot read/);
  await no("cose info s.crt", 4, /it is PEM/);
});

Deno.test("encodings: untagged, not deterministic, external data, algorithms by name", async () => {
  using tmp = tempFolder();
  const { ok, no } = await withSigner(tmp);
  await ok(
    "cose sign --key s.key --data data --external-aad 0a0b --content-type text/plain --kid me --alg ESP256 --out a.cose",
  );
  await no("cose verify a.cose --cert s.crt", 1, /does not verify/);
  await ok("cose verify a.cose --cert s.crt --external-aad 0a0b --deterministic");
  const shown = JSON.parse(await ok("cose info a.cose --json"));
  assert.deepEqual(shown.protected, { alg: { id: -9, name: "ESP256" }, content_type: "text/plain" });
  assert.deepEqual(shown.unprotected, { kid: new TextEncoder().encode("me").toHex() });
  const bytes = Deno.readFileSync(tmp.join("a.cose"));
  tmp.write("bare.cose", bytes.subarray(1));
  await no(
    "cose verify bare.cose --cert s.crt --external-aad 0a0b",
    4,
    /no tag that says what it is[\s\S]*--type sign1/,
  );
  await ok("cose verify bare.cose --cert s.crt --external-aad 0a0b --type sign1");
  assert.match(await ok("cose info bare.cose"), /COSE_Sign1 \(untagged\)/);
  await no("cose verify a.cose --cert s.crt --type sign", 4, /it is a COSE_Sign1/);
  const { value } = decodeCbor(bytes) as CborTag;
  const [protectedBytes, , payload, signature] = value as CborValue[];
  // the same signature with a longer head in the unprotected headers
  const parts = [
    decodeHex("d284"),
    encodeCbor(protectedBytes),
    decodeHex("a1180441ff"),
    encodeCbor(payload),
    encodeCbor(signature),
  ];
  tmp.write("long.cose", new Uint8Array(await new Blob(parts).arrayBuffer()));
  await ok("cose verify long.cose --cert s.crt --external-aad 0a0b");
  await no("cose verify long.cose --cert s.crt --external-aad 0a0b --deterministic", 4, /not the shortest/);
});

Deno.test("hybrids: a Catalyst credential, two credentials, two files", async () => {
  using tmp = tempFolder();
  const { ok, no } = worldOf(tmp);
  await ok("ca init --profile hybrid/catalyst/root-ca --var cn=Catalyst --ca-dir cat");
  await ok("credential enroll both -d cat --profile hybrid/catalyst/signing --var cn=both");
  await ok("cose sign --credential both --sub x --exp 1h --include-certs --out h.cbor");
  const verdict = JSON.parse(await ok("cose verify h.cbor --ca cat --json"));
  assert.deepEqual(
    verdict.signers.map((signer: Record<string, unknown>) => [signer["algorithm"], signer["alternative_key"]]),
    [["ES256", false], ["ML-DSA-65", true]],
  );
  // one signature taken away, or one damaged, is not half as good but none
  const { value: { value } } = decodeCbor(Deno.readFileSync(tmp.join("h.cbor"))) as { value: CborTag } & CborTag;
  const [head, unprotected, payload, signers] = value as [CborValue, CborValue, CborValue, CborValue[]];
  const write = (name: string, ...some: CborValue[]) =>
    tmp.write(name, encodeCbor(new CborTag(61, new CborTag(98, [head, unprotected, payload, some]))));
  const damaged = (signer: CborValue) => {
    const [bytes, other, signature] = signer as [CborValue, CborValue, Uint8Array<ArrayBuffer>];
    return [bytes, other, signature.with(9, signature[9]! ^ 1)];
  };
  write("one.cbor", signers[0]!);
  write("two.cbor", signers[1]!);
  write("bad.cbor", signers[0]!, damaged(signers[1]!) as CborValue);
  write("worse.cbor", damaged(signers[0]!) as CborValue, signers[1]!);
  await no("cose verify one.cbor --ca cat", 1, /two keys, and only one of them has signed/);
  await no("cose verify two.cbor --ca cat", 1, /two keys, and only one of them has signed/);
  await ok("cose verify one.cbor --ca cat --alternative optional");
  for (const name of ["bad", "worse"]) {
    await no(`cose verify ${name}.cbor --ca cat --alternative optional`, 1, /does not verify/);
  }
  await ok("ca init --profile ec/root-ca --var cn=Classical --ca-dir ec");
  await ok("ca init --profile ml/root-ca --var cn=Quantum --ca-dir ml");
  await ok("credential enroll one -d ec --profile ec/signing --var cn=one");
  await ok("credential enroll two -d ml --profile ml/signing --var cn=two");
  await ok("cose sign --type sign --credential one --credential two --sub x --include-certs --out c.cbor");
  await ok("cose verify c.cbor --ca ec --pqc-ca ml");
  await no("cose verify c.cbor --ca ec", 1, /CN=two/);
  const [ec, ml] = ["one", "two"].map((id) => `credentials/${id}/versions/v1`);
  const pair = `--cert ${ec}/certs/credential.ecdsa-p256.pem --key ${ec}/keys/credential.ecdsa-p256.key ` +
    `--pqc-cert ${ml}/certs/credential.ml-dsa-65.pem --pqc-key ${ml}/keys/credential.ml-dsa-65.key`;
  await ok(`cose sign --type sign ${pair} --data h.cbor --include-certs --out f.cose`);
  await ok("cose verify f.cose --ca ec --pqc-ca ml --data h.cbor");
  await ok(`cose sign --type sign1 --credential one --data h.cbor --include-certs --out s.cose`);
  await ok("cose verify s.cose --ca ec");
  await no("cose verify s.cose --ca ec --pqc-ca ml", 1, /no post-quantum signer/);
});

Deno.test("a batch: a result for each line, errors where they are, one status", async () => {
  using tmp = tempFolder();
  const { ok } = await withSigner(tmp);
  const lines = [
    '{"claims": {"sub": "a", "level": 3, "id": {"bytes": "0a"}, "aud": ["x", "y"], "exp": "30d", "on": true}}',
    '{"data": "data", "out": "1.cose"}',
    '{"data": "data", "out": "2.cose", "detached": true}',
    "",
    "nonsense",
    '{"claims": {"sub": 5}}',
    '{"claims": {"f": 1.5}}',
    '{"data": "nothing"}',
    '{"data": "data", "claims": {}}',
    '{"data": "data", "extra": 1}',
  ];
  tmp.write("batch.jsonl", lines.join("\n"));
  const words = shellWords("cose sign --batch batch.jsonl --cert s.crt --key s.key --iss me --exp 1h");
  const result = await runInProcess(words, { cwd: tmp.path });
  assert.equal(result.status, 1);
  assert.match(result.stderr, /6 of 9 lines were not signed/);
  const results = result.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(results.map(({ line, error }) => [line, error?.code]), [
    [1, undefined],
    [2, undefined],
    [3, undefined],
    [5, "batch.line"],
    [6, "cwt.claim"],
    [7, "batch.line"],
    [8, "file.not_found"],
    [9, "batch.line"],
    [10, "batch.line"],
  ]);
  tmp.write("t.cbor", decodeHex(results[0].message));
  assert.match(await ok("cose verify t.cbor --ca ca --cert s.crt --aud y --iss me"), /level +3/);
  await ok("cose verify 1.cose --cert s.crt");
  await ok("cose verify 2.cose --cert s.crt --data data");
  tmp.write("good.jsonl", Array.from({ length: 200 }, (_, i) => `{"claims": {"sub": "${i}"}}`).join("\n"));
  const summary = await ok("cose sign --batch good.jsonl --key s.key --out results.jsonl");
  assert.match(summary, /200 of 200 signed/);
  const subjects = tmp.read("results.jsonl").trimEnd().split("\n").map((line, i) => {
    const { line: number, message } = JSON.parse(line);
    assert.equal(number, i + 1);
    return message;
  });
  assert.equal(new Set(subjects).size, 200);
});

Deno.test("COSE_Key: in and out by key convert, as key of a verification, and in the claim that names the holder", async () => {
  using tmp = tempFolder();
  const { ok, no } = worldOf(tmp);
  await ok("key gen -a ecdsa-p256 --out s.key");
  for (const algorithm of ["ecdsa-p384", "ed448", "rsa-2048", "ml-dsa-65"]) {
    await ok(`key gen -a ${algorithm} --out k.key`);
    await ok("key convert k.key --format cose --out k.cosekey");
    assert.equal(Deno.statSync(tmp.join("k.cosekey")).mode! & 0o777, 0o600);
    await ok("key convert k.cosekey --out back.key");
    assert.equal(tmp.read("back.key"), tmp.read("k.key"));
    await ok("key convert k.cosekey --public --format cose --out pub.cosekey");
    await ok("key convert pub.cosekey --out pub.pem");
    await ok("key pub --key k.key --out k.pub");
    assert.equal(tmp.read("pub.pem"), tmp.read("k.pub"));
    await ok("cose sign --key k.key --sub x --cnf k.cosekey --out t.cbor");
    await ok("cose verify t.cbor --key pub.cosekey");
    const cnf = JSON.parse(await ok("cose info t.cbor --json")).claims.cnf["1"];
    // never a private half
    const alike = decodeCbor(Deno.readFileSync(tmp.join("pub.cosekey"))) as Map<number, unknown>;
    assert.deepEqual(Object.keys(cnf).sort(), [...alike.keys()].map(String).sort());
    for (const file of ["k.key", "k.cosekey", "back.key", "pub.cosekey", "pub.pem", "k.pub", "t.cbor"]) {
      Deno.removeSync(tmp.join(file));
    }
  }
  tmp.write("pass", "secret\n", 0o600);
  await ok(`key convert s.key --out locked.key --new-passphrase file:${tmp.join("pass")}`);
  const locked = `key convert locked.key --passphrase file:${tmp.join("pass")} --format cose --out l.cosekey`;
  await no(locked, 2, /the format has no encryption[\s\S]*--decrypt/);
  await ok(`${locked} --decrypt`);
  const key = new Map(decodeCbor(Deno.readFileSync(tmp.join("l.cosekey"))) as Map<CborValue, CborValue>);
  const d = key.get(-4) as Uint8Array<ArrayBuffer>;
  tmp.write("other.cosekey", encodeCbor(key.set(-4, d.with(5, d[5]! ^ 1))));
  await no("key convert other.cosekey --out o.key", 4, /belongs to another key/);
});

const MIB = 1024 * 1024;

Deno.test("a file of 70 MiB: signed detached in pieces, refused where the algorithm or the message needs it whole", async () => {
  using tmp = tempFolder();
  const { ok, no } = await withSigner(tmp);
  using file = Deno.openSync(tmp.join("large"), { write: true, create: true });
  file.truncateSync(70 * MIB);
  await no("cose sign --key s.key --data large --out l.cose", 4, /holds at most/);
  for (const algorithm of ["ecdsa-p256", "rsa-2048", "ml-dsa-44"]) {
    await ok(`key gen -a ${algorithm} --out ${algorithm}.key`);
    await ok(`key pub --key ${algorithm}.key --out ${algorithm}.pub`);
    await ok(`cose sign --key ${algorithm}.key --data large --detached --out ${algorithm}.cose`);
    await ok(`cose verify ${algorithm}.cose --key ${algorithm}.pub --data large`);
  }
  await ok("key gen -a ed25519 --out ed.key");
  await no("cose sign --key ed.key --data large --detached", 4, /signs the message itself and not its hash/);
  file.truncateSync(70 * MIB + 1);
  await no("cose verify ecdsa-p256.cose --key ecdsa-p256.pub --data large", 1, /does not verify/);
});

testWith("in SoftHSM2: EC, RSA-PSS, Ed25519; both keys of a certificate; large files; one login for a batch", {
  needs: ["softhsm"],
}, async () => {
  using token = softhsmToken({ label: "CA-Token" });
  using tmp = tempFolder();
  token.hsmYaml(tmp.join("hsm.yaml"));
  const run = async (line: string, status = 0) => {
    const result = await runCli(shellWords(line), { cwd: tmp.path, env: token.env });
    assert.equal(result.code, status, describe(line, result));
    return result.stdout + result.stderr;
  };
  await run("ca init --hsm-config hsm.yaml --key-label root --profile ec/root-ca --var cn=Root --ca-dir ca");
  tmp.write("data", "content");
  tmp.write("batch.jsonl", Array.from({ length: 50 }, (_, i) => `{"claims": {"sub": "${i}"}}`).join("\n"));
  using large = Deno.openSync(tmp.join("large"), { write: true, create: true });
  large.truncateSync(65 * MIB);
  for (
    const [algorithm, names] of [["ecdsa-p384", ["ES384", "ESP384"]], ["rsa-2048", ["PS256", "PS512"]], ["ed25519", [
      "EdDSA",
    ]]] as const
  ) {
    await run(`key gen -a ${algorithm} --hsm-config hsm.yaml --key-label ${algorithm}`);
    const key = `--hsm-config hsm.yaml --key-label ${algorithm}`;
    await run(`key pub ${key} --out ${algorithm}.pub`);
    for (const name of names) {
      await run(`cose sign ${key} --data data --alg ${name} --out ${name}.cose`);
      assert.match(await run(`cose verify ${name}.cose --key ${algorithm}.pub`), new RegExp(name));
    }
    const lines = (await run(`cose sign ${key} --batch batch.jsonl`)).trim().split("\n");
    assert.equal(lines.length, 50);
    tmp.write("t.cbor", decodeHex(JSON.parse(lines[49]!).message));
    await run(`cose verify t.cbor --key ${algorithm}.pub --sub 49`);
    if (algorithm === "ed25519") {
      assert.match(await run(`cose sign ${key} --data large --detached`, 4), /only as a whole/);
      continue;
    }
    await run(`cose sign ${key} --data large --detached --out ${algorithm}.large`);
    await run(`cose verify ${algorithm}.large --key ${algorithm}.pub --data large`);
  }
  assert.match(
    await run("cose sign --hsm-config hsm.yaml --key-label rsa-2048 --cert ca/ca.crt --sub x", 4),
    /is not the key/,
  );
});
