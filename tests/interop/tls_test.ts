import assert from "node:assert/strict";
import { runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

/** Server and client profile, and the profiles of the CAs above them. */
const FAMILIES: readonly [name: string, root: string, issuing: string, server: string, client: string, tls: string][] =
  [
    ["ec", "ec/root-ca", "ec/issuing-ca", "ec/tls-server", "ec/tls-client", "-tls1_3"],
    ["rsa", "rsa/root-ca", "rsa/issuing-ca", "rsa/tls-server", "rsa/tls-client", "-tls1_2"],
    ["rsa-pss", "rsa/root-ca", "rsa/issuing-ca", "rsa-pss/tls-server", "rsa/tls-client", "-tls1_3"],
  ];

const DEADLINE_MS = 15_000;

for (const [name, root, issuing, server, client, version] of FAMILIES) {
  testWith(`TLS with enrolled credentials, both sides verified: ${name}`, { needs: ["openssl"] }, async (t) => {
    using tmp = tempFolder();
    await makePki(tmp, { root, issuing, server, client });
    await using tls = await startServer(tmp, version);

    await t.step("the handshake succeeds and data flows", async () => {
      const said = await talk(tmp, tls.port, [version, ...credential("client")]);
      assert.match(said.stdout, /olleh/, said.stderr);
      assert.match(said.stderr, /Verification: OK/);
      assert.match(said.stderr, /Verified peername: www\.test/);
    });
    await t.step("another host name is refused", async () => {
      const said = await talk(tmp, tls.port, [version, ...credential("client"), "-verify_hostname", "other.test"]);
      assert.doesNotMatch(said.stdout, /olleh/);
      assert.match(said.stderr, /hostname mismatch/i);
    });
    await t.step("a client without a certificate is refused", async () => {
      assert.doesNotMatch((await talk(tmp, tls.port, [version])).stdout, /olleh/);
    });
    await t.step("a server certificate does not pass as a client's", async () => {
      assert.doesNotMatch((await talk(tmp, tls.port, [version, ...credential("server")])).stdout, /olleh/);
    });
    await t.step("a revoked server is refused once the CRL says so", async () => {
      const crl = ["-crl_check", "-CRL", "ica/crl/ca.crl"];
      await runOk(["crl", "gen", "-d", "ica"], { cwd: tmp.path });
      const before = await talk(tmp, tls.port, [version, ...credential("client"), ...crl]);
      assert.match(before.stdout, /olleh/, before.stderr);
      const meta = JSON.parse(tmp.read("credentials/server/credential.meta.json"));
      await runOk(["cert", "revoke", meta.certificates[0].serial, "-d", "ica", "--gen-crl"], { cwd: tmp.path });
      const after = await talk(tmp, tls.port, [version, ...credential("client"), ...crl]);
      assert.doesNotMatch(after.stdout, /olleh/);
      assert.match(after.stderr, /certificate revoked/);
    });
  });
}

interface Profiles {
  root: string;
  issuing: string;
  server: string;
  client: string;
}

async function makePki(tmp: TempFolder, { root, issuing, server, client }: Profiles): Promise<void> {
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", root, "--var", "cn=Root"], at);
  await runOk(["ca", "init", "--profile", issuing, "--var", "cn=Issuing", "--parent", "ca", "-d", "ica"], at);
  const names = ["--var", "cn=www.test", "--var", "dns_names=www.test"];
  await runOk(["credential", "enroll", "server", "-d", "ica", "--profile", server, ...names], at);
  await runOk(["credential", "enroll", "client", "-d", "ica", "--profile", client, "--var", "cn=alice"], at);
  for (const id of ["server", "client"]) {
    await runOk(["credential", "export", id, "--bundle", "cert", "--out", `${id}.pem`], at);
    await runOk(["credential", "export", id, "--bundle", "chain", "--out", `${id}-chain.pem`], at);
    const [key] = [...Deno.readDirSync(tmp.join(`credentials/${id}/versions/v1/keys`))];
    Deno.copyFileSync(tmp.join(`credentials/${id}/versions/v1/keys`, key!.name), tmp.join(`${id}.key`));
  }
}

function credential(id: string): string[] {
  return ["-cert", `${id}.pem`, "-key", `${id}.key`, "-cert_chain", `${id}-chain.pem`];
}

/** An openssl server on a free port that wants a client certificate and answers each line reversed. */
async function startServer(tmp: TempFolder, version: string): Promise<{ port: string } & AsyncDisposable> {
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", version, "-rev", ...credential("server")],
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
async function talk(tmp: TempFolder, port: string, args: string[]): Promise<{ stdout: string; stderr: string }> {
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
