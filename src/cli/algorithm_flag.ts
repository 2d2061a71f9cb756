import { keyRows } from "../alg/find.ts";
import type { Flag } from "./command.ts";

/** Key algorithm. Apart from the other flags: its help needs the table of algorithms, which most commands do without. */
export const ALGORITHM: Flag = {
  name: "algorithm",
  short: "a",
  value: "NAME",
  description: `key algorithm: ${keyRows().map((row) => row.name).join(", ")}`,
  complete: "algorithm",
};
