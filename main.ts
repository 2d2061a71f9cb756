import { processIo } from "./src/cli/io.ts";
import { versionText } from "./src/cli/version.ts";

// nothing else is loaded for the version: every module costs start-up time
if (Deno.args.length === 1 && Deno.args[0] === "--version") {
  await Deno.stdout.write(new TextEncoder().encode(versionText()));
  Deno.exit(0);
}
const { main } = await import("./src/cli/run.ts");
Deno.exit(await main(Deno.args, processIo(Deno.exit)));
