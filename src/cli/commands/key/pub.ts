import { encodePem } from "../../../bytes.ts";
import { writeFileDurably } from "../../../files.ts";
import { spkiFingerprint } from "../../../keys/spki.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { FORCE, FORMAT, HSM_FLAGS, KEY, keyRef, OUT, PASSPHRASE } from "../../flags.ts";
import { storageJson } from "./_key.ts";

/** `qpki key pub`. */
const command: Command = {
  summary: "Write the public half of a private key",
  details:
    "The result is a SubjectPublicKeyInfo, PEM (PUBLIC KEY) or DER. Without --out it goes to standard output, as PEM.",
  flags: [KEY, PASSPHRASE, ...HSM_FLAGS, OUT, FORMAT, FORCE],
  examples: [
    "qpki key pub --key ca.key --out ca.pub",
    "qpki key pub --hsm-config hsm.yaml --key-label root-ca-key",
  ],
  async run(input, ctx) {
    const ref = keyRef(input.text("key"), input, ctx);
    const request = ref.type === "pkcs11"
      ? { type: ref.type, config: ref.config }
      : { type: ref.type, passphrase: ctx.passphrase(input.text("passphrase"), `Passphrase of ${ref.path}`) };
    await using provider = await ctx.openProvider(request);
    const key = await provider.open(ref);
    const pem = encodePem("PUBLIC KEY", key.spki);
    const spkiSha256 = await spkiFingerprint(key.spki);
    const out = input.text("out");
    if (out !== undefined) {
      const content = input.text("format") === "der" ? key.spki : pem;
      await writeFileDurably(joinPath(ctx.cwd, out), content, { overwrite: input.on("force") });
    }
    return {
      data: {
        algorithm: key.algorithm.name,
        spki_sha256: spkiSha256,
        storage: storageJson(key.ref),
        file: out ?? null,
        pem,
      },
      text: out === undefined
        ? pem
        : [`Public key:   ${out}`, `Algorithm:    ${key.algorithm.label}`, `SPKI SHA-256: ${spkiSha256}`].join("\n"),
    };
  },
};
export default command;
