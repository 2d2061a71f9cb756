import { InputError } from "../errors.ts";
import { type IndexRow, parseIndex } from "../store/index_txt.ts";

/** A database with all that is wrong in it. */
export interface LenientIndex {
  /** Rows that are whole. */
  readonly rows: readonly IndexRow[];
  /** One error a damaged line, with its number, and the text of the line. */
  readonly damaged: readonly { readonly error: InputError; readonly text: string }[];
  /** There is no file, or one that cannot be read. */
  readonly missing?: boolean;
}

/** Most damaged lines that are told one by one. */
const MOST_DAMAGED = 200;

/**
 * Reads a database to its end, whatever is in it: for a check alone. Nothing that works with the index may skip a line.
 */
export function readLenientIndex(text: string, file: string): LenientIndex {
  const lines = text.split("\n");
  const damaged: { error: InputError; text: string }[] = [];
  for (;;) {
    try {
      return { rows: parseIndex(lines.join("\n"), file), damaged };
    } catch (error) {
      if (!(error instanceof InputError) || error.line === undefined || damaged.length >= MOST_DAMAGED) throw error;
      const at = error.line - 1;
      damaged.push({ error, text: lines[at]! });
      // a comment, or for a last line without end no line at all
      lines[at] = at === lines.length - 1 ? "" : "#";
    }
  }
}
