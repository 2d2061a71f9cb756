import { formatInstant } from "../../../ca/deps.ts";
import { titleOf } from "../../../cose/message.ts";
import { algorithmName } from "../../../cose/algorithm.ts";
import { claimsJson, claimsText, jsonOf } from "../../../cose/describe.ts";
import { filePayload } from "../../../cose/payload.ts";
import {
  type MessageVerdict,
  type PinnedKey,
  type SignerVerdict,
  verifyMessage,
} from "../../../credential/cose_verify.ts";
import { EXIT, UsageError } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, Context, Flag, Input } from "../../command.ts";
import { parseInstant } from "../../crl_input.ts";
import { FILE_ARGUMENT } from "../../flags.ts";
import { columns } from "../../output.ts";
import { readPublicKey } from "../../public_key_input.ts";
import { ALTERNATIVE, alternativePolicy, TRUST } from "../../trust_input.ts";
import { DETERMINISTIC, EXPECTED_TYPE, inFile, readMessage } from "./_message.ts";
import { EXTERNAL_AAD, externalAad } from "./_signers.ts";
import { certificatesOf, signerTrust } from "./_trust.ts";

const FLAGS: readonly Flag[] = [
  TRUST,
  {
    ...TRUST,
    name: "pqc-ca",
    description: "trusted certificates for the post-quantum signer, which then must be there",
  },
  {
    name: "cert",
    value: "FILE",
    repeat: true,
    description: "certificate of the signer; trusted by itself without --ca",
    complete: "file",
  },
  {
    name: "key",
    short: "k",
    value: "FILE",
    repeat: true,
    description: "public key of the signer, PEM, DER or COSE_Key; trusted by itself",
    complete: "file",
  },
  { name: "data", value: "FILE", description: "content of a detached message", complete: "file" },
  EXPECTED_TYPE,
  {
    name: "check-exp",
    value: "BOOL",
    choices: ["true", "false"],
    description: "whether a token must not have expired (true)",
  },
  { name: "no-check-exp", description: "take a token that has expired" },
  { name: "iss", value: "TEXT", description: "who must have issued the token" },
  { name: "sub", value: "TEXT", description: "whom it must be about" },
  { name: "aud", value: "TEXT", description: "whom it must be for" },
  { name: "at", value: "TIME", description: "verify as of this time, for example 2026-01-02T10:30:00Z" },
  ALTERNATIVE,
  { name: "allow-unprotected-alg", description: "take an algorithm that is not among the protected headers" },
  DETERMINISTIC,
  EXTERNAL_AAD,
];

/** `qpki cose verify FILE`. */
const command: Command = {
  summary: "Verify a signed message or token (COSE, CWT)",
  details:
    "Prints VALID, or INVALID with every reason (exit 1): every signature must be good, the certificate behind it must " +
    "lead to --ca, allow signatures and have been valid when the token was issued (now, for what is no token), then the " +
    "claims are looked at. The signer's certificate comes from the message, --cert, or --ca itself.",
  args: [{ ...FILE_ARGUMENT, description: "message, CBOR" }],
  flags: FLAGS,
  examples: [
    "qpki cose verify token.cbor --ca ./ca --cert server.crt",
    "qpki cose verify bundle.cose --ca ca.crt",
    "qpki cose verify bundle.sig --cert server.crt --data bundle.pem",
  ],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const { message } = await readMessage(input, ctx);
    const trust = await signerTrust(input.text(TRUST.name), ctx);
    const pqcTrust = await signerTrust(input.text("pqc-ca"), ctx);
    const certificates = await certificatesOf(input.list("cert"), ctx);
    const keys = await pinnedKeys(input, ctx);
    if (!trust && !pqcTrust && certificates.length === 0 && keys.length === 0) {
      throw new UsageError("Cannot tell whom to trust: none of --ca, --cert and --key is given", {
        code: "usage.trust",
      });
    }
    const data = input.text("data");
    const at = input.text("at");
    const verdict = await inFileAsync(file, async () =>
      verifyMessage(message, {
        trust,
        pqcTrust,
        certificates,
        keys,
        content: data === undefined
          ? undefined
          : await filePayload(joinPath(ctx.cwd, data), { name: data, signal: ctx.signal }),
        aad: externalAad(input),
        alternative: alternativePolicy(input),
        allowUnprotectedAlgorithm: input.on("allow-unprotected-alg"),
        cwt: input.text(EXPECTED_TYPE.name) === "cwt",
        claims: {
          now: at === undefined ? ctx.now() : parseInstant(at, "at"),
          checkExp: !input.on("no-check-exp") && input.text("check-exp") !== "false",
          iss: input.text("iss"),
          sub: input.text("sub"),
          aud: input.text("aud"),
        },
      }));
    for (const { message: text } of verdict.warnings) ctx.warn(text);
    return { data: verdictJson(verdict, message), ...verdictText(verdict, message) };
  },
};

export default command;

type Message = Parameters<typeof titleOf>[0] & { readonly cwt: boolean };

function verdictJson(verdict: MessageVerdict, message: Message) {
  return {
    valid: verdict.valid,
    type: message.kind,
    cwt: message.cwt,
    at: formatInstant(verdict.at),
    signers: verdict.signers.map(({ valid, algorithm, subject, alternative, certificate, chain, reasons }) => ({
      valid,
      algorithm: algorithmName(algorithm),
      algorithm_id: jsonOf(algorithm),
      subject: subject ?? null,
      serial: certificate?.serial ?? null,
      alternative_key: alternative ?? false,
      chain: chain.map((one) => formatName(one.subject)),
      reasons,
    })),
    claims: verdict.claims ? claimsJson(verdict.claims) : null,
    reasons: verdict.reasons,
    warnings: verdict.warnings,
  };
}

function verdictText(verdict: MessageVerdict, message: Message): { text: string; exit?: typeof EXIT.FAILED } {
  if (!verdict.valid) {
    const signers = verdict.signers.filter(({ valid }) => !valid).flatMap((signer) =>
      signer.reasons.map(({ message: text }) => `${signerName(signer)}: ${text}`)
    );
    const lines = [...signers, ...verdict.reasons.map(({ message: text }) => text)];
    return { text: ["INVALID", ...lines.map((line) => `  ${line}`)].join("\n"), exit: EXIT.FAILED };
  }
  const rows: [string, string][] = [
    ["type", `${titleOf(message)}${message.cwt ? " in a CWT" : ""}`],
    ...verdict.signers.map((signer): [string, string] => ["signed by", signerName(signer)]),
    ...verdict.claims ? claimsText(verdict.claims) : [],
  ];
  return { text: `VALID\n${columns(rows)}` };
}

function signerName({ subject, algorithm, alternative }: SignerVerdict): string {
  return `${subject ?? "unknown signer"} (${algorithmName(algorithm)}${alternative ? ", alternative key" : ""})`;
}

async function pinnedKeys(input: Input, ctx: Context): Promise<PinnedKey[]> {
  const keys: PinnedKey[] = [];
  for (const file of input.list("key")) {
    const bytes = await readFileBytes(joinPath(ctx.cwd, file));
    keys.push({ name: file, spki: (await inFileAsync(file, () => readPublicKey(bytes))).spki });
  }
  return keys;
}

/** As `inFile`, for what takes its time. */
async function inFileAsync<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return inFile(file, (): T => {
      throw error;
    });
  }
}
