import { integer } from "../asn1/der.ts";
import { type Bytes, encodeHex, randomBytes, shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";

/** Octets of a serial number we make: 127 bits from the operating system's generator. */
const SERIAL_OCTETS = 16;

/** Most octets of INTEGER content a serial number may have (RFC 5280 section 4.1.2.2). */
export const MAX_SERIAL_OCTETS = 20;

/** Longest serial number read from a foreign certificate. */
const MAX_FOREIGN_OCTETS = 64;

/** A new serial number as upper-case hex: positive, 16 random octets, first one from 01 to 7F so that it never pads. */
export function generateSerial(): string {
  for (;;) {
    const octets = randomBytes(SERIAL_OCTETS);
    octets[0]! &= 0x7f;
    if (octets[0] !== 0) return encodeHex(octets).toUpperCase();
  }
}

/**
 * A serial number as an operator may type it (any case, `0x`, colons, odd digits, leading zeros) in the one stored form:
 * upper-case hex, even number of digits, no leading zero byte.
 * @throws {InputError} `serial.invalid` when it is no hex number.
 */
export function normalizeSerial(text: string): string {
  const digits = text.trim().replace(/^0x/i, "").replaceAll(":", "");
  if (!/^[0-9a-f]{1,128}$/i.test(digits)) {
    throw new InputError(`Cannot read the serial number "${shorten(text)}": not a hex number`, {
      code: "serial.invalid",
    });
  }
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  return even.toUpperCase().replace(/^(00)+(?=..)/, "");
}

/**
 * DER INTEGER of a serial number we issue.
 * @throws {InputError} `serial.invalid` when it is zero or longer than 20 octets (RFC 5280 section 4.1.2.2).
 */
export function encodeSerial(serial: string): Bytes {
  const der = integer(Uint8Array.fromHex(normalizeSerial(serial)));
  if (der.length - 2 > MAX_SERIAL_OCTETS || (der.length === 3 && der[2] === 0)) {
    throw new InputError(`Cannot use the serial number "${serial}": not from 1 to 20 octets and above zero`, {
      code: "serial.invalid",
    });
  }
  return der;
}

/**
 * Serial in hex from the content octets of an INTEGER. Foreign negative numbers get a minus sign, zero is `00`.
 * @throws {InputError} `der.invalid` above 64 octets.
 */
export function serialHex(content: Uint8Array): string {
  if (content.length > MAX_FOREIGN_OCTETS) {
    throw new InputError(`Cannot read a serial number of ${content.length} octets`, { code: "der.invalid" });
  }
  if (content[0]! >= 0x80) return `-${encodeHex(negated(content)).toUpperCase().replace(/^(00)+(?=..)/, "")}`;
  const hex = encodeHex(content).toUpperCase();
  return content.length > 1 && content[0] === 0 ? hex.slice(2) : hex;
}

/** Magnitude of a negative two's complement number. */
function negated(content: Uint8Array): Uint8Array {
  const out = Uint8Array.from(content, (octet) => octet ^ 0xff);
  for (let i = out.length - 1; i >= 0; i--) {
    out[i] = (out[i]! + 1) & 0xff;
    if (out[i] !== 0) break;
  }
  return out;
}
