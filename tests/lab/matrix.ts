/**
 * The matrix: for one place where keys may be (files or one of the laboratory's tokens), a hierarchy of every family of
 * built-in profiles and a root of every row of the algorithm table that it can serve, each judged by qpki itself, by
 * OpenSSL where it knows the algorithm, and by BouncyCastle.
 */
import assert from "node:assert/strict";
import { findKeyRow, type KeyRow, keyRows, partsOf } from "../../src/alg/find.ts";
import { runJson } from "../support/cli.ts";
import { type Judge, startJudge } from "../support/judge.ts";
import { isSlow } from "../support/back_ends.ts";
import { capabilitiesOf, type LabToken, labToken, type LabTokenName, TOKEN_NEEDS } from "../support/lab.ts";
import { type Need, needs, testWith } from "../support/require.ts";
import { Bench } from "./bench.ts";
import { judgeHierarchy, judgeKem, judgeRoot, judgeSeveral } from "./judges.ts";

/** Where keys are. */
export type Place = "software" | LabTokenName;

/** A profile as `profile list --json` shows it. */
interface ListedProfile {
  name: string;
  mode: "simple" | "catalyst" | "composite";
  algorithms: string[];
  ca: boolean;
}

/** The profiles of one hierarchy. */
interface Family {
  name: string;
  root: ListedProfile;
  issuing: ListedProfile;
  leaf: ListedProfile;
}

/** Families that must be there; others that come to be are taken as they come. */
const FAMILIES = ["ec", "rsa", "ml", "slh", "hybrid/catalyst", "hybrid/composite"];

/** What a token's mechanism list does not tell: curves that it refuses. */
const REFUSED: Readonly<Record<Place, readonly string[]>> = {
  software: [],
  softhsm: [],
  nss: ["brainpool-p256r1", "brainpool-p384r1", "ed448"],
  kryoptic: ["brainpool-p256r1", "brainpool-p384r1"],
  opencryptoki: [],
};

/** Registers the tests of a place. */
export async function registerMatrix(place: Place): Promise<void> {
  const tools: Need[] = ["lab", "openssl-pqc", "bouncycastle", ...place === "software" ? [] : TOKEN_NEEDS[place]];
  if (needs(...tools) !== undefined) return testWith(`${place}: the matrix`, { needs: tools }, () => {});
  const token = place === "software" ? undefined : await labToken(place);
  const cannot = await whyNot(place, token);
  const judge = startJudge();
  Deno.test.afterAll(async () => {
    await judge[Symbol.asyncDispose]();
    token?.[Symbol.dispose]();
  });
  const profiles = (await runJson(["profile", "list"]) as { profiles: ListedProfile[] }).profiles;
  const found = profiles.filter(({ name, ca }) => ca && name.endsWith("/root-ca")).map(({ name }) => name.slice(0, -8));
  for (const name of new Set([...FAMILIES, ...found])) {
    const family = familyOf(name, profiles);
    const { skip, pqcInFiles = false } = typeof family === "string" ? { skip: family } : planFor(family, cannot);
    const where = pqcInFiles ? ", its post-quantum keys in files" : "";
    testWith(`${place}: a hierarchy of ${name}${where}`, { skip }, async () => {
      using bench = new Bench(token, { pqcInFiles });
      await hierarchy(family as Family, bench, judge);
    });
  }
  const mixed = ["ecdsa-p384", "ml-dsa-87", "ml-dsa-65", "ml-kem-768"].map(findKeyRow);
  const skip = mixed.map(cannot).find((reason) => reason !== undefined);
  testWith(`${place}: several profiles make one CA and one credential`, { skip }, async () => {
    using bench = new Bench(token);
    await several(bench, judge);
  });
  const served = keyRows().filter((row) => cannot(row) === undefined);
  for (const row of served) {
    testWith(`${place}: ${row.kind === "kem" ? "a certified key" : "a root"} of ${row.name}`, {}, async () => {
      using bench = new Bench(token);
      await (row.kind === "kem" ? kemKey(row, bench, judge) : root(row, bench, judge));
    });
  }
  const left = Map.groupBy(keyRows().filter((row) => !served.includes(row)), (row) => cannot(row)!);
  for (const [skip, rows] of left) {
    testWith(`${place}: keys of ${rows.map(({ name }) => name).join(", ")}`, { skip }, () => {});
  }
}

/** Why keys of a row cannot be in a place, or undefined. */
async function whyNot(place: Place, token: LabToken | undefined): Promise<(row: KeyRow) => string | undefined> {
  if (!token) {
    // one of them is made, to have the small sets at all
    return (row) => isSlow(row) && !row.name.endsWith("sha2-128s") ? "it takes minutes in software" : undefined;
  }
  const { missingFor } = await capabilitiesOf(token);
  return (row) => {
    const curve = [row.name, row.parts?.classical].find((name) => name && REFUSED[place].includes(name));
    return missingFor(row) ?? (curve && `${place} refuses ${curve}`);
  };
}

function familyOf(name: string, profiles: readonly ListedProfile[]): Family | string {
  const [root, issuing, leaf] = ["root-ca", "issuing-ca", "tls-server"].map((role) =>
    profiles.find((profile) => profile.name === `${name}/${role}` && profile.mode !== undefined)
  );
  return root && issuing && leaf ? { name, root, issuing, leaf } : `its profiles are not all there`;
}

/** Whether a family can be served: wholly, with the post-quantum keys in files, or not at all. */
function planFor(
  family: Family,
  cannot: (row: KeyRow) => string | undefined,
): { skip?: string; pqcInFiles?: boolean } {
  const rows = [family.root, family.issuing, family.leaf].flatMap(rowsOf);
  const lacks = rows.flatMap((row) => {
    const reason = cannot(row);
    return reason === undefined ? [] : [{ row, reason }];
  });
  if (lacks.length === 0) return {};
  const onlyPqc = lacks.every(({ row }) => row.family === "ml-dsa");
  return family.root.mode !== "simple" && onlyPqc ? { pqcInFiles: true } : { skip: lacks[0]!.reason };
}

/** The key rows of a profile's keys, the classical one first. */
function rowsOf(profile: ListedProfile): KeyRow[] {
  return profile.algorithms.flatMap((name) => {
    const row = findKeyRow(name);
    const parts = partsOf(row);
    return parts ? [parts.classical, parts.pqc] : [row];
  });
}

/** Root, issuing CA, a leaf by request and one by enrolment, of which that one is revoked; CRLs of both CAs. */
async function hierarchy(family: Family, bench: Bench, judge: Judge): Promise<void> {
  const { root, issuing, leaf } = family;
  const hybrid = leaf.mode !== "simple";
  const ca = ["ca", "init", "--profile"];
  await bench.qpki(...ca, root.name, "--var", "cn=Root", "-d", "root", ...bench.keyFlags({ label: "root", hybrid }));
  const below = ["--var", "cn=Issuing", "--parent", "root", "-d", "issuing"];
  await bench.qpki(...ca, issuing.name, ...below, ...bench.keyFlags({ label: "issuing", hybrid }));
  const [first, second] = rowsOf(leaf);
  await bench.qpki(
    ...["csr", "gen", "-a", first!.name, "--cn", "www.test", "--dns", "www.test", "--out", "leaf.csr"],
    ...(second ? [leaf.mode === "catalyst" ? "--hybrid" : "--composite", second.name] : []),
    ...bench.requestKeyFlags({ label: "leaf", hybrid }),
  );
  await bench.qpki("cert", "issue", "-d", "issuing", "--profile", leaf.name, "--csr", "leaf.csr", "--out", "leaf.crt");
  const names = ["--var", "cn=mail.test", "--var", "dns_names=mail.test"];
  const enroll = ["credential", "enroll", "mail", "-d", "issuing", "--profile", leaf.name, ...names];
  await bench.qpki(...enroll, ...bench.keyFlags({ label: "mail", hybrid }));
  await bench.qpki("credential", "export", "mail", "--bundle", "cert", "--out", "revoked.crt");
  const meta = JSON.parse(bench.read("credentials/mail/credential.meta.json")) as {
    certificates: { serial: string }[];
  };
  await bench.qpki("cert", "revoke", meta.certificates[0]!.serial, "-d", "issuing", "--gen-crl");
  await bench.qpki("crl", "gen", "-d", "root");
  bench.checkPrivateKeyFiles(hybrid);
  await judgeHierarchy(bench, judge, { openssl: leaf.mode !== "composite", catalyst: leaf.mode === "catalyst" });
}

/** A CA with an EC and an ML-DSA certificate; a credential with certificates by both, one of them for a KEM key. */
async function several(bench: Bench, judge: Judge): Promise<void> {
  const init = ["ca", "init", "--profile", "ec/root-ca", "--profile", "ml/root-ca", "--var", "cn=Root", "-d", "ca"];
  const ca = await made([...init, ...bench.keyFlags({ label: "ca", hybrid: false })]);
  const profiles = ["ml/email-sign", "ml/email-encrypt", "ec/email"].flatMap((name) => ["--profile", name]);
  const names = ["--var", "cn=Alice", "--var", "email=alice@example.test"];
  const enroll = ["credential", "enroll", "alice", "-d", "ca", ...profiles, ...names];
  const alice = await made([...enroll, ...bench.keyFlags({ label: "alice", hybrid: false })]);
  await bench.qpki("crl", "gen", "-d", "ca", "--all");
  bench.checkPrivateKeyFiles(false);
  assert.deepEqual([ca.length, alice.length], [2, 3]);
  await judgeSeveral(bench, judge, { ca, leaves: alice, kem: alice[1]! });

  async function made(args: string[]): Promise<string[]> {
    return (JSON.parse(await bench.qpki(...args, "--json")) as { certificates: { path: string }[] }).certificates.map((
      { path },
    ) => path);
  }
}

/** A root of a row, its CRL, and a request by another such key. */
async function root(row: KeyRow, bench: Bench, judge: Judge): Promise<void> {
  const hybrid = row.parts !== undefined;
  bench.write("row.yaml", rowProfile(row));
  await bench.qpki("ca", "init", "--profile", "row.yaml", "-d", "ca", ...bench.keyFlags({ label: "ca", hybrid }));
  const { active, versions } = JSON.parse(bench.read("ca/ca.meta.json"));
  assert.deepEqual(versions[active].algos, [row.name]);
  await bench.qpki("crl", "gen", "-d", "ca");
  const request = ["csr", "gen", "-a", row.name, "--cn", "x.test", "--out", "x.csr"];
  await bench.qpki(...request, ...bench.requestKeyFlags({ label: "x", hybrid }));
  bench.checkPrivateKeyFiles(hybrid);
  await judgeRoot(bench, judge, { openssl: !hybrid, catalyst: false });
}

function rowProfile(row: KeyRow): string {
  return [
    ...["name: row", `mode: ${row.parts ? "composite" : "simple"}`, `algorithm: ${row.name}`, "validity: 1y"],
    ...["subject: {cn: Row}", "extensions:", "  basicConstraints: {critical: true, ca: true}"],
    ...["  keyUsage: {critical: true, values: [keyCertSign, cRLSign]}", ""],
  ].join("\n");
}

/** A certificate for a KEM key, asked for with the statement of possession (RFC 9883) by a signature key's holder. */
async function kemKey(row: KeyRow, bench: Bench, judge: Judge): Promise<void> {
  await bench.qpki("ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=CA", "-d", "ca");
  const signature = ["csr", "gen", "-a", "ml-dsa-65", "--cn", "alice", "--keyout", "sign.key", "--out", "sign.csr"];
  await bench.qpki(...signature);
  bench.write("sign.yaml", leafProfile("ml-dsa-65", "digitalSignature"));
  await bench.qpki("cert", "issue", "-d", "ca", "--profile", "sign.yaml", "--csr", "sign.csr", "--out", "sign.crt");
  const attest = ["--attest-cert", "sign.crt", "--attest-key", "sign.key", "--include-cert"];
  const request = ["csr", "gen", "-a", row.name, "--cn", "alice", "--out", "kem.csr", ...attest];
  await bench.qpki(...request, ...bench.requestKeyFlags({ label: "kem", hybrid: false }));
  bench.write("kem.yaml", leafProfile(row.name, "keyEncipherment"));
  const issue = ["cert", "issue", "-d", "ca", "--profile", "kem.yaml", "--csr", "kem.csr", "--out", "kem.crt"];
  await bench.qpki(...issue, "--attest-cert", "sign.crt");
  await judgeKem(row, bench, judge);
}

function leafProfile(algorithm: string, usage: string): string {
  return [
    ...["name: leaf", `algorithm: ${algorithm}`, "validity: 30d", "subject: {cn: alice}", "extensions:"],
    ...[`  keyUsage: {critical: true, values: [${usage}]}`, ""],
  ].join("\n");
}
