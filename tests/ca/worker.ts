/**
 * One of several processes that work on a CA at the same time: `worker.ts FOLDER WORK ITEM...`, where WORK is `revoke`
 * (items are serials), `crl` (items are ignored, one CRL each) or `issue` (items are common names). Prints a line for each
 * acknowledged item: the serial or the CRL number.
 */
import { findKeyRow } from "../../src/alg/find.ts";
import { generateCrl } from "../../src/ca/crl.ts";
import { issueCertificate } from "../../src/ca/issue.ts";
import { revokeCertificate } from "../../src/ca/revoke.ts";
import { generateSoftwareKey } from "../../src/keys/software.ts";
import { openCa, profileOf, testDeps } from "./support.ts";

const [folder, work, ...items] = Deno.args as [string, string, ...string[]];
const deps = testDeps(Deno.cwd());
await using ca = await openCa(folder, deps);
using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));

for (const item of items) say(await acknowledge(item));

async function acknowledge(item: string): Promise<string> {
  if (work === "revoke") {
    return (await revokeCertificate(ca.store, { serial: item, reason: "superseded" }, deps)).entry.serial;
  }
  if (work === "crl") return (await generateCrl(ca, { days: 7 }, deps)).crl.number!;
  const profile = await profileOf("ec/tls-client", { cn: item });
  return (await issueCertificate(ca, { profile, spki: key.spki }, deps)).serial;
}

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
