/**
 * What of Node's library `commander` touches in a built file: an event emitter. The rest is for starting other programs,
 * for printing help and for ending the process, which `src/cli/arguments.ts` never asks for. Node's half of Deno would take
 * 20 ms at each start.
 */
export { EventEmitter } from "eventemitter3";

/** Files, paths, processes: never reached. */
export default {};

/** Used for the width of help texts alone. */
export function stripVTControlCharacters(text: string): string {
  return text;
}
