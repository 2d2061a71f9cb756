/** Runs `qpki` and kills it at one call to the file system: `fault_shim.ts N ARGUMENT...`; see faults.ts. */
import { processIo } from "../../src/cli/io.ts";
import { main } from "../../src/cli/run.ts";
import { injectFaults } from "./faults.ts";

const [at, ...args] = Deno.args as [string, ...string[]];
injectFaults("kill", Number(at));
Deno.exit(await main(args, processIo(Deno.exit)));
