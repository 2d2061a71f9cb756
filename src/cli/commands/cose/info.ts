import { encodeHex } from "../../../bytes.ts";
import { decodeCbor } from "../../../cose/cbor.ts";
import { type Claims, decodeClaims } from "../../../cose/cwt.ts";
import { claimsJson, claimsText, headersJson, headersText } from "../../../cose/describe.ts";
import { diagnose } from "../../../cose/diag.ts";
import { type CoseMessage, titleOf } from "../../../cose/message.ts";
import { InputError } from "../../../errors.ts";
import type { Command } from "../../command.ts";
import { FILE_ARGUMENT } from "../../flags.ts";
import { columns } from "../../output.ts";
import { certificateName, DETERMINISTIC, EXPECTED_TYPE, readMessage } from "./_message.ts";

/** `qpki cose info FILE`. */
const command: Command = {
  summary: "Show a signed message or token: structure, headers, certificates, claims",
  details: "Nothing is verified and no key is needed. --diag prints the CBOR in diagnostic notation.",
  args: [{ ...FILE_ARGUMENT, description: "message, CBOR" }],
  flags: [
    { name: "diag", description: "CBOR diagnostic notation (RFC 8949 section 8)" },
    EXPECTED_TYPE,
    DETERMINISTIC,
  ],
  examples: ["qpki cose info token.cbor", "qpki cose info bundle.cose --diag"],
  async run(input, ctx) {
    const { message, bytes } = await readMessage(input, ctx, { guess: true });
    const claims = message.payload && claimsIn(message, input.text(EXPECTED_TYPE.name) === "cwt");
    if (input.on("diag")) {
      const diag = diagnose(decodeCbor(bytes));
      return { data: { diag }, text: diag };
    }
    return { data: messageJson(message, claims), text: messageText(message, claims) };
  },
};

export default command;

/** Claims of a token; what has no tag that says so may be one all the same, and is then one only if it can be read so. */
function claimsIn({ cwt, payload }: CoseMessage, expected: boolean): Claims | undefined {
  if (!cwt && !expected) return undefined;
  try {
    return decodeClaims(payload!);
  } catch (error) {
    if (error instanceof InputError && !expected) return undefined;
    throw error;
  }
}

function messageJson(message: CoseMessage, claims: Claims | undefined) {
  const { payload } = message;
  return {
    type: message.kind,
    tagged: message.tagged,
    cwt: message.cwt,
    protected: headersJson(message.headers.protected, certificateName),
    unprotected: headersJson(message.headers.unprotected, certificateName),
    detached: payload === undefined,
    payload_bytes: payload?.length ?? null,
    payload: payload ? encodeHex(payload) : null,
    claims: claims ? claimsJson(claims) : null,
    signers: message.signers.map(({ headers, signature }) => ({
      ...message.kind === "sign1" ? {} : {
        protected: headersJson(headers.protected, certificateName),
        unprotected: headersJson(headers.unprotected, certificateName),
      },
      signature_bytes: signature.length,
      signature: encodeHex(signature),
    })),
  };
}

function messageText(message: CoseMessage, claims: Claims | undefined): string {
  const { payload, kind, headers } = message;
  const title = `${titleOf(message)}${message.tagged ? "" : " (untagged)"}${message.cwt ? " in a CWT" : ""}`;
  const body = headersText(headers, certificateName);
  const lines = [title, ...section("Headers", body)];
  lines.push(
    payload === undefined ? "Payload: detached" : `Payload: ${payload.length} bytes${preview(payload, claims)}`,
  );
  if (claims) lines.push(...section("Claims", claimsText(claims)));
  for (const [i, { headers: own, signature }] of message.signers.entries()) {
    const name = kind === "sign1" ? "Signature" : `Signer ${i + 1}`;
    const rows = kind === "sign1" ? [] : headersText(own, certificateName);
    lines.push(...section(name, [...rows, ["signature", `${signature.length} bytes`]]));
  }
  return lines.join("\n");
}

function section(name: string, rows: readonly [string, string][]): string[] {
  return rows.length === 0 ? [] : [`${name}:`, columns(rows).trimEnd()];
}

/** Most characters of a payload that is text. */
const PREVIEW = 60;

/** The beginning of a payload that is plain text. */
function preview(payload: Uint8Array, claims: Claims | undefined): string {
  const text = new TextDecoder("latin1").decode(payload.subarray(0, PREVIEW));
  if (claims || payload.length === 0 || !/^[\x20-\x7e\n\t]*$/.test(text)) return "";
  return `, ${JSON.stringify(text)}${payload.length > PREVIEW ? "…" : ""}`;
}
