import type { CertificateNames } from "../../../cose/describe.ts";
import { type CoseMessage, type MessageKind, parseMessage } from "../../../cose/message.ts";
import { InputError } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { parseCertificate } from "../../../x509/certificate.ts";
import { nameOf } from "../../../x509/verdict.ts";
import type { Context, Flag, Input } from "../../command.ts";

/** What a message is to be; {@link readMessage} reads it. */
export const EXPECTED_TYPE: Flag = {
  name: "type",
  value: "TYPE",
  choices: ["cwt", "sign1", "sign"],
  description: "what it must be; with it a message without tag is read too",
};

/** Demands deterministic CBOR. */
export const DETERMINISTIC: Flag = {
  name: "deterministic",
  description: "refuse what is not in the deterministic form (RFC 8949 section 4.2)",
};

/** A message and its bytes. @throws {InputError} with the file's name for what is no message. */
export async function readMessage(
  input: Input,
  ctx: Context,
  { guess = false }: { guess?: boolean } = {},
): Promise<{ message: CoseMessage; bytes: Uint8Array<ArrayBuffer> }> {
  const file = input.argument("file")!;
  const bytes = await readFileBytes(joinPath(ctx.cwd, file));
  const type = input.text(EXPECTED_TYPE.name);
  const expected = type === "sign1" || type === "sign" ? type : undefined;
  const deterministic = input.on(DETERMINISTIC.name);
  return {
    bytes,
    message: inFile(file, () => {
      if (new TextDecoder().decode(bytes.subarray(0, 11)) === "-----BEGIN ") {
        throw new InputError("Cannot read the COSE message: it is PEM", { code: "cose.structure" });
      }
      if (!guess || expected) return parseMessage(bytes, { deterministic, ...(expected ? { expected } : {}) });
      return parseAny(bytes, deterministic);
    }),
  };
}

/** A message without tag is told by its form: the last of a COSE_Sign1 is bytes, that of a COSE_Sign a list. */
function parseAny(bytes: Uint8Array, deterministic: boolean): CoseMessage {
  const kinds: readonly (MessageKind | undefined)[] = [undefined, "sign1", "sign"];
  let first: unknown;
  for (const expected of kinds) {
    try {
      return parseMessage(bytes, { deterministic, ...(expected ? { expected } : {}) });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (error.code !== "cose.untagged" && error.code !== "cose.structure") throw error;
      first ??= error;
    }
  }
  throw first;
}

/** What `read` returns; its errors name the file. */
export function inFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InputError) || error.file !== undefined) throw error;
    throw new InputError(error.message.replace(":", () => ` in "${file}":`), {
      code: error.code,
      file,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.offset === undefined ? {} : { offset: error.offset }),
      cause: error.cause,
    });
  }
}

/** The subject of a certificate that a message brings along. */
export const certificateName: CertificateNames = subjectOf;

function subjectOf(der: Uint8Array): string {
  try {
    return nameOf(parseCertificate(new Uint8Array(der)));
  } catch (error) {
    if (error instanceof InputError) return `(no certificate: ${der.length} bytes)`;
    throw error;
  }
}
