import { InputError, OperationError } from "../../errors.ts";
import { readFileBytes } from "../../files.ts";
import { joinPath } from "../../store/layout.ts";
import type { Command } from "../command.ts";
import { detectObjects } from "../detect.ts";
import { FILE_ARGUMENT } from "../flags.ts";
import { inspectObject } from "../inspect.ts";

/** Larger files are no certificates, keys or messages that anybody inspects. */
const MAX_INSPECTED_BYTES = 64 * 1024 * 1024;

/** `qpki inspect`. */
const command: Command = {
  summary: "Tell what a file holds",
  details:
    "Recognises certificates, requests, CRLs, public and private keys, CMS, PKCS #12 and COSE messages by their " +
    "content, in PEM or DER, and describes each. No passphrase is asked for.",
  args: [FILE_ARGUMENT],
  flags: [],
  examples: ["qpki inspect server.crt", "qpki inspect bundle.pem --json"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const bytes = await readFileBytes(joinPath(ctx.cwd, file));
    try {
      if (bytes.length > MAX_INSPECTED_BYTES) {
        throw new InputError(`Cannot inspect "${file}": larger than ${MAX_INSPECTED_BYTES} bytes`, {
          code: "file.too_large",
          file,
        });
      }
      const objects = [];
      for (const object of detectObjects(bytes)) objects.push(await inspectObject(object, file));
      return {
        data: { file, objects: objects.map((object) => object.json) },
        text: objects.map((object) => object.text).join("\n\n"),
      };
    } catch (error) {
      throw inFile(file, error);
    } finally {
      bytes.fill(0);
    }
  },
};

export default command;

/** The error with the name of the file; a malformed object is bad input, whoever refused it. */
function inFile(file: string, error: unknown): unknown {
  if (error instanceof OperationError || (error instanceof InputError && error.file === undefined)) {
    return new InputError(error.message.replace(":", () => ` in "${file}":`), {
      code: error.code,
      file,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error instanceof InputError && error.offset !== undefined ? { offset: error.offset } : {}),
      cause: error.cause,
    });
  }
  return error;
}
