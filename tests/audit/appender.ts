/** Appends events until it has done so many, or for ever: `appender.ts LOG NAME COUNT`. Prints one line an append. */
import { AuditLog } from "../../src/audit/log.ts";
import { ACTOR } from "./support.ts";

const [path, name, count] = Deno.args as [string, string, string];
const log = new AuditLog(path, { notice: () => {} });
for (let i = 0; count === "0" || i < Number(count); i++) {
  const stamp = { time: new Date().toISOString(), actor: { ...ACTOR, pid: Deno.pid } };
  const head = await log.append([{ event: "test.append", result: "ok", subject: `${name}-${i}` }], stamp);
  await Deno.stdout.write(new TextEncoder().encode(`${head.seq} ${name}-${i}\n`));
}
