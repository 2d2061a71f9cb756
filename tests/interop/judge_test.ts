/** The judge itself: it accepts what others made, and says no when a bit is flipped. */
import assert from "node:assert/strict";
import { decodeBase64 } from "../../src/bytes.ts";
import { ROOT, run } from "../support/cli.ts";
import { startJudge } from "../support/judge.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

const VECTORS = `${ROOT}/tests/vectors/composite-mldsa.json`;

function vectors(): { tcId: string; x5c: string; s: string }[] {
  try {
    return JSON.parse(Deno.readTextFileSync(VECTORS)).tests;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** A copy with one bit changed, `fromEnd` bytes before the last. */
function flipped(bytes: Uint8Array, fromEnd: number): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1 - fromEnd]! ^= 1;
  return copy;
}

const composites = vectors();
const skip = composites.length === 0 ? `${VECTORS} is not there` : undefined;

testWith("judge: the official composite certificates, and either half changed", {
  needs: ["bouncycastle"],
  skip,
}, async (t) => {
  using tmp = tempFolder();
  await using judge = startJudge();
  for (const { tcId, x5c, s } of composites) {
    await t.step(tcId, async () => {
      const der = decodeBase64(x5c);
      const good = tmp.write(`${tcId}.der`, der);
      const judged = await judge.certificate(good, good);
      assert.equal(judged.error, undefined);
      assert.deepEqual([judged.signature?.valid, judged.names], [true, true], judged.signature?.algorithm);
      assert.deepEqual(await judge.path([good, good]), { valid: true });
      // the signature stands last; of a composite one the classical half is the end, the ML-DSA half the beginning
      for (const fromEnd of [0, decodeBase64(s).length - 100]) {
        const bad = tmp.write(`${tcId}-${fromEnd}.der`, flipped(der, fromEnd));
        const verdict = await judge.certificate(bad, good);
        assert.notEqual(verdict.signature?.valid, true, `${tcId}: accepted with byte -${fromEnd} changed`);
      }
    });
  }
});

testWith("judge: OpenSSL's certificates, CRLs and requests", {
  needs: ["bouncycastle", "openssl-pqc"],
}, async (t) => {
  await using judge = startJudge();
  for (const algorithm of ["ML-DSA-44", "SLH-DSA-SHAKE-128f", "ED448", "EC:P-384", "RSA-PSS"]) {
    await t.step(algorithm, async () => {
      using tmp = tempFolder();
      await opensslCa(tmp.path, algorithm);
      const at = tmp.join;
      const certificate = await judge.certificate(at("leaf.pem"), at("ca.pem"));
      const crl = await judge.crl(at("ca.crl"), at("ca.pem"));
      const csr = await judge.csr(at("leaf.csr"));
      for (const { error, signature } of [certificate, crl, csr]) assert.ok(signature?.valid, error);
      assert.deepEqual([certificate.names, crl.revoked, csr.subject], [true, 1, "CN=leaf"]);
      assert.equal((await judge.path([at("leaf.pem"), at("ca.pem")])).valid, true);
      const revoked = await judge.path([at("leaf.pem"), at("ca.pem")], [at("ca.crl")]);
      assert.equal(revoked.valid, false);
      assert.match(revoked.reason!, /revo(ked|cation)/i);
      const wrong = await judge.certificate(at("leaf.pem"), at("leaf.pem"));
      assert.deepEqual([wrong.names, wrong.signature?.valid ?? false], [false, false]);
      assert.match((await judge.kem(at("leaf.pem"))).error!, /NoSuchAlgorithm/);
    });
  }
});

/** A root, a revoked leaf and its request, and the CRL, by OpenSSL alone. */
async function opensslCa(cwd: string, algorithm: string): Promise<void> {
  const [name, curve] = algorithm.split(":") as [string, string?];
  const key = ["-newkey", name, "-nodes", ...(curve ? ["-pkeyopt", `ec_paramgen_curve:${curve}`] : [])];
  Deno.writeTextFileSync(
    `${cwd}/ca.cnf`,
    "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=default\ndefault_crl_days=7\n",
  );
  Deno.writeTextFileSync(`${cwd}/index.txt`, "");
  Deno.writeTextFileSync(`${cwd}/crlnumber`, "01\n");
  const extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign"];
  const steps = [
    ["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", ...extensions],
    ["req", "-new", ...key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf"],
    ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "leaf.pem", "-days", "5"],
    ["ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-revoke", "leaf.pem"],
    ["ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-gencrl", "-out", "ca.crl"],
  ];
  for (const args of steps) {
    const { code, stderr } = await run("openssl", args, { cwd });
    assert.equal(code, 0, `openssl ${args.join(" ")}: ${stderr}`);
  }
}
