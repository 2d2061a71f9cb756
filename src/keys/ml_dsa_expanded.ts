import type { KeyRow } from "../alg/find.ts";
import { type Bytes, concatBytes, equalBytes } from "../bytes.ts";
import { shake128, shake256 } from "./digest.ts";
import { invalid } from "./private_key_codec.ts";

/**
 * The public key of an expanded ML-DSA private key, computed anew, and the check that every part of the private one belongs
 * to it (FIPS 204 algorithm 6, RFC 9881 section 8.2). Libraries use the stored parts as they are, and a key with a wrong t0
 * or tr makes signatures that nobody accepts.
 */

const N = 256;
const Q = 8380417;
/** Low bits of t, which stay in the private key. */
const D = 13;

/** Parameter sets (FIPS 204 table 1) by algorithm OID: rows and columns of A, bound of the secret coefficients. */
const SETS: Readonly<Record<string, { readonly k: number; readonly l: number; readonly eta: number }>> = {
  "2.16.840.1.101.3.4.3.17": { k: 4, l: 4, eta: 2 },
  "2.16.840.1.101.3.4.3.18": { k: 6, l: 5, eta: 4 },
  "2.16.840.1.101.3.4.3.19": { k: 8, l: 7, eta: 2 },
};

/** A polynomial: 256 coefficients below Q. */
type Poly = Int32Array;

/** The parts of an expanded key (FIPS 204 algorithm 24) that depend on one another. */
interface Parts {
  readonly rho: Bytes;
  readonly tr: Bytes;
  readonly s1: readonly Poly[];
  readonly s2: readonly Poly[];
  readonly t0: Bytes;
}

/**
 * The public key that belongs to an expanded key.
 * @throws {InputError} `key.invalid` when one of its parts does not belong to the others.
 */
export async function checkExpandedMlDsa(row: KeyRow, expanded: Bytes): Promise<Bytes> {
  const set = SETS[row.spki.oid];
  if (!set) throw new Error(`Row "${row.name}" has no parameter set here`);
  const parts = split(expanded, set);
  if (!parts) throw invalid(row.label, "a coefficient of its expanded key is out of range");
  const low: Bytes[] = [];
  const high: Bytes[] = [parts.rho];
  const s1 = parts.s1.map(ntt);
  for (const [r, s2] of parts.s2.entries()) {
    const sum = new Int32Array(N);
    for (const [s, secret] of s1.entries()) addProduct(sum, await sampleMatrix(parts.rho, s, r), secret);
    const t = inverseNtt(sum).map((value, i) => (value + s2[i]!) % Q);
    const t1 = t.map((value) => (value + (1 << (D - 1)) - 1) >> D);
    high.push(pack(t1, 10));
    low.push(pack(t.map((value, i) => (1 << (D - 1)) - (value - (t1[i]! << D))), D));
  }
  if (!equalBytes(concatBytes(...low), parts.t0)) {
    throw invalid(row.label, "the vectors of its expanded key do not belong together");
  }
  const publicKey = concatBytes(...high);
  if (equalBytes(await shake256(publicKey, parts.tr.length), parts.tr)) return publicKey;
  throw invalid(row.label, "the hash in its expanded key is of another public key");
}

function split(expanded: Bytes, { k, l, eta }: { k: number; l: number; eta: number }): Parts | undefined {
  const bits = eta === 2 ? 3 : 4;
  const size = N * bits / 8;
  const vector = (start: number, length: number) =>
    Array.from({ length }, (_, i) => unpackSecret(expanded.subarray(start + i * size), { bits, eta }));
  const [s1, s2] = [vector(128, l), vector(128 + l * size, k)];
  if (!isComplete(s1) || !isComplete(s2)) return undefined;
  const t0 = expanded.subarray(128 + (k + l) * size);
  return { rho: expanded.subarray(0, 32), tr: expanded.subarray(64, 128), s1, s2, t0 };
}

function isComplete(vector: (Poly | undefined)[]): vector is Poly[] {
  return vector.every((poly) => poly !== undefined);
}

/** Coefficients from -eta to eta, stored as eta minus themselves; undefined when one is not. */
function unpackSecret(bytes: Uint8Array, { bits, eta }: { bits: number; eta: number }): Poly | undefined {
  const poly = new Int32Array(N);
  for (let i = 0; i < N; i++) {
    const at = i * bits;
    const stored = (bytes[at >> 3]! | (bytes[(at >> 3) + 1] ?? 0) << 8) >> (at & 7) & ((1 << bits) - 1);
    if (stored > 2 * eta) return undefined;
    poly[i] = (eta - stored + Q) % Q;
  }
  return poly;
}

/** Numbers of `bits` bits, the lowest bit first (FIPS 204 algorithm 16). */
function pack(values: Int32Array, bits: number): Bytes {
  const out = new Uint8Array(values.length * bits / 8);
  for (let i = 0; i < values.length * bits; i++) {
    if ((values[Math.floor(i / bits)]! >> i % bits & 1) !== 0) out[i >> 3]! |= 1 << (i & 7);
  }
  return out;
}

/** One element of A in the transformed domain (FIPS 204 algorithms 30 and 32). */
async function sampleMatrix(rho: Bytes, column: number, row: number): Promise<Poly> {
  // one candidate in a thousand is refused, so a third more than needed is enough for ever
  const stream = await shake128(concatBytes(rho, Uint8Array.of(column, row)), N * 4);
  const poly = new Int32Array(N);
  let count = 0;
  for (let at = 0; count < N && at + 2 < stream.length; at += 3) {
    const candidate = stream[at]! | stream[at + 1]! << 8 | (stream[at + 2]! & 0x7f) << 16;
    if (candidate < Q) poly[count++] = candidate;
  }
  return poly;
}

function addProduct(sum: Poly, a: Poly, b: Poly): void {
  for (let i = 0; i < N; i++) sum[i] = (sum[i]! + a[i]! * b[i]! % Q) % Q;
}

/** Powers of the root of unity, indices with their 8 bits reversed (FIPS 204 appendix B). */
function zetas(): Int32Array {
  const powers = new Int32Array(N);
  powers[0] = 1;
  for (let i = 1; i < N; i++) powers[i] = powers[i - 1]! * 1753 % Q;
  return powers.map((_, i) => powers[parseInt(i.toString(2).padStart(8, "0").split("").reverse().join(""), 2)]!);
}

/** FIPS 204 algorithm 41. */
function ntt(poly: Poly): Poly {
  const w = poly.slice();
  const roots = zetas();
  let m = 0;
  for (let length = N / 2; length >= 1; length >>= 1) {
    for (let start = 0; start < N; start += 2 * length) {
      const zeta = roots[++m]!;
      for (let j = start; j < start + length; j++) {
        const t = zeta * w[j + length]! % Q;
        w[j + length] = (w[j]! - t + Q) % Q;
        w[j] = (w[j]! + t) % Q;
      }
    }
  }
  return w;
}

/** FIPS 204 algorithm 42. */
function inverseNtt(poly: Poly): Poly {
  const w = poly.slice();
  const roots = zetas();
  let m = N;
  for (let length = 1; length < N; length <<= 1) {
    for (let start = 0; start < N; start += 2 * length) {
      const zeta = Q - roots[--m]!;
      for (let j = start; j < start + length; j++) {
        const t = w[j]!;
        w[j] = (t + w[j + length]!) % Q;
        w[j + length] = zeta * ((t - w[j + length]! + Q) % Q) % Q;
      }
    }
  }
  // 256 to the power of -1
  return w.map((value) => value * 8347681 % Q);
}
