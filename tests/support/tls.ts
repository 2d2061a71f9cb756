import type { TempFolder } from "./tmp.ts";

const DEADLINE_MS = 15_000;

/**
 * An openssl server on a free port that wants a client certificate below `ca/ca.crt` and answers each line reversed; `args`
 * say what it shows itself.
 */
export async function startTlsServer(tmp: TempFolder, args: string[]): Promise<{ port: string } & AsyncDisposable> {
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", "-rev", ...args],
      ...["-CAfile", "ca/ca.crt", "-Verify", "3", "-verify_return_error"],
    ],
    cwd: tmp.path,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 10 * DEADLINE_MS);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let port: string | undefined;
  while (port === undefined) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`openssl s_server ended: ${text}`);
    text += value;
    port = /ACCEPT .*:(\d+)/.exec(text)?.[1];
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      child.kill("SIGKILL");
      await reader.cancel();
      await child.status;
    },
  };
}

/** Connects, sends a line, and waits for the answer or, when the handshake is refused, for the end. */
export async function talkTls(
  tmp: TempFolder,
  port: string,
  args: string[],
): Promise<{ stdout: string; stderr: string }> {
  const name = args.includes("-verify_hostname") ? [] : ["-verify_hostname", "www.test"];
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", "ca/ca.crt", "-brief"],
      ...["-verify_return_error", "-servername", "www.test", ...name, ...args],
    ],
    cwd: tmp.path,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
  const stderr = new Response(child.stderr).text();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello\n")).catch(() => {});
  let stdout = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += text;
    if (stdout.includes("olleh")) await writer.close().catch(() => {});
  }
  await writer.abort().catch(() => {});
  await child.status;
  clearTimeout(timer);
  return { stdout, stderr: await stderr };
}
