import { encodeHex, randomBytes } from "../bytes.ts";
import { UsageError } from "../errors.ts";
import type { AuditActor } from "../audit/event.ts";
import { AuditLog } from "../audit/log.ts";
import { AuditTrail } from "../audit/trail.ts";
import { joinPath } from "../store/layout.ts";
import { AUDIT_LOG, AUDIT_VARIABLE } from "./input.ts";
import type { Io } from "./io.ts";
import { VERSION } from "./version.ts";

/** The audit log that the flag or the environment names, absolute; undefined without one. @throws {UsageError} `usage.audit`. */
export function auditLogPath(given: string | undefined, io: Pick<Io, "env" | "cwd">): string | undefined {
  if (given === "") {
    throw new UsageError(`Cannot use --${AUDIT_LOG.name}: the path is empty`, { code: "usage.audit" });
  }
  const path = given ?? (io.env(AUDIT_VARIABLE) || undefined);
  return path === undefined ? undefined : joinPath(io.cwd, path);
}

/** The trail of one command in the log at `path`. */
export function openTrail(
  path: string,
  command: string,
  { io, notice }: { io: Pick<Io, "env" | "now">; notice(text: string): void },
): AuditTrail {
  return new AuditTrail(new AuditLog(path, { notice }), auditActor(command, io), () => io.now());
}

/** Who runs a command. */
export function auditActor(command: string, { env }: Pick<Io, "env">): AuditActor {
  const uid = Deno.build.os === "windows" ? null : Deno.uid();
  const user = userName(uid) ?? (env("USER") || env("LOGNAME") || env("USERNAME"));
  const login = loginUid();
  return {
    ...(user ? { user } : {}),
    ...(uid === null ? {} : { uid }),
    ...(login === undefined ? {} : { login_uid: login }),
    host: Deno.hostname(),
    pid: Deno.pid,
    tool: `qpki ${VERSION}`,
    command,
    op: encodeHex(randomBytes(8)),
  };
}

/** What the system's own list of users calls a number: unlike the environment nobody can choose it. */
function userName(uid: number | null): string | undefined {
  if (uid === null) return undefined;
  const line = readText("/etc/passwd")?.split("\n").find((one) => one.split(":")[2] === String(uid));
  return line?.split(":")[0];
}

/** Linux keeps who logged in, through su and sudo; a service has none. */
function loginUid(): number | undefined {
  const text = readText("/proc/self/loginuid")?.trim();
  return text !== undefined && /^\d+$/.test(text) && text !== "4294967295" ? Number(text) : undefined;
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
