/** Rows 5, 6 and 10 of the regression list: many processes on one CA, and processes that are killed. */
import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import { issueBatch } from "../../src/ca/issue.ts";
import { generateSoftwareKey } from "../../src/keys/software.ts";
import { CaStore } from "../../src/store/ca.ts";
import { readJournal } from "../../src/store/journal_read.ts";
import { readCrl } from "../../src/x509/crl.ts";
import { ROOT, run } from "../support/cli.ts";
import { tempFolder } from "../support/tmp.ts";
import { makeCa, openCa, profileOf, testDeps } from "./support.ts";

const WORKER = `${ROOT}/tests/ca/worker.ts`;

function workerArgs(folder: string, work: string, items: readonly string[]): string[] {
  return ["run", "-A", "--no-check", WORKER, folder, work, ...items];
}

async function startWorker(folder: string, work: string, items: readonly string[]): Promise<string[]> {
  const result = await run(Deno.execPath(), workerArgs(folder, work, items), { cwd: ROOT });
  assert.equal(result.code, 0, result.stderr);
  return result.stdout.trim().split("\n");
}

/** A CA with `count` certificates; returns their serials. */
async function caWithCertificates(cwd: string, folder: string, count: number): Promise<string[]> {
  const deps = testDeps(cwd);
  await makeCa(folder, deps, { profileName: "ec/issuing-ca", given: { cn: "Busy" } });
  await using ca = await openCa(folder, deps);
  using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
  const profile = await profileOf("ec/tls-client", { cn: "leaf" });
  const requests = Array.from({ length: count }, () => ({ profile, spki: key.spki }));
  return (await issueBatch(ca, requests, { deps, parallel: 8, batch: 25 })).map((certificate) => certificate.serial);
}

Deno.test("regression 5 and 6: parallel revocations, issues and CRLs lose nothing and repeat no number", async () => {
  using tmp = tempFolder();
  const folder = tmp.join("ca");
  const serials = await caWithCertificates(tmp.path, folder, 64);
  const [PROCESSES, EACH] = [8, 5];
  const share = (i: number) => serials.slice(i * EACH, (i + 1) * EACH);
  const revoking = Array.from({ length: PROCESSES }, (_, i) => startWorker(folder, "revoke", share(i)));
  const listing = Array.from({ length: 4 }, () => startWorker(folder, "crl", ["1", "2", "3", "4", "5", "6"]));
  const issuing = Array.from({ length: 2 }, (_, i) => startWorker(folder, "issue", ["a", "b", "c"].map((n) => n + i)));
  const revoked = (await Promise.all(revoking)).flat();
  const numbers = (await Promise.all(listing)).flat();
  const issued = (await Promise.all(issuing)).flat();

  const entries = await (await CaStore.open(folder)).entries();
  assert.equal(entries.length, serials.length + issued.length);
  assert.deepEqual(
    entries.filter((entry) => entry.revocation).map((entry) => entry.serial).sort(),
    revoked.toSorted(),
  );
  assert.equal(revoked.length, PROCESSES * EACH);
  for (const serial of issued) assert.ok(entries.some((entry) => entry.serial === serial), `lost ${serial}`);
  const values = numbers.map((number) => parseInt(number, 16)).sort((a, b) => a - b);
  assert.deepEqual(values, Array.from({ length: 24 }, (_, i) => i + 1));
  assert.equal(parseInt(tmp.read("ca/crlnumber"), 16), 25);
  assert.equal(readCrl(Deno.readFileSync(`${folder}/crl/ca.crl`)).number, "18");
  await checkJournal(folder, entries.map(({ serial }) => serial));
});

/** The journal is one chain without open ends, and every certificate was intended before it was signed. */
async function checkJournal(folder: string, serials: readonly string[]): Promise<void> {
  const intended = new Set<string>();
  let open: number | undefined;
  for await (const { record } of readJournal(folder)) {
    if (record.state === "intent") { for (const { serial } of record.certificates ?? []) intended.add(serial); }
    open = record.open?.length;
  }
  assert.equal(open, undefined);
  for (const serial of serials) assert.ok(intended.has(serial), `${serial} was signed without an intent`);
}

Deno.test("regression 10: killed while issuing, the CA keeps all that was acknowledged and goes on", async () => {
  using tmp = tempFolder();
  const folder = tmp.join("ca");
  await caWithCertificates(tmp.path, folder, 1);
  const acknowledged: string[] = [];
  for (const delay of [150, 230, 310, 420, 600]) {
    const child = new Deno.Command(Deno.execPath(), {
      args: workerArgs(folder, "issue", Array.from({ length: 500 }, (_, i) => `n${i}`)),
      cwd: ROOT,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    setTimeout(() => child.kill("SIGKILL"), delay);
    const { stdout } = await child.output();
    const text = new TextDecoder().decode(stdout);
    // only whole lines were acknowledged
    acknowledged.push(...text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter((line) => line !== ""));
  }
  const entries = await (await CaStore.open(folder)).entries();
  const known = new Set(entries.map((entry) => entry.serial));
  for (const serial of acknowledged) assert.ok(known.has(serial), `lost ${serial}`);
  for (const serial of known) assert.ok(Deno.statSync(`${folder}/issued/${serial}.pem`).isFile);
  assert.equal((await startWorker(folder, "issue", ["after"])).length, 1);
  await checkJournal(folder, [...known]);
});

/** Whole lines are what was acknowledged. */
async function killedWorker(folder: string, work: string, items: readonly string[], delay: number): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: workerArgs(folder, work, items),
    cwd: ROOT,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), delay);
  const text = new TextDecoder().decode((await child.output()).stdout);
  clearTimeout(timer);
  return text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter((line) => line !== "");
}

Deno.test("killed at random moments, several at a time: nothing acknowledged is lost, no number comes twice", async () => {
  using tmp = tempFolder();
  const folder = tmp.join("ca");
  const rounds = Number(Deno.env.get("QPKI_KILLS") ?? "8");
  const serials = await caWithCertificates(tmp.path, folder, rounds * 20);
  const issued: string[] = [...serials];
  const revoked: string[] = [];
  const numbers: string[] = [];
  const moment = () => 150 + Math.floor(Math.random() * 500);
  for (let round = 0; round < rounds; round++) {
    const names = Array.from({ length: 300 }, (_, i) => `r${round}-${i}`);
    const [a, b, c] = await Promise.all([
      killedWorker(folder, "issue", names, moment()),
      killedWorker(folder, "revoke", serials.slice(round * 20, round * 20 + 20), moment()),
      killedWorker(folder, "crl", names, moment()),
    ]);
    issued.push(...a);
    revoked.push(...b);
    numbers.push(...c);
    // readers at once, without anything having been set right
    await (await CaStore.open(folder)).entries();
  }
  numbers.push(...await startWorker(folder, "crl", ["last"]));
  await startWorker(folder, "issue", ["last"]);
  const entries = await (await CaStore.open(folder)).entries();
  const known = new Set(entries.map(({ serial }) => serial));
  for (const serial of issued) assert.ok(known.has(serial), `lost ${serial}`);
  const inIndex = new Set(entries.filter(({ revocation }) => revocation).map(({ serial }) => serial));
  for (const serial of revoked) assert.ok(inIndex.has(serial), `lost the revocation of ${serial}`);
  assert.equal(new Set(numbers).size, numbers.length, "a CRL number was used twice");
  assert.equal(readCrl(Deno.readFileSync(`${folder}/crl/ca.crl`)).revoked.length, inIndex.size);
  const files = [...Deno.readDirSync(`${folder}/issued`)].map(({ name }) => name.replace(".pem", ""));
  assert.deepEqual(files.sort(), [...known].sort(), "index and issued/ agree");
  await checkJournal(folder, [...known]);
  assert.deepEqual([...Deno.readDirSync(`${folder}/.staging`)], []);
});

Deno.test("readers never see a broken index while others write", async () => {
  using tmp = tempFolder();
  const folder = tmp.join("ca");
  const serials = await caWithCertificates(tmp.path, folder, 40);
  let writing = true;
  const writers = Promise.all([
    startWorker(folder, "revoke", serials.slice(0, 20)),
    startWorker(folder, "issue", Array.from({ length: 20 }, (_, i) => `r${i}`)),
  ]).finally(() => writing = false);
  const store = await CaStore.open(folder);
  let reads = 0;
  while (writing) {
    assert.ok((await store.entries()).length >= 40);
    reads++;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await writers;
  assert.ok(reads > 10, `${reads} reads`);
  assert.equal((await store.entries()).filter((entry) => entry.revocation).length, 20);
});
