/**
 * What the closest peer gets wrong, as tests of ours; the numbers are rows of the regression list that the project keeps.
 * Rows 14 and 27 need a token that lies, and stand beside the PKCS#11 code, where the fake is.
 */
import assert from "node:assert/strict";
import { describe, qpkiCommand, run, runCli, runJson, runOk, spawnCli } from "../support/cli.ts";
import { findExecutable, testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

interface KeyRow {
  storage: { label?: string; key_id?: string };
}

async function keysIn(token: SoftHsmToken): Promise<KeyRow[]> {
  const data = await runJson(["key", "list", "--hsm-config", token.hsmYaml()], { env: token.env });
  return (data as { keys: KeyRow[] }).keys;
}

function generate(token: SoftHsmToken, label: string, algorithm = "ecdsa-p256"): string[] {
  return ["key", "generate", "-a", algorithm, "--hsm-config", token.hsmYaml(), "--key-label", label];
}

testWith("regression 1: the built file reaches an HSM", { needs: ["binary", "softhsm"] }, async () => {
  using token = softhsmToken();
  const result = await runOk(["hsm", "test", "--hsm-config", token.hsmYaml(), "--json"], { env: token.env });
  const { ok, steps } = JSON.parse(result.stdout) as { ok: boolean; steps: { name: string; ok: boolean }[] };
  assert.ok(ok, result.stdout);
  assert.deepEqual(steps.map(({ name }) => name), ["load", "slot", "login", "session key", "sign", "verify"]);
});

testWith(
  "regression 5 and 6: 8 parallel revocations and 24 parallel CRLs, each its own program",
  { needs: ["openssl"] },
  async () => {
    using tmp = tempFolder();
    const options = { cwd: tmp.path };
    await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca"], options);
    await runOk(["csr", "gen", "-a", "ecdsa-p256", "--keyout", "k", "--cn", "p.example.com", "-o", "p.csr"], options);
    for (let i = 0; i < 8; i++) {
      await runOk(["cert", "issue", "-d", "ca", "--profile", "ec/tls-server", "--csr", "p.csr"], options);
    }
    const { certificates } = await runJson(["cert", "list", "-d", "ca"], options) as {
      certificates: { serial: string }[];
    };
    const revoke = certificates.map(({ serial }) => runOk(["cert", "revoke", "-d", "ca", serial], options));
    const crls = Array.from({ length: 24 }, () => runJson(["crl", "gen", "-d", "ca", "--days", "7"], options));
    await Promise.all(revoke);
    const numbers = (await Promise.all(crls)).map((data) =>
      parseInt(JSON.stringify(data).match(/"number":"(\w+)"/)![1]!, 16)
    );
    assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: 24 }, (_, i) => i + 1));
    await runOk(["crl", "gen", "-d", "ca", "--days", "7"], options);
    const text = (await run("openssl", ["crl", "-in", "ca/crl/ca.crl", "-noout", "-text"], options)).stdout;
    assert.match(text, /X509v3 CRL Number: *\n? *(0x19|25)/);
    assert.deepEqual(
      [...text.matchAll(/Serial Number: (\w+)/g)].map((match) => match[1]).sort(),
      certificates.map(({ serial }) => serial).sort(),
    );
  },
);

testWith("regression 11: a used label is refused before a second key exists", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  await runOk(generate(token, "k1"), { env: token.env });
  // whatever its type: a label alone must select one key
  for (const algorithm of ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"]) {
    const again = await runCli(generate(token, "k1", algorithm), { env: token.env });
    assert.equal(again.code, 3, describe(`key generate -a ${algorithm}`, again));
    assert.match(again.stderr, /a key with label "k1" exists/);
  }
  const csr = ["csr", "gen", "-a", "ecdsa-p256", "--cn", "x", "--hsm-config", token.hsmYaml(), "--key-label", "k1"];
  await runOk(csr, { env: token.env });
  assert.equal((await keysIn(token)).length, 1);
});

testWith("regression 12: ids are random, shared by both halves", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using one = softhsmToken();
  using two = softhsmToken();
  for (const token of [one, two]) await runOk(generate(token, "same"), { env: token.env });
  const [a, b] = [(await keysIn(one))[0]!, (await keysIn(two))[0]!];
  assert.notEqual(a.storage.key_id, b.storage.key_id);
  assert.match(a.storage.key_id!, /^[0-9a-f]{32}$/);
  const listed = await pkcs11Tool(one, ["-O"]);
  assert.equal(listed.match(new RegExp(`ID:\\s+${a.storage.key_id}`, "g"))?.length, 2, listed);
});

testWith("regression 13: a signing key signs and nothing else", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using token = softhsmToken();
  await runOk(generate(token, "ec"), { env: token.env });
  await runOk(generate(token, "rsa", "rsa-2048"), { env: token.env });
  const listed = await pkcs11Tool(token, ["-O"]);
  const usages = [...listed.matchAll(/(Private|Public) Key Object[\s\S]*?Usage:\s+(.*)/g)].map((m) =>
    `${m[1]}: ${m[2]}`
  );
  assert.deepEqual(usages.sort(), ["Private: sign", "Private: sign", "Public: verify", "Public: verify"], listed);
  assert.match(listed, /never extractable/);
});

async function pkcs11Tool(token: SoftHsmToken, args: string[]): Promise<string> {
  const login = ["--module", token.lib, "--token-label", token.label, "--login", "--pin", token.pin];
  const result = await run("pkcs11-tool", [...login, ...args], { env: token.env });
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

testWith("regression 15: mechanisms carry the standard's names", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  const all = (await runOk(["hsm", "mechanisms", "--hsm-config", token.hsmYaml()], { env: token.env })).stdout;
  assert.match(all, /CKM_AES_GCM\b.*0x1087|0x0*1087.*CKM_AES_GCM\b/);
  assert.match(all, /CKM_AES_CTR\b.*0x1086|0x0*1086.*CKM_AES_CTR\b/);
  assert.doesNotMatch(all, /unknown/i);
});

testWith("regression 16: every PIN source works", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const pin = tmp.write("pin", `${token.pin}\n`, 0o600);
  const base = ["type: pkcs11", "pkcs11:", `  lib: ${token.lib}`, `  token: "${token.label}"`];
  const list = (line: string, env: Record<string, string> = {}) =>
    runCli(["key", "list", "--hsm-config", tmp.write("hsm.yaml", [...base, `  ${line}`, ""].join("\n"))], {
      env: { SOFTHSM2_CONF: token.conf, ...env },
    });
  for (
    const [line, env] of [
      ["pin_env: QPKI_PIN", { QPKI_PIN: token.pin }],
      [`pin_file: ${pin}`, {}],
      [`pin_command: [cat, "${pin}"]`, {}],
      ["pin_credential: pin", { CREDENTIALS_DIRECTORY: tmp.path }],
    ] as const
  ) {
    const result = await list(line, env);
    assert.equal(result.code, 0, describe(line, result));
  }
  Deno.chmodSync(pin, 0o644);
  const open = await list(`pin_file: ${pin}`);
  assert.notEqual(open.code, 0, "a PIN file that others can read was taken");
  assert.match(open.stderr, /600/);
});

testWith("regression 16: without a source the PIN is asked for on the terminal, and not shown", {
  needs: ["softhsm"],
  skip: findExecutable("script") === undefined || Deno.build.os !== "linux"
    ? "script (util-linux) is needed"
    : undefined,
}, async () => {
  using token = softhsmToken({ pin: "73519264" });
  const yaml = `${token.folder}/asked.yaml`;
  Deno.writeTextFileSync(yaml, `type: pkcs11\npkcs11:\n  lib: ${token.lib}\n  token: "${token.label}"\n`);
  const words = [...qpkiCommand(), "key", "list", "--hsm-config", yaml].map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command("script", {
    args: ["-qec", words, "/dev/null"],
    env: { SOFTHSM2_CONF: token.conf, TERM: "dumb" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const writer = child.stdin.getWriter();
  let screen = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const asked = screen.includes("PIN of");
    screen += part.value;
    if (!asked && screen.includes("PIN of")) await writer.write(new TextEncoder().encode(`${token.pin}\n`));
  }
  await writer.close().catch(() => {});
  assert.equal((await child.status).code, 0, screen);
  assert.match(screen, /PIN of token "qpki-test": /);
  assert.match(screen, /No keys|LABEL/);
  assert.ok(!screen.includes(token.pin), "the PIN is on the screen");
});

testWith("regression 17: label, serial and slot select the token in every verb", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken({ label: "A" });
  using tmp = tempFolder();
  token.addToken("B");
  const listed = await runJson(["hsm", "list", "--lib", token.lib], { env: token.env }) as {
    modules: { slots: { id: number; token?: { label: string; serial: string } }[] }[];
  };
  const b = listed.modules[0]!.slots.find((slot) => slot.token?.label === "B")!;
  for (const selector of ['token: "B"', `token_serial: "${b.token!.serial}"`, `slot: ${b.id}`]) {
    const lines = ["type: pkcs11", "pkcs11:", `  lib: ${token.lib}`, `  ${selector}`, "  pin_env: HSM_PIN", ""];
    const yaml = tmp.write("hsm.yaml", lines.join("\n"));
    for (const verb of ["info", "test", "mechanisms"]) {
      const result = await runOk(["hsm", verb, "--hsm-config", yaml, "--json"], { env: token.env });
      assert.ok(
        result.stdout.includes(b.token!.serial),
        `hsm ${verb} with ${selector}: ${result.stdout.slice(0, 400)}`,
      );
    }
  }
});

Deno.test("regression 18: an interrupt is 130, handled by us, and leaves nothing", async () => {
  let handled = 0;
  for (const delay of [150, 250, 400, 600, 900, 1400]) {
    using tmp = tempFolder();
    const child = spawnCli(["key", "generate", "-a", "rsa-4096", "--out", tmp.join("k.key")]);
    await new Promise((done) => setTimeout(done, delay));
    try {
      child.kill("SIGINT");
    } catch {
      // it had ended
    }
    const { code, signal, stderr } = await child.output();
    if (code === 0) continue;
    assert.equal(code, 130);
    assert.deepEqual([...Deno.readDirSync(tmp.path)], []);
    // a signal means that it came before the program could listen: 130 by chance
    if (signal !== null) continue;
    handled++;
    assert.match(new TextDecoder().decode(stderr), /^error: Interrupted$/m);
  }
  assert.ok(handled > 0, "no run was interrupted while it worked");
});

Deno.test("regression 19: no private key is overwritten in silence", async () => {
  using tmp = tempFolder();
  const key = tmp.write("mine.key", "precious");
  for (
    const args of [
      ["key", "generate", "-a", "ecdsa-p256", "--out", key],
      ["csr", "gen", "-a", "ecdsa-p256", "--cn", "x", "--keyout", key, "--out", tmp.join("x.csr")],
    ]
  ) {
    const result = await runCli(args);
    assert.equal(result.code, 1, describe(args.join(" "), result));
    assert.equal(tmp.read("mine.key"), "precious");
  }
});

testWith(
  "regression 20 and 21: a certificate holds what was written, and no more",
  { needs: ["openssl"] },
  async () => {
    using tmp = tempFolder();
    const ca = tmp.join("ca");
    await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", ca]);
    const enroll = ["credential", "enroll", "web", "-d", ca, "-c", tmp.join("creds"), "--profile", "ec/tls-server"];
    await runOk([
      ...enroll,
      "--var",
      "cn=a.example.com",
      "--var",
      "dns_names=a.example.com,a.example.com,b.example.com",
    ]);
    const { stdout: pem } = await runOk(["credential", "export", "web", "-c", tmp.join("creds")]);
    const text = (await run("openssl", ["x509", "-noout", "-text"], { stdin: pem })).stdout;
    assert.match(text, /Subject: CN ?= ?a\.example\.com\n/);
    assert.match(text, /Issuer: CN ?= ?Root\n/);
    assert.match(text, /DNS:a\.example\.com, DNS:b\.example\.com\n/);
    assert.doesNotMatch(text, /Key Encipherment|http|ACME|CRL Distribution|Authority Information|Policy/i);
  },
);

testWith("regression 22: OpenSSL reads every private key we write", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  for (const algorithm of ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "ed448", "rsa-2048"]) {
    const key = tmp.join(`${algorithm}.key`);
    await runOk(["key", "generate", "-a", algorithm, "--out", key, "-p", "env:PASS"], {
      env: { PASS: "correct horse" },
    });
    const read = await run("openssl", ["pkey", "-in", key, "-passin", "pass:correct horse", "-noout", "-check"]);
    assert.equal(read.code, 0, `${algorithm}: ${read.stderr}`);
    assert.match(Deno.readTextFileSync(key), /BEGIN ENCRYPTED PRIVATE KEY/);
  }
});

Deno.test("regression 23: every algorithm that the help names makes a key", async () => {
  using tmp = tempFolder();
  const { keyRows } = await import("../../src/alg/find.ts");
  const help = (await runOk(["key", "generate", "--help"])).stdout;
  for (const { name } of keyRows()) {
    assert.ok(help.includes(name), `help does not name ${name}`);
    const data = await runJson(["key", "generate", "-a", name, "--out", tmp.join(`${name}.key`)]);
    assert.equal((data as { algorithm: string }).algorithm, name);
  }
});

Deno.test("regression 25: the list of profiles is stable and says where each comes from", async () => {
  const first = await runOk(["profile", "list"]);
  assert.equal((await runOk(["profile", "list"])).stdout, first.stdout);
  const { profiles } = await runJson(["profile", "list"]) as { profiles: { name: string; source: string }[] };
  assert.deepEqual(profiles.map(({ name }) => name), profiles.map(({ name }) => name).toSorted());
  assert.deepEqual([...new Set(profiles.map(({ source }) => source))], ["default"]);
});

testWith("regression 28: parallel processes on one token all succeed", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const yaml = token.hsmYaml();
  const ca = tmp.join("ca");
  const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", ca];
  await runOk([...init, "--hsm-config", yaml, "--key-label", "root"], { env: token.env });
  await runOk([
    "csr",
    "gen",
    "-a",
    "ecdsa-p256",
    "--keyout",
    tmp.join("k"),
    "--cn",
    "p.example.com",
    "-o",
    tmp.join("p.csr"),
  ]);
  const issue = (i: number) =>
    runCli([
      ...["cert", "issue", "-d", ca, "--profile", "ec/tls-server", "--csr", tmp.join("p.csr")],
      ...["--out", tmp.join(`p${i}.crt`)],
    ], { env: token.env });
  for (let round = 0; round < 6; round++) {
    const results = await Promise.all([0, 1, 2, 3].map((i) => issue(round * 4 + i)));
    for (const result of results) assert.equal(result.code, 0, describe("cert issue", result));
  }
  const { certificates } = await runJson(["cert", "list", "-d", ca]) as { certificates: { serial: string }[] };
  assert.equal(new Set(certificates.map(({ serial }) => serial)).size, 24);
});
