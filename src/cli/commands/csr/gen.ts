import { createRequest, type CsrRequest } from "../../../credential/request.ts";
import type { RequestedKey } from "../../../credential/request_keys.ts";
import { spkiFingerprint } from "../../../keys/spki.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import { ATTEST_CERT } from "../../attest_input.ts";
import type { Command } from "../../command.ts";
import { ALGORITHM } from "../../algorithm_flag.ts";
import { FORCE, HSM_FLAGS, KEY, OUT, PASSPHRASE, PROFILE, VAR_FLAGS } from "../../flags.ts";
import { ATTEST_KEY_FLAGS, attestationWish, INCLUDE_CERT } from "./_attest.ts";
import { NAME_FLAGS, requestContent } from "./_content.ts";
import { COMPOSITE, HYBRID, HYBRID_KEY, HYBRID_KEYOUT, KEYOUT, requestedKeys } from "./_keys.ts";

const command: Command = {
  summary: "Make a certificate request, with new keys or existing ones",
  details:
    "The request holds what is stated here, or what the profile states, and nothing else. Without --out it goes to " +
    "standard output. A key in a token is used when --key-label or --key-id finds one; when there is none and the " +
    "algorithm is stated, it is made. --hybrid asks for a Catalyst certificate and --composite for a composite one, " +
    "each with a post-quantum key as well: in the token under the same label, or in the file that --hybrid-keyout " +
    "names; without that a composite key is one file. A key that cannot sign (ML-KEM) needs --attest-cert with its " +
    "key. --force also lets --keyout and --hybrid-keyout replace a private key.",
  flags: [
    ALGORITHM,
    HYBRID,
    COMPOSITE,
    { ...KEY, description: "existing private key file" },
    KEYOUT,
    HYBRID_KEY,
    HYBRID_KEYOUT,
    PASSPHRASE,
    ...NAME_FLAGS,
    { ...PROFILE, description: "profile that states subject, extensions and algorithms" },
    ...VAR_FLAGS,
    ...HSM_FLAGS,
    ATTEST_CERT,
    ...ATTEST_KEY_FLAGS,
    INCLUDE_CERT,
    OUT,
    FORCE,
  ],
  examples: [
    "qpki csr gen --algorithm ecdsa-p256 --keyout server.key --cn server.test --dns server.test --out server.csr",
    "qpki csr gen --key server.key --cn server.test --out server.csr",
    "qpki csr gen --profile ec/tls-server --var cn=server.test --keyout server.key --out server.csr",
    "qpki csr gen --hsm-config hsm.yaml --key-label server-key --algorithm ecdsa-p384 --cn server.test --out server.csr",
    "qpki csr gen --algorithm ecdsa-p256 --hybrid ml-dsa-65 --keyout server.key --hybrid-keyout server-pqc.key " +
    "--cn server.test --out server.csr",
    "qpki csr gen --algorithm ecdsa-p256 --composite ml-dsa-65 --keyout server.key --cn server.test --out server.csr",
    "qpki csr gen --algorithm ml-kem-768 --keyout alice-kem.key --cn Alice --attest-cert alice.crt " +
    "--attest-key alice.key --out alice-kem.csr",
  ],
  async run(input, ctx) {
    const { content, ...wanted } = await requestContent(input, ctx);
    const { keys, mode } = requestedKeys(input, ctx, wanted);
    const attestation = await attestationWish(input, ctx, keys);
    const out = input.text("out");
    const request: CsrRequest = {
      content,
      mode,
      keys,
      ...(attestation ? { attestation } : {}),
      ...(out === undefined ? {} : { out: { path: joinPath(ctx.cwd, out), overwrite: input.on("force") } }),
    };
    const made = await createRequest(request, ctx);
    const shown = await Promise.all(made.keys.map((key, i) => keyData(key, writtenRef(key, keys[i]!.written))));
    const subject = formatName(made.csr.subject);
    const kind = mode === "catalyst" ? ["Alternative key"] : ["Post-quantum key"];
    return {
      data: { file: out ?? null, subject, mode, key: shown[0]!, keys: shown, pem: made.pem },
      text: out === undefined ? made.pem : [
        `Request: ${out}`,
        `Subject: ${subject || "(empty)"}`,
        ...made.keys.map(({ key, generated }, i) =>
          `${["Key", ...kind][i]}: ${keyText(shown[i]!.storage)} (${key.algorithm.label}${generated ? ", new" : ""})`
        ),
      ].join("\n"),
    };
  },
};

export default command;

type WrittenRef = { type: "software"; path: string } | {
  type: "pkcs11";
  config: string;
  label?: string;
  key_id?: string;
};

async function keyData({ key, generated }: RequestedKey, storage: WrittenRef) {
  return {
    algorithm: key.algorithm.name,
    spki_sha256: await spkiFingerprint(key.spki),
    storage,
    generated,
  };
}

/** The key as the operator would name it. */
function writtenRef({ ref }: RequestedKey, written: string): WrittenRef {
  if (ref.type === "software") return { type: "software", path: written };
  return {
    type: "pkcs11",
    config: written,
    ...(ref.label === undefined ? {} : { label: ref.label }),
    ...(ref.keyId === undefined ? {} : { key_id: ref.keyId }),
  };
}

function keyText(ref: WrittenRef): string {
  return ref.type === "software" ? ref.path : `${ref.label ?? ref.key_id} in the token of ${ref.config}`;
}
