import { resourcePath } from "../../src/resources.ts";

/** What of node's `process` is used here; importing "node:process" or "node:module" would load more. */
interface NodeProcess {
  dlopen(module: { exports: unknown }, path: string): void;
}

const addon = { exports: {} as unknown };
(globalThis as unknown as { process: NodeProcess }).process.dlopen(addon, resourcePath("native/koffi.node"));

/**
 * Stands in for the package koffi in a built file: its native library alone. The package's own script first finds out
 * which of twenty libraries fits and loads parts of node for that, which takes longer than all else `hsm list` does.
 */
export default addon.exports;
