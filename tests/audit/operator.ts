/**
 * An operator at work: `operator.ts FOLDER SECONDS` runs whole commands on the CA there, one after the other, with its audit
 * log. Prints a line for each that was acknowledged: `issue SERIAL`, `revoke SERIAL`, `crl NUMBER`.
 */
import { runInProcess } from "../support/in_process.ts";

const [cwd, seconds] = Deno.args as [string, string];
const end = Date.now() + Number(seconds) * 1000;
const mine: string[] = [];

async function qpki(...args: string[]): Promise<Record<string, string>> {
  const { status, stdout, stderr } = await runInProcess([
    ...args,
    "--ca-dir",
    "ca",
    "--audit-log",
    "audit.jsonl",
    "--json",
  ], { cwd });
  if (status !== 0) throw new Error(`${args.join(" ")}: exit ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

while (Date.now() < end) {
  const dice = Math.random();
  if (dice < 0.1) {
    say(`crl ${(await qpki("crl", "gen"))["number"]}`);
  } else if (dice < 0.4 && mine.length > 0) {
    const serial = mine.pop()!;
    await qpki("cert", "revoke", serial, "--reason", "superseded");
    say(`revoke ${serial}`);
  } else {
    const { serial } = await qpki("cert", "issue", "--profile", "ec/tls-server", "--csr", "s.csr");
    mine.push(serial!);
    say(`issue ${serial}`);
  }
}
