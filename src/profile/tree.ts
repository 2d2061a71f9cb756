import type { Position } from "./types.ts";

/** A value read from YAML with its place: what the schema works on, so that it needs no YAML library. */
export type Located = LocatedMap | LocatedList | LocatedScalar;

/** One key of a mapping. */
export interface LocatedEntry {
  readonly key: string;
  readonly at: Position;
  readonly value: Located;
}

/** A mapping; keys may repeat, the schema complains. */
export interface LocatedMap {
  readonly kind: "map";
  readonly at: Position;
  readonly entries: readonly LocatedEntry[];
}

/** A sequence. */
export interface LocatedList {
  readonly kind: "list";
  readonly at: Position;
  readonly items: readonly Located[];
}

/** A scalar: its value by the YAML core schema, and its text as written (`01234` stays `01234`). */
export interface LocatedScalar {
  readonly kind: "scalar";
  readonly at: Position;
  readonly value: string | number | boolean | null;
  readonly text: string;
}

/** Whether nothing was written after a key. */
export function isEmpty(node: Located): boolean {
  return node.kind === "scalar" && node.value === null;
}

/** What a node is, for messages. */
export function describeNode(node: Located): string {
  if (node.kind === "map") return "a mapping";
  if (node.kind === "list") return "a list";
  if (node.value === null) return "empty";
  return typeof node.value === "string" ? "text" : typeof node.value === "number" ? "a number" : "a boolean";
}

/** Plain values of a tree; mappings become records without a prototype, text that looks like a number stays text. */
export function plainValue(node: Located): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plainValue);
  const out: Record<string, unknown> = Object.create(null);
  for (const entry of node.entries) out[entry.key] = plainValue(entry.value);
  return out;
}
