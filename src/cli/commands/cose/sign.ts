import { encodeHex } from "../../../bytes.ts";
import { encodeClaims } from "../../../cose/cwt.ts";
import { type MessageKind, titleOf } from "../../../cose/message.ts";
import { bytesPayload, filePayload, type Payload, WHOLE_BYTES } from "../../../cose/payload.ts";
import { type CoseSigner, signMessage, type SignRequest } from "../../../cose/sign.ts";
import { openSigners } from "../../../credential/cose_sign.ts";
import { EXIT, InputError, UsageError } from "../../../errors.ts";
import { existsError, pathExists, writeFileDurably } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, CommandResult, Context, Flag, Input } from "../../command.ts";
import { FORCE, OUT } from "../../flags.ts";
import { BATCH, type BatchLine, signLines } from "./_batch.ts";
import { CLAIM_FLAGS, type GivenClaims, givenClaims, withIssueTime } from "./_claims.ts";
import { EXTERNAL_AAD, externalAad, SIGNER_FLAGS, signerSources, signerWishes } from "./_signers.ts";

const FLAGS: readonly Flag[] = [
  {
    name: "type",
    value: "TYPE",
    choices: ["cwt", "sign1", "sign"],
    description: "cwt: a token of claims; sign1: one signature; sign: a list of signers (sign1 with --data, else cwt)",
  },
  { name: "data", value: "FILE", description: "file to sign", complete: "file" },
  { name: "detached", description: "leave the file's content out of the message" },
  { name: "content-type", value: "TYPE", description: "media type of the content, or its CoAP number" },
  ...CLAIM_FLAGS,
  ...SIGNER_FLAGS,
  EXTERNAL_AAD,
  BATCH,
  OUT,
  FORCE,
];

/** `qpki cose sign`. */
const command: Command = {
  summary: "Sign a file or a token of claims (COSE, CWT)",
  details:
    "A Catalyst certificate, two certificates with two keys, two credentials or the two keys under one label in a token " +
    "make a message with two signatures (COSE_Sign), both of which must hold; --type sign1 makes one. A detached file of " +
    "any size is signed in little memory by ECDSA and RSA keys, and by ML-DSA keys in files. Without --out the message " +
    "is printed in hex. --batch signs the files or claims of each line with one login and prints one line of JSON for " +
    "each; claims of the command line hold for all.",
  flags: FLAGS,
  examples: [
    "qpki cose sign --cert server.crt --key server.key --iss issuer.test --sub device-1 --exp 24h --out token.cbor",
    "qpki cose sign --type sign1 --credential alice --data bundle.pem --include-certs --out bundle.cose",
    "qpki cose sign --type sign1 --detached --data bundle.pem --key server.key --out bundle.sig",
    "qpki cose sign --batch claims.jsonl --iss issuer.test --exp 24h --cert server.crt --key server.key",
    "qpki cose sign --type cwt --hsm-config hsm.yaml --key-label root-ca-key --sub device-1 --claim level:int=3",
  ],
  async run(input, ctx) {
    const out = await outputPath(input, ctx);
    const batch = input.text(BATCH.name);
    if (batch !== undefined) return await runLines(batch, input, ctx);
    const { payload, claims } = await givenPayload(input, ctx);
    const kind = input.text("type") ?? (claims ? "cwt" : "sign1");
    const wishes = signerWishes(input, kind === "sign1" ? "sign1" : "any");
    await using opened = await openSigners(await signerSources(input, ctx), wishes, ctx);
    const { signers } = opened;
    const structure = structureOf(kind, signers);
    if (!payload.bytes) ctx.progress(`Signing ${payload.length} bytes`);
    const message = await signMessage({
      kind: structure,
      payload,
      detached: input.on("detached"),
      cwt: claims !== undefined,
      signers,
      ...givenHeaders(input),
    });
    if (out !== undefined) await writeFileDurably(out, message, { overwrite: input.on(FORCE.name) });
    const data = {
      type: structure,
      cwt: claims !== undefined,
      detached: input.on("detached"),
      signers: signers.map(({ algorithm }, i) => ({
        algorithm: algorithm.name,
        id: algorithm.id,
        name: opened.names[i],
      })),
      bytes: message.length,
      ...(out === undefined ? { message: encodeHex(message) } : { out: input.text(OUT.name)! }),
    };
    if (out === undefined) return { data, text: encodeHex(message) };
    const text = [
      `Message signed: ${input.text(OUT.name)}`,
      `  Type:   ${titleOf({ kind: structure })}${claims ? " in a CWT" : ""}${data.detached ? ", detached" : ""}`,
      ...data.signers.map(({ algorithm, name }) => `  Signer: ${name} (${algorithm})`),
    ].join("\n");
    return { data, text };
  },
};

export default command;

function givenHeaders(input: Input): Pick<SignRequest, "aad" | "contentType"> {
  const contentType = input.text("content-type");
  const aad = externalAad(input);
  return {
    ...(contentType === undefined
      ? {}
      : { contentType: /^\d+$/.test(contentType) ? Number(contentType) : contentType }),
    ...(aad ? { aad } : {}),
  };
}

/** `--batch`: the results as lines of JSON, on standard output or in --out. */
async function runLines(file: string, input: Input, ctx: Context): Promise<CommandResult> {
  if (input.text("data") !== undefined) {
    throw new UsageError("Cannot use --data together with --batch: a line names it");
  }
  const out = await outputPath(input, ctx);
  const type = input.text("type") ?? "cwt";
  const wishes = signerWishes(input, type === "sign1" ? "sign1" : "any");
  await using opened = await openSigners(await signerSources(input, ctx), wishes, ctx);
  const results = await signLines(file, {
    kind: structureOf(type, opened.signers),
    signers: opened.signers,
    claims: await givenClaims(input, ctx),
    issueTime: !input.on("no-iat"),
    detached: input.on("detached"),
    overwrite: input.on(FORCE.name),
    ...givenHeaders(input),
  }, ctx);
  const failed = results.filter((result) => result["error"] !== undefined).length;
  const lines = results.map((result: BatchLine) => JSON.stringify(result)).join("\n");
  if (out !== undefined) await writeFileDurably(out, `${lines}\n`, { overwrite: input.on(FORCE.name) });
  if (failed > 0) ctx.warn(`${failed} of ${results.length} lines were not signed`);
  const data = { signed: results.length - failed, failed, results };
  const text = out === undefined ? lines : `${data.signed} of ${results.length} signed: ${input.text(OUT.name)}`;
  return { data, text, ...(failed > 0 ? { exit: EXIT.FAILED } : {}) };
}

/** One signature fits a COSE_Sign1; `sign` is always a list. */
function structureOf(type: string, signers: readonly CoseSigner[]): MessageKind {
  return type === "sign" || signers.length > 1 ? "sign" : "sign1";
}

async function givenPayload(input: Input, ctx: Context): Promise<{ payload: Payload; claims?: GivenClaims }> {
  const now = ctx.now();
  const file = input.text("data");
  const given = await givenClaims(input, ctx);
  if (file === undefined) {
    if (given.size === 0) {
      throw new UsageError("Cannot tell what to sign: neither --data nor a claim is given", {
        code: "usage.payload",
        hint: "For example --data FILE, or --iss TEXT --sub TEXT --exp 24h",
      });
    }
    if (input.on("detached")) throw new UsageError("Cannot leave out the claims: --detached is for --data");
    if (input.text("type") === "sign1") throw new UsageError("Cannot use claims with --type sign1: a token is a cwt");
    const claims = withIssueTime(given, { now, wanted: !input.on("no-iat") });
    return { payload: bytesPayload(encodeClaims(claims)), claims };
  }
  if (given.size > 0) throw new UsageError("Cannot use --data together with claims: one of them is signed");
  if (input.text("type") === "cwt") {
    throw new UsageError("Cannot use --data with --type cwt: a token consists of claims");
  }
  const payload = await filePayload(joinPath(ctx.cwd, file), { name: file, signal: ctx.signal });
  if (payload.bytes || input.on("detached")) return { payload };
  throw new InputError(`Cannot sign "${file}": a message holds at most ${WHOLE_BYTES} bytes`, {
    code: "cose.too_large",
    file,
    hint: "Sign it with --detached: the message then holds the signature alone",
  });
}

/** Told before anything is signed. */
async function outputPath(input: Input, ctx: Context): Promise<string | undefined> {
  const out = input.text(OUT.name);
  if (out === undefined) return undefined;
  const path = joinPath(ctx.cwd, out);
  if (!input.on(FORCE.name) && await pathExists(path)) throw existsError(out);
  return path;
}
