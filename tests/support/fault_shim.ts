/**
 * Runs `qpki` and disturbs it at one call to the file system: `fault_shim.ts MODE N ARGUMENT...`; see faults.ts. The number of
 * calls is the last line of standard error when it was not killed.
 */
import { processIo } from "../../src/cli/io.ts";
import { main } from "../../src/cli/run.ts";
import { type FaultMode, injectFaults } from "./faults.ts";

const [mode, at, ...args] = Deno.args as [FaultMode, string, ...string[]];
const faults = injectFaults(mode, Number(at));
const status = await main(args, processIo(Deno.exit));
Deno.stderr.writeSync(new TextEncoder().encode(`\ncalls: ${faults.calls}\n`));
Deno.exit(status);
