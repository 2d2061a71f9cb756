import assert from "node:assert/strict";
import { runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { startTlsServer, talkTls } from "../support/tls.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

/** Server and client profile, and the profiles of the CAs above them. */
const FAMILIES: readonly [name: string, root: string, issuing: string, server: string, client: string, tls: string][] =
  [
    ["ec", "ec/root-ca", "ec/issuing-ca", "ec/tls-server", "ec/tls-client", "-tls1_3"],
    ["rsa", "rsa/root-ca", "rsa/issuing-ca", "rsa/tls-server", "rsa/tls-client", "-tls1_2"],
    ["rsa-pss", "rsa/root-ca", "rsa/issuing-ca", "rsa-pss/tls-server", "rsa/tls-client", "-tls1_3"],
  ];

for (const [name, root, issuing, server, client, version] of FAMILIES) {
  testWith(`TLS with enrolled credentials, both sides verified: ${name}`, { needs: ["openssl"] }, async (t) => {
    using tmp = tempFolder();
    await makePki(tmp, { root, issuing, server, client });
    await using tls = await startTlsServer(tmp, [version, ...credential("server")]);

    await t.step("the handshake succeeds and data flows", async () => {
      const said = await talkTls(tmp, tls.port, [version, ...credential("client")]);
      assert.match(said.stdout, /olleh/, said.stderr);
      assert.match(said.stderr, /Verification: OK/);
      assert.match(said.stderr, /Verified peername: www\.test/);
    });
    await t.step("another host name is refused", async () => {
      const said = await talkTls(tmp, tls.port, [version, ...credential("client"), "-verify_hostname", "other.test"]);
      assert.doesNotMatch(said.stdout, /olleh/);
      assert.match(said.stderr, /hostname mismatch/i);
    });
    await t.step("a client without a certificate is refused", async () => {
      assert.doesNotMatch((await talkTls(tmp, tls.port, [version])).stdout, /olleh/);
    });
    await t.step("a server certificate does not pass as a client's", async () => {
      assert.doesNotMatch((await talkTls(tmp, tls.port, [version, ...credential("server")])).stdout, /olleh/);
    });
    await t.step("a revoked server is refused once the CRL says so", async () => {
      const crl = ["-crl_check", "-CRL", "ica/crl/ca.crl"];
      await runOk(["crl", "gen", "-d", "ica"], { cwd: tmp.path });
      const before = await talkTls(tmp, tls.port, [version, ...credential("client"), ...crl]);
      assert.match(before.stdout, /olleh/, before.stderr);
      const meta = JSON.parse(tmp.read("credentials/server/credential.meta.json"));
      await runOk(["cert", "revoke", meta.certificates[0].serial, "-d", "ica", "--gen-crl"], { cwd: tmp.path });
      const after = await talkTls(tmp, tls.port, [version, ...credential("client"), ...crl]);
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
