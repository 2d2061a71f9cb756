/**
 * Keys inside a token of the laboratory, in process: every row that it serves is made, signs or decapsulates, is found
 * again in a new session, and is judged by WebCrypto, noble and OpenSSL.
 */
import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow, type KeyRow, keyRows, type SchemeRow } from "../../src/alg/find.ts";
import { encodePem, equalBytes, Secret } from "../../src/bytes.ts";
import type { TokenError } from "../../src/errors.ts";
import { encapsulate } from "../../src/keys/kem.ts";
import { mlDsaOf, slhDsaOf } from "../../src/keys/pqc_noble.ts";
import { describeSpki } from "../../src/keys/spki.ts";
import type { Key, Pkcs11KeyRef } from "../../src/keys/types.ts";
import { verifySignature } from "../../src/keys/verify.ts";
import { listMechanisms } from "../../src/pkcs11/mechanisms.ts";
import type { Driver } from "../../src/pkcs11/driver.ts";
import { type Pkcs11Options, type Pkcs11Provider, pkcs11Provider } from "../../src/pkcs11/provider.ts";
import { readCapabilities, SERVED } from "../support/capabilities.ts";
import { type LabToken, labToken, type LabTokenName, TOKEN_NEEDS } from "../support/lab.ts";
import { bytesOf, openssl, signatureOptions } from "../support/openssl_keys.ts";
import { opensslFor } from "../support/openssl.ts";
import { type Need, testWith } from "../support/require.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

const MESSAGE = new TextEncoder().encode("a message to sign\n");
const CONTEXT = new TextEncoder().encode("context");

/** Which token, and in which dialect. */
export interface TokenKeys {
  readonly token: LabTokenName;
  /** Name of the driver that must recognise the token, and of its dump. */
  readonly driver: string;
  /** In place of the driver that recognises it: the same rows in another dialect. */
  readonly dialect?: Driver;
  /** Rows to try; those that the token serves unless told. */
  readonly rows?: readonly string[];
}

/** Registers the tests of a token; a test file has one, because a module and its environment belong to a process. */
export function registerTokenKeys(what: TokenKeys): void {
  const needs: Need[] = ["lab", "openssl-pqc", ...TOKEN_NEEDS[what.token]];
  const name = what.dialect ? `${what.token} as ${what.dialect.name}` : what.token;
  let token: LabToken | undefined;
  async function open(more: Partial<Pkcs11Options> = {}): Promise<Pkcs11Provider> {
    token ??= await tokenInProcess(what.token);
    return await openLabToken(token, { driver: what.dialect, ...more });
  }
  Deno.test.afterAll(() => token?.[Symbol.dispose]());

  const served = what.rows ?? SERVED[what.driver]!;
  for (const row of served.map(findKeyRow)) {
    testWith(`${name}: ${row.name} from generation to deletion`, { needs }, async () => {
      const complete = await lifeOf(row, open);
      await using provider = await open();
      // in a vendor's dialect a peer encapsulates in software
      if (row.kind === "kem" && !what.dialect) await encapsulatesItself(provider, complete);
      await provider.delete(complete);
      assert.deepEqual(await keyObjects(provider), []);
    });
  }
  if (what.dialect) return;
  testWith(
    `${name}: the driver recognises it, its list is the dump, the other rows are refused`,
    { needs },
    async () => {
      await using provider = await open();
      assert.equal(provider.driverName, what.driver);
      checkDump(provider, what.driver);
      for (const row of keyRows().filter((row) => !served.includes(row.name))) {
        await assert.rejects(provider.prepare(row, ref(row.name)), { code: "mechanism.absent" }, row.name);
      }
      assert.deepEqual(await keyObjects(provider), []);
    },
  );
  const [classical, pqc] = ["ecdsa-p384", "ml-dsa-65"];
  const hybrid = served.includes(pqc!) ? undefined : `${name} has no ML-DSA`;
  testWith(`${name}: both keys of a hybrid share a label`, { needs, skip: hybrid }, async () => {
    await using provider = await open();
    await shareLabel(provider, findKeyRow(classical!), findKeyRow(pqc!));
  });
  testWith(`${name}: signatures and secrets from several sessions at a time`, { needs, skip: hybrid }, async () => {
    await using provider = await open({ sessions: 3 });
    await manyAtATime(provider, findKeyRow(pqc!), findKeyRow("ml-kem-768"));
  });
}

/** A token that this very process can use. */
export async function tokenInProcess(name: LabTokenName): Promise<LabToken> {
  const token = await labToken(name);
  for (const [variable, value] of Object.entries(token.env)) Deno.env.set(variable, value);
  return token;
}

/** Opens a token of the laboratory. */
export async function openLabToken(
  { lib, label, pin }: LabToken,
  more: Partial<Pkcs11Options> = {},
): Promise<Pkcs11Provider> {
  const options = { configPath: "hsm.yaml", lib, token: label, notify: () => {} };
  return await pkcs11Provider({ ...options, pin: () => Promise.resolve(new Secret(pin)), ...more });
}

/** A reference by label, and more. */
export function ref(label: string, more: Partial<Pkcs11KeyRef> = {}): Pkcs11KeyRef {
  return { type: "pkcs11", config: "hsm.yaml", label, ...more };
}

/** The keys among the token's objects; some tokens show objects of their own. */
async function keyObjects(provider: Pkcs11Provider): Promise<string[]> {
  return (await provider.objects()).map((object) => object.class).filter((name) => /_KEY$/.test(name));
}

/** Makes a key and uses it, in two sessions; it is still there when this returns. */
async function lifeOf(row: KeyRow, open: () => Promise<Pkcs11Provider>): Promise<Pkcs11KeyRef> {
  let complete: Pkcs11KeyRef;
  {
    await using provider = await open();
    const made = await provider.generate(row, ref(row.name));
    complete = made.ref as Pkcs11KeyRef;
    assert.equal(describeSpki(made.spki).row, row);
    const info = await provider.info(made.ref);
    const uses = Object.entries(info.attributes).filter(([name, on]) => on === true && USES.has(name)).map(([n]) => n);
    assert.equal(uses.length, 1, `${row.name} may ${uses}`);
    assert.deepEqual([info.attributes["CKA_SENSITIVE"], info.attributes["CKA_EXTRACTABLE"]], [true, false]);
    assert.deepEqual((await keyObjects(provider)).sort(), ["CKO_PRIVATE_KEY", "CKO_PUBLIC_KEY"]);
    await works(row, made);
  }
  await using provider = await open();
  for (const again of [complete, ref(row.name), ref(row.name, { algorithm: row.name })]) {
    const key = await provider.open(again);
    assert.deepEqual(key.ref, complete);
  }
  await works(row, await provider.open(complete));
  await assert.rejects(provider.generate(row, ref(row.name)), { code: "key.exists" });
  await assert.rejects(provider.generate(row, ref("other", { keyId: complete.keyId! })), { code: "key.exists" });
  return complete;
}

/** Uses that a private key may have. */
const USES: ReadonlySet<string> = new Set([
  ...["CKA_SIGN", "CKA_SIGN_RECOVER", "CKA_DECRYPT", "CKA_UNWRAP", "CKA_DERIVE", "CKA_ENCAPSULATE", "CKA_DECAPSULATE"],
]);

/** A key signs with every scheme, or decapsulates, to every judge's satisfaction. */
export async function works(row: KeyRow, key: Key): Promise<void> {
  using tmp = tempFolder();
  tmp.write("pub.pem", encodePem("PUBLIC KEY", key.spki));
  tmp.write("message", MESSAGE);
  if (row.kind === "kem") return await decapsulates(tmp, row, key);
  for (const scheme of row.schemes.map(findSchemeRow)) {
    await signs(tmp, { row, key, scheme });
    if (scheme.contextBytes) await signs(tmp, { row, key, scheme, context: CONTEXT });
  }
}

interface Signing {
  readonly row: KeyRow;
  readonly key: Key;
  readonly scheme: SchemeRow;
  readonly context?: Uint8Array;
}

/** Every judge accepts the signature, and none accepts it damaged or under another context. */
async function signs(tmp: TempFolder, { row, key, scheme, context }: Signing): Promise<void> {
  const signature = await key.signer(scheme, context ? { context } : {}).sign(MESSAGE);
  if (scheme.signatureBytes) assert.equal(signature.length, scheme.signatureBytes);
  const damaged = signature.slice();
  damaged[damaged.length >> 1]! ^= 1;
  const signed = { spki: key.spki, scheme, message: MESSAGE };
  const under = context ? { context } : {};
  assert.equal(await verifySignature({ ...signed, ...under, signature }), true, scheme.name);
  assert.equal(await verifySignature({ ...signed, ...under, signature: damaged }), false, scheme.name);
  if (context) assert.equal(await verifySignature({ ...signed, signature }), false, `${scheme.name} without context`);
  assert.equal(await nobleAccepts({ row, key, scheme, ...under }, signature) ?? true, true, `${scheme.name} in noble`);
  // brainpool and Edwards curves are in the host's OpenSSL too; what it lacks it is not asked
  if (opensslFor(row) === undefined) return;
  tmp.write("signature", signature);
  const options = context ? ` -pkeyopt hexcontext-string:${context.toHex()}` : "";
  const verify = "pkeyutl -verify -pubin -inkey pub.pem -in message -sigfile signature";
  await openssl(tmp, `${verify} ${signatureOptions(scheme)}${options}`);
}

/** What noble says of a post-quantum signature, whichever library verification prefers; undefined for others. */
async function nobleAccepts({ row, key, context }: Signing, signature: Uint8Array): Promise<boolean | undefined> {
  const { publicKey } = describeSpki(key.spki);
  if (row.family === "ml-dsa") {
    return (await mlDsaOf(row)).verify(signature, MESSAGE, publicKey, context ? { context } : {});
  }
  return row.family === "slh-dsa" ? (await slhDsaOf(row)).verify(signature, MESSAGE, publicKey) : undefined;
}

/** Secrets encapsulated in software and by OpenSSL come out the same. */
async function decapsulates(tmp: TempFolder, row: KeyRow, key: Key): Promise<void> {
  const { ciphertext, sharedSecret } = await encapsulate(key.spki);
  assert.deepEqual(await key.decapsulate!(ciphertext), sharedSecret);
  await openssl(tmp, "pkeyutl -encap -pubin -inkey pub.pem -out ciphertext -secret secret");
  assert.deepEqual(await key.decapsulate!(bytesOf(tmp, "ciphertext")), bytesOf(tmp, "secret"));
  // a damaged ciphertext gives another secret (FIPS 203 section 6.3), one of another length none
  ciphertext[0]! ^= 1;
  const other = await key.decapsulate!(ciphertext);
  assert.ok(other.length === 32 && !equalBytes(other, sharedSecret));
  for (const wrong of [new Uint8Array(0), ciphertext.slice(1), new Uint8Array(row.ciphertextBytes! + 1)]) {
    await assert.rejects(key.decapsulate!(wrong), { code: "ciphertext.invalid" });
  }
  assert.throws(() => key.signer(findSchemeRow("ml-dsa-65")), { code: "scheme.none" });
}

async function encapsulatesItself(provider: Pkcs11Provider, complete: Pkcs11KeyRef): Promise<void> {
  const { ciphertext, sharedSecret } = await provider.encapsulate(complete);
  assert.deepEqual(await (await provider.open(complete)).decapsulate!(ciphertext), sharedSecret);
}

async function shareLabel(provider: Pkcs11Provider, classical: KeyRow, pqc: KeyRow): Promise<void> {
  const one = await provider.generate(classical, ref("both"));
  await assert.rejects(provider.generate(pqc, ref("both")), { code: "key.exists" });
  const { keyId } = one.ref as Pkcs11KeyRef;
  const two = await provider.generate(pqc, ref("both", { partnerId: keyId! }));
  await assert.rejects(provider.open(ref("both")), (error: TokenError) => {
    assert.equal(error.code, "key.ambiguous");
    for (const { label } of [classical, pqc]) assert.ok(error.hint!.includes(label.replace("ECDSA ", "")), error.hint);
    return true;
  });
  for (const [key, row] of [[one, classical], [two, pqc]] as const) {
    assert.equal((await provider.open(key.ref)).algorithm, row);
    assert.deepEqual((await provider.open(ref("both", { algorithm: row.name }))).ref, key.ref);
    await assert.rejects(provider.generate(row, ref("both")), { code: "key.exists" });
  }
  await assert.rejects(provider.open(ref("both", { algorithm: "rsa-2048" })), { code: "key.not_found" });
  await provider.delete(ref("both", { algorithm: classical.name }));
  assert.deepEqual((await provider.list()).map(({ algorithm }) => algorithm), [pqc]);
  await provider.delete(two.ref);
  assert.deepEqual(await keyObjects(provider), []);
}

/** Calls on other threads, whose memory must live until they are over. */
async function manyAtATime(provider: Pkcs11Provider, dsa: KeyRow, kem: KeyRow): Promise<void> {
  const [signing, secrets] = [await provider.generate(dsa, ref("dsa")), await provider.generate(kem, ref("kem"))];
  const scheme = findSchemeRow(dsa.schemes[0]!);
  await Promise.all(Array.from({ length: 30 }, async (_, i) => {
    if (i % 3 === 2) {
      const { ciphertext, sharedSecret } = await encapsulate(secrets.spki);
      return assert.deepEqual(await secrets.decapsulate!(ciphertext), sharedSecret);
    }
    const message = new Uint8Array(1000 + i).fill(i);
    const under = i % 3 === 1 ? { context: new Uint8Array(i).fill(i) } : {};
    const signature = await signing.signer(scheme, under).sign(message);
    assert.ok(await verifySignature({ spki: signing.spki, scheme, message, signature, ...under }), String(i));
  }));
  for (const { ref } of [signing, secrets]) await provider.delete(ref);
}

function checkDump(provider: Pkcs11Provider, driver: string): void {
  const { driver: name } = readCapabilities(driver);
  assert.equal(name, driver);
  // a newer release may list more, and what the table needs must still be there
  const now = new Set(listMechanisms(provider.slot).map(({ type }) => type));
  const gone = readCapabilities(driver).mechanisms.filter(({ type }) => !now.has(type));
  assert.deepEqual(gone, [], "make the dump anew: scripts/capabilities.ts");
}
