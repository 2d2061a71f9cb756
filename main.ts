import { processIo } from "./src/cli/io.ts";
import { main } from "./src/cli/run.ts";

Deno.exit(await main(Deno.args, processIo(Deno.exit)));
