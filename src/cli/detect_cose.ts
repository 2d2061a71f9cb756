/** COSE and CWT messages by their CBOR tags (RFC 9052 section 2, RFC 8392 section 6). */
const COSE_TAGS: Readonly<Record<number, { name: string; elements: number }>> = {
  16: { name: "COSE_Encrypt0", elements: 3 },
  17: { name: "COSE_Mac0", elements: 4 },
  18: { name: "COSE_Sign1", elements: 4 },
  96: { name: "COSE_Encrypt", elements: 4 },
  97: { name: "COSE_Mac", elements: 5 },
  98: { name: "COSE_Sign", elements: 4 },
};

const CWT_TAG = 61;
const SELF_DESCRIBED_TAG = 55799;
const MAX_DEPTH = 16;

/** CBOR major types (RFC 8949 section 3.1) that matter here. */
const MAJOR = { BYTES: 2, ARRAY: 4, MAP: 5, TAG: 6, SIMPLE: 7 } as const;

interface Head {
  major: number;
  value: number;
  next: number;
}

/**
 * The name of the COSE message that `bytes` are as a whole (`COSE_Sign1`, `COSE_Sign1 in a CWT`), or undefined when they
 * are none: other or no tag, a wrong number of elements, cut off, or followed by more.
 */
export function describeCose(bytes: Uint8Array): string | undefined {
  let head = readHead(bytes, 0);
  if (head?.major === MAJOR.TAG && head.value === SELF_DESCRIBED_TAG) head = readHead(bytes, head.next);
  const isCwt = head?.major === MAJOR.TAG && head.value === CWT_TAG;
  if (isCwt) head = readHead(bytes, head!.next);
  if (head?.major !== MAJOR.TAG) return undefined;
  const tag = COSE_TAGS[head.value];
  const array = readHead(bytes, head.next);
  if (!tag || array?.major !== MAJOR.ARRAY || array.value !== tag.elements) return undefined;
  if (skipItem(bytes, head.next, 0) !== bytes.length) return undefined;
  return isCwt ? `${tag.name} in a CWT` : tag.name;
}

function readHead(bytes: Uint8Array, at: number): Head | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const [major, info] = [first >> 5, first & 31];
  if (info < 24) return { major, value: info, next: at + 1 };
  // indefinite lengths (31) are not allowed where COSE is signed, and reserved values never
  if (info > 27) return undefined;
  const size = 1 << (info - 24);
  if (at + 1 + size > bytes.length) return undefined;
  let value = 0;
  for (let i = 1; i <= size; i++) value = value * 256 + bytes[at + i]!;
  return { major, value, next: at + 1 + size };
}

/** Position after the item at `at`, or undefined when it is cut off, malformed or nested too deeply. */
function skipItem(bytes: Uint8Array, at: number, depth: number): number | undefined {
  const head = readHead(bytes, at);
  if (!head || depth > MAX_DEPTH) return undefined;
  const { major, value, next } = head;
  if (major < MAJOR.BYTES || major === MAJOR.SIMPLE) return next;
  if (major < MAJOR.ARRAY) return next + value <= bytes.length ? next + value : undefined;
  const count = major === MAJOR.TAG ? 1 : major === MAJOR.MAP ? value * 2 : value;
  // every element takes an octet at least: a huge count ends before it costs time
  if (count > bytes.length - next) return undefined;
  let position: number | undefined = next;
  for (let i = 0; i < count && position !== undefined; i++) position = skipItem(bytes, position, depth + 1);
  return position;
}
