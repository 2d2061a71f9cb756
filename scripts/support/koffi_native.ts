import { createRequire } from "node:module";
import { resourcePath } from "../../src/resources.ts";

/**
 * Stands in for the package koffi in a built file: its native library alone. The package's own script first finds out
 * which of twenty libraries fits and loads parts of node for that, which takes longer than all else `hsm list` does.
 */
export default createRequire(import.meta.url)(resourcePath("native/koffi.node")) as unknown;
