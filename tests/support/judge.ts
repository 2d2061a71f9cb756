import { ROOT } from "./cli.ts";
import { bouncyCastleJars } from "./require.ts";

/** BouncyCastle as a second opinion; the program is tests/interop/judge/Judge.java. Guard tests with `bouncycastle`. */

/** One signature as BouncyCastle sees it; `algorithm` is its name for it, or the OID. */
export interface JudgedSignature {
  readonly algorithm: string;
  readonly valid: boolean;
}

/** What the judge says; `error` when it could not come to a judgement, and then nothing else is sure to be there. */
export interface Judgement {
  readonly error?: string;
  readonly version?: string;
  readonly subject?: string;
  /** The issuer field is the issuer's subject; the statement names the certificate. */
  readonly names?: boolean;
  readonly signature?: JudgedSignature;
  /** The alternative signature (X.509 clause 9.8), where one must be. */
  readonly alternative?: JudgedSignature;
  /** Statement of possession (RFC 9883). */
  readonly possession?: { readonly names: boolean; readonly included: boolean; readonly same?: boolean };
  /** Number of entries of a CRL. */
  readonly revoked?: number;
  /** Outcome of path validation. */
  readonly valid?: boolean;
  readonly reason?: string;
  readonly key?: string;
  readonly algorithm?: string;
  readonly key_bytes?: number;
  readonly ciphertext_bytes?: number;
  readonly key_encipherment_only?: boolean;
  readonly reencoded?: boolean;
}

/** A running judge: one Java process, which ends on disposal. */
export interface Judge extends AsyncDisposable {
  /** The judgement on a certificate by the certificate of its issuer; files are PEM or DER. */
  certificate(file: string, issuer: string): Promise<Judgement>;
  crl(file: string, issuer: string): Promise<Judgement>;
  /** On a request, signed by its own key or by the key of the certificate `attest` (RFC 9883). */
  csr(file: string, attest?: string): Promise<Judgement>;
  /** Path validation from leaf to trust anchor (the last one), with revocation if CRLs are given. */
  path(chain: readonly string[], crls?: readonly string[]): Promise<Judgement>;
  /** Whether a certificate's KEM key serves. */
  kem(file: string): Promise<Judgement>;
  version(): Promise<string>;
}

/** Starts the judge; it compiles itself, which takes a second or two. */
export function startJudge(): Judge {
  const child = new Deno.Command("java", {
    args: [
      "-XX:+UseSerialGC",
      "-XX:TieredStopAtLevel=1",
      "-cp",
      bouncyCastleJars()!,
      `${ROOT}/tests/interop/judge/Judge.java`,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const answers = lines(child.stdout);
  let last: Promise<unknown> = Promise.resolve();
  function ask(...words: string[]): Promise<Judgement> {
    const answer = last.then(async () => {
      await writer.write(new TextEncoder().encode(`${words.join("\t")}\n`));
      const { value, done } = await answers.next();
      if (done) throw new Error(`The judge ended at "${words.join(" ")}"`);
      return JSON.parse(value) as Judgement;
    });
    last = answer.catch(() => {});
    return answer;
  }
  return {
    certificate: (file, issuer) => ask("certificate", file, issuer),
    crl: (file, issuer) => ask("crl", file, issuer),
    csr: (file, attest) => ask("csr", file, ...(attest === undefined ? [] : [attest])),
    path: (chain, crls = []) => ask("path", ...chain, ...(crls.length === 0 ? [] : ["--", ...crls])),
    kem: (file) => ask("kem", file),
    version: async () => (await ask("version")).version!,
    async [Symbol.asyncDispose]() {
      await last;
      await writer.close().catch(() => {});
      await answers.return(undefined);
      await child.status;
    },
  };
}

async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  return undefined;
}
