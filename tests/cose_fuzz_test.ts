/**
 * Damaged COSE messages, tokens and keys by the thousand: bits turned, cut off, put together from two, nested deeply, with
 * huge lengths. Whatever comes, it is read or refused with a typed error, soon and in little memory; and no signature is
 * found good over anything but what was signed.
 *
 * `QPKI_FUZZ_CASES` says how many (the extended run has 200,000 and more: `QPKI_FUZZ_CASES=200000 deno test -A
 * tests/cose_fuzz_test.ts`), `QPKI_FUZZ_SEED` makes them others.
 */
import assert from "node:assert/strict";
import { findKeyRow } from "../src/alg/find.ts";
import { type Bytes, concatBytes, decodeHex, encodeHex } from "../src/bytes.ts";
import { coseSchemeOf } from "../src/cose/algorithm.ts";
import { CborTag, type CborValue, decodeCbor, encodeCbor } from "../src/cose/cbor.ts";
import { decodeCoseKey, encodeCoseKey, looksLikeCoseKey } from "../src/cose/cose_key.ts";
import { CLAIM, claimProblems, decodeClaims, encodeClaims } from "../src/cose/cwt.ts";
import { claimsJson, claimsText, headersJson, headersText } from "../src/cose/describe.ts";
import { diagnose } from "../src/cose/diag.ts";
import { type CoseMessage, parseMessage } from "../src/cose/message.ts";
import { bytesPayload } from "../src/cose/payload.ts";
import { type CoseSigner, signMessage } from "../src/cose/sign.ts";
import { signedBy, sigPrefix } from "../src/cose/sig_structure.ts";
import { checkSignature } from "../src/cose/verify.ts";
import { verifyMessage } from "../src/credential/cose_verify.ts";
import { describeCose } from "../src/cli/detect_cose.ts";
import { InputError } from "../src/errors.ts";
import { generateSoftwareKey } from "../src/keys/software.ts";

const CASES = Number(Deno.env.get("QPKI_FUZZ_CASES") ?? 4000);
const SEED = Number(Deno.env.get("QPKI_FUZZ_SEED") ?? 9052);
/** Longest that one case may take, in milliseconds; it takes well below one. */
const LIMIT_MS = 2000;
/** Memory that all of them may have taken in the end, in bytes. */
const LIMIT_BYTES = 400 * 1024 * 1024;

/** Numbers that are the same in each run (xorshift32). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** 0 to `sides` - 1. */
  roll(sides: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % sides;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.roll(items.length)]!;
  }
}

type Mutation = (bytes: Bytes, dice: Dice, other: Bytes) => Bytes;

/** Heads that promise more than there is, or what must not be. */
const HEADS = [
  ...[
    "5bffffffffffffffff",
    "5b7fffffffffffffff",
    "5affffffff",
    "9bffffffffffffffff",
    "9affffffff",
    "bbffffffffffffffff",
  ],
  ...[
    "ba7fffffff",
    "7bffffffffffffffff",
    "7a7fffffff",
    "dbffffffffffffffff",
    "1bffffffffffffffff",
    "3bffffffffffffffff",
  ],
  ...[
    "5f",
    "7f",
    "9f",
    "bf",
    "ff",
    "f8",
    "f97e00",
    "fb7ff0000000000000",
    "c249ffffffffffffffffff",
    "d81b",
    "d9dfff",
    "1c",
    "fe",
  ],
].map(decodeHex);

function splice(bytes: Bytes, at: number, gone: number, come: Uint8Array): Bytes {
  return concatBytes(bytes.subarray(0, at), come, bytes.subarray(at + gone));
}

const MUTATIONS: readonly Mutation[] = [
  (bytes, dice) => bytes.length === 0 ? bytes : bytes.with(at(bytes, dice), 0) as Bytes,
  (bytes, dice) => {
    const copy = bytes.slice();
    for (let i = dice.roll(4); i >= 0; i--) copy[at(bytes, dice)]! ^= 1 << dice.roll(8);
    return copy;
  },
  (bytes, dice) => bytes.slice(0, dice.roll(bytes.length)),
  (bytes, dice) => splice(bytes, at(bytes, dice), dice.roll(8), new Uint8Array(0)),
  (bytes, dice) =>
    splice(bytes, at(bytes, dice), 0, Uint8Array.from({ length: 1 + dice.roll(8) }, () => dice.roll(256))),
  (bytes, dice) => splice(bytes, at(bytes, dice), dice.roll(3), dice.pick(HEADS)),
  (bytes, dice, other) => concatBytes(bytes.subarray(0, at(bytes, dice)), other.subarray(at(other, dice))),
  (bytes, dice) => {
    const [from, length] = [at(bytes, dice), dice.roll(40)];
    return splice(bytes, at(bytes, dice), 0, bytes.subarray(from, from + length));
  },
  (bytes, dice) =>
    splice(
      bytes,
      at(bytes, dice),
      0,
      new Uint8Array(dice.roll(20_000)).fill(dice.pick([0x81, 0xa1, 0xc1, 0xd2, 0x9f])),
    ),
  (bytes, dice) => concatBytes(bytes, Uint8Array.of(dice.roll(256))),
];

function at(bytes: Bytes, dice: Dice): number {
  return dice.roll(Math.max(1, bytes.length));
}

/** Items to put where others were. */
const ITEMS: readonly CborValue[] = [
  ...[
    0,
    -7,
    1,
    2,
    33,
    -50,
    2n ** 63n,
    "",
    "x",
    null,
    true,
    undefined,
    new Uint8Array(0),
    decodeHex("a0"),
    decodeHex("a10126"),
  ],
  ...[[], [[]], new Map(), new Map([[1, -7]]), new CborTag(18, []), new CborTag(61, 0), new CborTag(1, 5)],
];

/** Changes one item of a well-formed document, also of one inside a byte string, and writes it anew. */
function replant(bytes: Bytes, dice: Dice): Bytes {
  return attempt(() => encodeCbor(grow(decodeCbor(bytes), dice))) ?? bytes.slice(1);
}

function grow(value: CborValue, dice: Dice): CborValue {
  const die = dice.roll(8);
  if (die === 0) return dice.pick(ITEMS);
  if (value instanceof CborTag) return new CborTag(die === 1 ? dice.roll(100) : value.tag, grow(value.value, dice));
  if (value instanceof Uint8Array) {
    const inner = attempt(() => decodeCbor(value));
    if (inner !== undefined && typeof inner === "object") return encodeCbor(grow(inner, dice));
    return dice.pick(MUTATIONS)(value.slice() as Bytes, dice, value as Bytes);
  }
  if (value instanceof Map) {
    const entries = [...value as Map<CborValue, CborValue>];
    if (entries.length === 0 || die === 1) return new Map([...entries, [dice.pick(ITEMS), dice.pick(ITEMS)]]);
    const chosen = dice.roll(entries.length);
    return new Map(entries.map(([key, one], i) => i === chosen ? [key, grow(one, dice)] : [key, one]));
  }
  if (!Array.isArray(value) || value.length === 0) return dice.pick(ITEMS);
  const chosen = dice.roll(value.length);
  return value.map((one: CborValue, i) => i === chosen ? grow(one, dice) : one);
}

interface Corpus {
  readonly messages: readonly Bytes[];
  readonly keys: readonly Bytes[];
  /** Public keys that signed, and all that they signed, in hex. */
  readonly spki: readonly Bytes[];
  readonly signed: ReadonlySet<string>;
}

async function makeCorpus(): Promise<Corpus> {
  const signers: CoseSigner[] = [];
  const keys: Bytes[] = [];
  for (const name of ["ed25519", "ecdsa-p256", "ml-dsa-44", "rsa-2048"]) {
    const key = await generateSoftwareKey(findKeyRow(name));
    const { scheme, algorithm } = coseSchemeOf(key.algorithm);
    const kid = new TextEncoder().encode(name);
    signers.push({ signer: key.signer(scheme), algorithm, kid, certificate: key.spki, chain: [key.spki, kid] });
    keys.push(encodeCoseKey({ spki: key.spki, pkcs8: await key.encode({ format: "der" }), kid }));
  }
  const claims = new Map<CborValue, CborValue>([
    ...[[CLAIM.ISS, "issuer"], [CLAIM.AUD, ["a", "b"]], [CLAIM.EXP, 2e9], [CLAIM.IAT, 1.7e9]] as [number, CborValue][],
    [CLAIM.CNF, new Map([[1, decodeCbor(keys[0]!)]])],
    ["deep", [[[[["x"]]]]]],
  ]);
  const payload = bytesPayload(encodeClaims(claims));
  const messages: Bytes[] = [];
  for (const signer of signers) {
    messages.push(await signMessage({ kind: "sign1", cwt: true, payload, signers: [signer] }));
  }
  messages.push(
    await signMessage({ kind: "sign", cwt: true, payload, signers: signers.slice(0, 2), contentType: "a/b" }),
  );
  messages.push(await signMessage({ kind: "sign", payload, signers, contentType: 60 }));
  messages.push(await signMessage({ kind: "sign1", detached: true, payload, signers: signers.slice(0, 1) }));
  const signed = new Set(messages.slice(0, -1).flatMap((bytes) => signedOf(parseMessage(bytes))));
  return { messages, keys, spki: signers.map(({ signer }) => signer.spki), signed };
}

/** What each signature of a message covers. */
function signedOf(message: CoseMessage): string[] {
  const payload = message.payload ?? new Uint8Array(0);
  return message.signers.map((part) =>
    encodeHex(concatBytes(sigPrefix(signedBy(message, part), payload.length), payload))
  );
}

/** Everything that reads the bytes; returns how far it got. */
async function readAll(bytes: Bytes, corpus: Corpus, deep: boolean): Promise<number> {
  describeCose(bytes);
  looksLikeCoseKey(bytes);
  attempt(() => diagnose(decodeCbor(bytes)));
  attempt(() => encodeCbor(decodeCbor(bytes, { deterministic: true })));
  attempt(() => decodeCoseKey(bytes));
  const message = attempt(() => parseMessage(bytes)) ?? attempt(() => parseMessage(bytes, { expected: "sign1" }));
  if (!message) return 0;
  for (const { headers } of message.signers) {
    headersJson(headers.protected, encodeHex);
    headersText(headers, encodeHex);
  }
  const { payload } = message;
  if (!payload) return 1;
  const claims = attempt(() => decodeClaims(payload));
  if (claims) {
    JSON.stringify(claimsJson(claims), (_, value) => typeof value === "bigint" ? value.toString() : value);
    claimsText(claims);
    claimProblems(claims, { now: new Date(), checkExp: true, aud: "a" });
  }
  if (!deep) return 2;
  await checkSignatures(message, corpus);
  return 3;
}

async function checkSignatures(message: CoseMessage, { spki: all, signed }: Corpus): Promise<void> {
  const covers = signedOf(message);
  for (const [i, part] of message.signers.entries()) {
    for (const spki of all) {
      const { valid } = await checkSignature(message, part, { spki, payload: bytesPayload(message.payload!) });
      assert.ok(!valid || signed.has(covers[i]!), "a signature is good over what nobody signed");
    }
  }
  const request = {
    certificates: [],
    keys: all.map((spki) => ({ name: "key", spki })),
    alternative: "required",
    allowUnprotectedAlgorithm: false,
    cwt: message.cwt,
    claims: { now: new Date(), checkExp: true },
  } as const;
  try {
    const verdict = await verifyMessage(message, request);
    assert.ok(!verdict.valid || covers.every((one) => signed.has(one)));
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
  }
}

/** What `read` returns; undefined for what it refuses, which only a typed error may say. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

Deno.test(`COSE: ${CASES} damaged messages, tokens and keys, seed ${SEED}`, async () => {
  const corpus = await makeCorpus();
  const seeds = [...corpus.messages, ...corpus.keys];
  const dice = new Dice(SEED);
  const before = Deno.memoryUsage().rss;
  const reached = [0, 0, 0, 0];
  for (const [i, bytes] of corpus.messages.entries()) assert.equal(await readAll(bytes, corpus, true), i === 6 ? 1 : 3);
  for (let i = 0; i < CASES; i++) {
    let bytes = dice.pick(seeds);
    for (let rounds = dice.pick([0, 0, 0, 1, 2]); rounds >= 0; rounds--) {
      bytes = dice.roll(2) === 0 ? replant(bytes, dice) : dice.pick(MUTATIONS)(bytes, dice, dice.pick(seeds));
    }
    const begin = performance.now();
    try {
      // a signature costs more than all the reading
      reached[await readAll(bytes, corpus, i % 8 === 0)]!++;
    } catch (cause) {
      throw new Error(`case ${i} of seed ${SEED}: ${encodeHex(bytes).slice(0, 4000)}`, { cause });
    }
    const took = performance.now() - begin;
    assert.ok(
      took < LIMIT_MS,
      `case ${i} of seed ${SEED} took ${Math.round(took)} ms: ${encodeHex(bytes).slice(0, 400)}`,
    );
  }
  const grown = Deno.memoryUsage().rss - before;
  assert.ok(grown < LIMIT_BYTES, `memory grew by ${Math.round(grown / 1e6)} MB`);
  // the damage must not be such that nothing gets past the first look
  if (CASES >= 1000) assert.ok(reached.every((count) => count > CASES / 200), reached.join());
});
