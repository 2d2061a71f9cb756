/**
 * A log, a checkpoint and a proof checked by somebody else's means: OpenSSL for the signature, and a few lines that follow
 * RFC 8785 and RFC 9162 and share nothing with the program.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { run, runJson, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";
import { SERVER_REQUEST } from "./support.ts";

function sha256(...parts: (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** Root of the tree over some leaves, by the definition (RFC 9162 section 2.1.1). */
function root(leaves: readonly string[]): Uint8Array {
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0]!);
  const left = 2 ** Math.ceil(Math.log2(leaves.length) - 1);
  return sha256(Uint8Array.of(1), root(leaves.slice(0, left)), root(leaves.slice(left)));
}

/** Root that a leaf and its path lead to, top down. */
function rootByPath(leaf: string, { index, size, path }: { index: number; size: number; path: string[] }): Uint8Array {
  if (size === 1) return sha256(Uint8Array.of(0), leaf);
  const left = 2 ** Math.ceil(Math.log2(size) - 1);
  const [rest, top] = [path.slice(0, -1), Uint8Array.fromHex(path.at(-1)!)];
  return index < left
    ? sha256(Uint8Array.of(1), rootByPath(leaf, { index, size: left, path: rest }), top)
    : sha256(Uint8Array.of(1), top, rootByPath(leaf, { index: index - left, size: size - left, path: rest }));
}

testWith("others can check a log, a checkpoint and a proof", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { PKI_AUDIT_LOG: "audit.jsonl" } };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Würzburg €", "--ca-dir", "ca"], at);
  await runOk(SERVER_REQUEST, at);
  const issue = ["cert", "issue", "--ca-dir", "ca", "--profile", "ec/tls-server", "--csr", "s.csr", "--out"];
  const { serial } = await runJson([...issue, "s.crt"], at) as { serial: string };
  await runOk([...issue, "other.crt"], at);
  await runOk(["key", "pub", "--key", "s.key", "--out", "s.pub"], at);
  await runOk(["audit", "checkpoint", "--key", "s.key", "--out", "cp.json"], at);
  await runOk(["audit", "proof", "--serial", serial, "--checkpoint", "cp.json", "--out", "proof.json"], at);

  const lines = tmp.read("audit.jsonl").trimEnd().split("\n");
  let prev = "0".repeat(64);
  for (const [i, line] of lines.entries()) {
    const event = JSON.parse(line);
    assert.equal(event.seq, i + 1);
    assert.equal(event.prev, prev);
    // members are sorted and there is no white space: taking one out leaves canonical JSON
    assert.equal(sha256(line.replace(`"hash":"${event.hash}",`, "")).toHex(), event.hash);
    prev = event.hash;
  }

  const { signature, ...statement } = JSON.parse(tmp.read("cp.json"));
  assert.equal(root(lines.slice(0, statement.seq)).toHex(), statement.root);
  assert.equal(JSON.parse(lines[statement.seq - 1]!).hash, statement.hash);
  const sorted = Object.keys(statement).sort().map((name) =>
    `${JSON.stringify(name)}:${JSON.stringify(statement[name])}`
  );
  tmp.write("message", `qpki audit checkpoint v1\n{${sorted.join(",")}}`);
  tmp.write("signature", Uint8Array.fromBase64(signature.value));
  const judged = await run(
    "openssl",
    ["dgst", "-sha256", "-verify", "s.pub", "-signature", "signature", "message"],
    at,
  );
  assert.equal(judged.stdout, "Verified OK\n");

  const proof = JSON.parse(tmp.read("proof.json"));
  assert.equal(proof.tree_size, statement.seq);
  const [{ event, path }] = proof.events;
  const text = (value: unknown): string =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? `{${Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => `"${k}":${text(v)}`).join(",")}}`
      : JSON.stringify(value);
  assert.equal(event.serial, serial);
  assert.equal(event.certificate_sha256, await fingerprintOf("s.crt", at));
  assert.equal(text(event), lines[event.seq - 1]);
  assert.equal(rootByPath(text(event), { index: event.seq - 1, size: proof.tree_size, path }).toHex(), statement.root);
  assert.ok(tmp.read("proof.json").length < 4_000);
});

async function fingerprintOf(file: string, at: { cwd: string }): Promise<string> {
  const { stdout } = await run("openssl", ["x509", "-in", file, "-noout", "-fingerprint", "-sha256"], at);
  return stdout.trim().replace(/^.*=/, "").replaceAll(":", "").toLowerCase();
}
