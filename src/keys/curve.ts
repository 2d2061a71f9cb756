/**
 * Checks of public points that libraries leave out or postpone until use: that a point lies on its curve (SEC 1 section
 * 3.2.2), and that an Edwards point is canonical and not of low order (RFC 8032; such a key would verify forged
 * signatures). Public values only, so nothing here needs constant time.
 */

/** y² = x³ + ax + b over the prime p (SP 800-186 section 3.2.1, RFC 5639 section 3). */
interface WeierstrassCurve {
  readonly p: bigint;
  readonly a: bigint;
  readonly b: bigint;
}

/** By namedCurve OID. */
const WEIERSTRASS: Readonly<Record<string, WeierstrassCurve>> = {
  "1.2.840.10045.3.1.7": {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    a: -3n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  "1.3.132.0.34": {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    a: -3n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  "1.3.132.0.35": {
    p: 2n ** 521n - 1n,
    a: -3n,
    b: 0x051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
  "1.3.36.3.3.2.8.1.1.7": {
    p: 0xa9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377n,
    a: 0x7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9n,
    b: 0x26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6n,
  },
  "1.3.36.3.3.2.8.1.1.11": {
    p: 0x8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53n,
    a: 0x7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826n,
    b: 0x04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11n,
  },
};

/** Whether the uncompressed point (04, x, y) is a point of the curve with this OID. Unknown curves have no points. */
export function isOnCurve(curveOid: string, point: Uint8Array): boolean {
  const curve = WEIERSTRASS[curveOid];
  if (!curve || point[0] !== 4 || point.length % 2 !== 1) return false;
  const half = (point.length - 1) / 2;
  const x = BigInt(`0x${point.subarray(1, 1 + half).toHex()}`);
  const y = BigInt(`0x${point.subarray(1 + half).toHex()}`);
  const { p, a, b } = curve;
  return x < p && y < p && (y * y - (x * x + a) * x - b) % p === 0n;
}

/** An Edwards curve by the length of its encoded points in bytes. */
interface EdwardsCurve {
  readonly p: bigint;
  /** y coordinates of all points of low order. */
  readonly lowOrder: readonly bigint[];
}

const P25519 = 2n ** 255n - 19n;
const P448 = 2n ** 448n - 2n ** 224n - 1n;
/** y of a point of order 8 on edwards25519; its negative belongs to the others. */
const Y8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;

const EDWARDS: Readonly<Record<number, EdwardsCurve>> = {
  32: { p: P25519, lowOrder: [0n, 1n, P25519 - 1n, Y8, P25519 - Y8] },
  57: { p: P448, lowOrder: [0n, 1n, P448 - 1n] },
};

/** Whether an Ed25519 (32 bytes) or Ed448 (57 bytes) public key has a canonical y and is not of low order. */
export function isSafeEdwardsKey(publicKey: Uint8Array): boolean {
  const curve = EDWARDS[publicKey.length];
  if (!curve) return false;
  const bytes = publicKey.slice().reverse();
  bytes[0]! &= 0x7f;
  const y = BigInt(`0x${bytes.toHex()}`);
  return y < curve.p && !curve.lowOrder.includes(y);
}
