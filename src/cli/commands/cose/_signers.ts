import { type Bytes, decodeHex } from "../../../bytes.ts";
import type { KeySource, SignerCertificate, SignerSources, SignerWishes } from "../../../credential/cose_sign.ts";
import { InputError, UsageError } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCertificates } from "../../../x509/certificate.ts";
import type { Context, Flag, Input } from "../../command.ts";
import { CRED_DIR, HSM_FLAGS, hsmRef, KEY, PASSPHRASE } from "../../flags.ts";

/** Flags that say who signs; {@link signerSources} and {@link signerWishes} read them. */
export const SIGNER_FLAGS: readonly Flag[] = [
  {
    name: "cert",
    value: "FILE",
    description: "certificate of the signer, with or without its chain",
    complete: "file",
  },
  KEY,
  PASSPHRASE,
  { name: "pqc-cert", value: "FILE", description: "certificate of a second, post-quantum signer", complete: "file" },
  { name: "pqc-key", value: "FILE", description: "private key file of the post-quantum signer", complete: "file" },
  {
    ...PASSPHRASE,
    name: "pqc-passphrase",
    short: undefined,
    description: "passphrase of --pqc-key, where it is another",
  },
  ...HSM_FLAGS,
  { name: "credential", value: "ID", repeat: true, description: "sign as this credential; twice for a hybrid" },
  CRED_DIR,
  { name: "alg", value: "NAME", repeat: true, description: "COSE algorithm: ES256, ESP256, EdDSA, Ed25519, PS384, …" },
  { name: "private-use", description: "sign with a number of nobody's registry where there is none (SLH-DSA)" },
  { name: "include-certs", description: "bring the certificates along (x5chain)" },
  { name: "kid", value: "TEXT|hex:HEX", description: "key identifier; the certificate's without it" },
].map((flag) => flag as Flag);

/**
 * Where the signers' certificates and keys are.
 * @throws {UsageError} for flags that contradict each other; {InputError} for files that hold no certificate.
 */
export async function signerSources(input: Input, ctx: Context): Promise<SignerSources> {
  const ids = input.list("credential");
  const stated = ["cert", "key", "pqc-cert", "pqc-key"].filter((name) => input.text(name) !== undefined);
  const token = hsmRef(input, ctx);
  if (ids.length > 0) {
    const other = stated[0] ?? (token ? "hsm-config" : undefined);
    if (other !== undefined) {
      throw new UsageError(`Cannot use --credential together with --${other}: a credential has its own`, {
        code: "usage.signer",
      });
    }
    return { credentials: await credentials(ids, input, ctx), certificates: [], keys: [] };
  }
  const keys = [
    ...keySource(input, ctx, { flag: "key", passphrase: "passphrase" }),
    ...keySource(input, ctx, { flag: "pqc-key", passphrase: "pqc-passphrase" }),
  ];
  if (token) keys.push(tokenSource(token));
  if (keys.length === 0) {
    throw new UsageError("Cannot tell who signs: neither --key, --hsm-config nor --credential is given", {
      code: "usage.signer",
    });
  }
  if (token && input.text("key") !== undefined) {
    throw new UsageError("Cannot tell which key is meant: --key and --hsm-config are both given", {
      code: "usage.signer",
    });
  }
  const files = ["cert", "pqc-cert"].flatMap((name) => input.text(name) ?? []);
  const certificates: SignerCertificate[] = [];
  for (const file of files) certificates.push(await signerCertificate(file, ctx));
  return { credentials: [], certificates, keys };
}

async function credentials(ids: readonly string[], input: Input, ctx: Context): Promise<SignerSources["credentials"]> {
  const folder = joinPath(ctx.cwd, input.text(CRED_DIR.name)!);
  const found = [];
  for (const id of ids) {
    const passphrase = ctx.passphrase(input.text(PASSPHRASE.name), `Passphrase of credential ${id}`);
    found.push({ store: await CredentialStore.open(folder, id), passphrase });
  }
  return found;
}

function keySource(input: Input, ctx: Context, flags: { flag: string; passphrase: string }): KeySource[] {
  const file = input.text(flags.flag);
  if (file === undefined) return [];
  const source = input.text(flags.passphrase) ?? input.text(PASSPHRASE.name);
  const passphrase = ctx.passphrase(source, `Passphrase of ${file}`, { flag: flags.passphrase });
  const ref = { type: "software", path: joinPath(ctx.cwd, file) } as const;
  return [{ provider: { type: "software", passphrase }, ref, written: file }];
}

function tokenSource(token: NonNullable<ReturnType<typeof hsmRef>>): KeySource {
  if (token.label === undefined && token.keyId === undefined) {
    throw new UsageError("Cannot tell which key in the token is meant: --key-label and --key-id are both missing", {
      code: "usage.hsm",
      hint: `List the keys with: qpki key list --hsm-config ${token.config}`,
    });
  }
  const written = `${token.label ?? token.keyId} in the token of ${token.config}`;
  return { provider: { type: "pkcs11", config: token.config }, ref: token, written };
}

async function signerCertificate(file: string, ctx: Context): Promise<SignerCertificate> {
  const [certificate, ...chain] = readCertificates(await readFileBytes(joinPath(ctx.cwd, file)), file);
  if (certificate) return { certificate, chain };
  throw new InputError(`Cannot use "${file}": it holds no certificate`, { code: "certificate.invalid", file });
}

/** What the signers are to say and do. @throws {UsageError} for a kid that is not hex. */
export function signerWishes(input: Input, kind: SignerWishes["kind"]): SignerWishes {
  const kid = input.text("kid");
  return {
    kind,
    algorithms: input.list("alg"),
    privateUse: input.on("private-use"),
    includeCertificates: input.on("include-certs"),
    ...(kid === undefined ? {} : { kid: keyIdentifier(kid) }),
  };
}

function keyIdentifier(text: string): Bytes {
  if (!text.startsWith("hex:")) return new TextEncoder().encode(text);
  try {
    return decodeHex(text.slice(4));
  } catch {
    throw new UsageError(`Cannot use --kid "${text.slice(0, 60)}": not an even number of hex digits`, {
      code: "usage.kid",
    });
  }
}

/** Data that is signed and not in the message. */
export const EXTERNAL_AAD: Flag = {
  name: "external-aad",
  value: "HEX",
  description: "additional data that both sides know: signed, and not in the message",
};

/** Bytes of {@link EXTERNAL_AAD}. @throws {UsageError} when they are not hex. */
export function externalAad(input: Input): Bytes | undefined {
  const text = input.text(EXTERNAL_AAD.name);
  if (text === undefined) return undefined;
  try {
    return decodeHex(text);
  } catch {
    throw new UsageError("Cannot use --external-aad: not an even number of hex digits", { code: "usage.aad" });
  }
}
