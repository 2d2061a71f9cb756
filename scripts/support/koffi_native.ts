import { resourcePath } from "../../src/resources.ts";

/** What loads a native addon. */
interface Loaders {
  /** Deno's own, below `process.dlopen`. Not a public interface. */
  readonly op_napi_open?: (...args: unknown[]) => unknown;
}

/** The parts of the global scope that this file uses and that have no public types. */
interface Internals {
  readonly Deno: { readonly internal: symbol } & Record<symbol, { readonly core?: { readonly ops?: Loaders } }>;
  readonly process: { dlopen(module: { exports: unknown }, path: string): void };
  reportError(error: unknown): void;
}

/**
 * koffi's native library. Deno's own loader takes 1 ms; `process.dlopen`, the public way to it, first wakes up Deno's
 * node half, which takes 10 ms more, a quarter of `hsm list`. A built file knows which Deno it runs on and is tried before
 * it is handed out, so it may take the short way; where that way has changed, the long one serves.
 */
function loadAddon(path: string): unknown {
  const scope = globalThis as unknown as Internals;
  try {
    const open = scope.Deno[scope.Deno.internal]!.core!.ops!.op_napi_open!;
    const buffer = (memory: ArrayBuffer, offset?: number, length?: number) => new Uint8Array(memory, offset, length);
    return open(path, scope, buffer, scope.reportError, ignore, ignore, ignore, ignore);
  } catch {
    const addon = { exports: {} as unknown };
    scope.process.dlopen(addon, path);
    return addon.exports;
  }
}

/** Hooks for tracing asynchronous calls, which nobody does here. */
function ignore(): void {}

/**
 * Stands in for the package koffi in a built file. The package's own script finds out which of twenty libraries fits, and
 * loads parts of node for that; here there is one.
 */
export default loadAddon(resourcePath("native/koffi.node"));
