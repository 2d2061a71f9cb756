/** Whether an environment variable can have this name; asking the system for another one is an error. */
export function isVariableName(name: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[^=\x00]+$/.test(name);
}
