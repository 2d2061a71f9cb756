import { shorten } from "../bytes.ts";
import type { Checked } from "./types.ts";

/**
 * Regular expressions of profiles, matched in time linear in the value (a set of states instead of backtracking), because
 * a profile may come from elsewhere. The language is the common part of RE2 and JavaScript: literals, `.`, classes,
 * groups, alternation, `* + ? {n,m}` (a lazy `?` after them changes nothing), `^ $`, `\d \w \s` and their opposites,
 * `\p{…}`, and `(?i)` at the start. Back-references, look-around and `\b` are refused. The whole value must match.
 */
export interface Pattern {
  readonly source: string;
  /** Whether the whole of `text` matches; texts over 4096 characters never do. */
  matches(text: string): boolean;
  /** A shortest text that matches, of printable ASCII, or undefined when there is none. */
  sample(): string | undefined;
}

type CharTest = (char: string) => boolean;

type Node =
  | { kind: "char"; test: CharTest }
  | { kind: "start" | "end" | "empty" }
  | { kind: "sequence" | "choice"; parts: Node[] }
  | { kind: "repeat"; body: Node; min: number; max: number };

type Instruction =
  | { op: "char"; test: CharTest }
  | { op: "split"; to: readonly number[] }
  | { op: "start" | "end" | "match" };

const MAX_PATTERN = 500;
const MAX_TEXT = 4096;
const MAX_PROGRAM = 4000;
const MAX_DEPTH = 50;

class PatternError extends Error {}

/** A pattern from its text, or why it cannot be used. */
export function compilePattern(source: string): Checked<Pattern> {
  try {
    if (source.length > MAX_PATTERN) throw new PatternError(`longer than ${MAX_PATTERN} characters`);
    const program: Instruction[] = [];
    emit(new PatternParser(source).parse(), program);
    program.push({ op: "match" });
    return { ok: true, value: { source, matches: (text) => run(program, text), sample: () => shortest(program) } };
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return { ok: false, reason: `pattern "${shorten(source, 60)}" is not usable: ${error.message}` };
  }
}

/** Recursive descent over the pattern. */
class PatternParser {
  #chars: string[];
  #at = 0;
  #depth = 0;
  #flags = "u";

  constructor(source: string) {
    const body = source.startsWith("(?i)") ? source.slice(4) : source;
    if (body !== source) this.#flags = "ui";
    this.#chars = [...body];
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw new PatternError("unmatched )");
    return node;
  }

  #choice(): Node {
    if (++this.#depth > MAX_DEPTH) throw new PatternError("nested too deeply");
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? parts[0]! : { kind: "choice", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#chars.length && this.#peek() !== "|" && this.#peek() !== ")") parts.push(this.#repeated());
    return { kind: "sequence", parts };
  }

  #repeated(): Node {
    let node = this.#atom();
    for (let bounds = this.#quantifier(); bounds; bounds = this.#quantifier()) {
      if (node.kind === "start" || node.kind === "end" || node.kind === "repeat") {
        throw new PatternError("nothing to repeat");
      }
      node = { kind: "repeat", body: node, ...bounds };
    }
    return node;
  }

  #quantifier(): { min: number; max: number } | undefined {
    const bounds = this.#bounds();
    if (bounds) this.#take("?");
    return bounds;
  }

  #bounds(): { min: number; max: number } | undefined {
    if (this.#take("*")) return { min: 0, max: Infinity };
    if (this.#take("+")) return { min: 1, max: Infinity };
    if (this.#take("?")) return { min: 0, max: 1 };
    const match = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#chars.slice(this.#at, this.#at + 12).join(""));
    if (!match) return undefined;
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === "" ? Infinity : Number(match[3]);
    if (min > 1000 || (max !== Infinity && max > 1000)) throw new PatternError("more than 1000 repetitions");
    if (max < min) throw new PatternError("a range of repetitions that goes backwards");
    return { min, max };
  }

  #atom(): Node {
    const char = this.#chars[this.#at++]!;
    if (char === "(") return this.#group();
    if (char === "[") return this.#class();
    if (char === "\\") return this.#escape();
    if (char === "^") return { kind: "start" };
    if (char === "$") return { kind: "end" };
    if (char === ".") return { kind: "char", test: (c) => c !== "\n" && c !== "\r" };
    if (char === "*" || char === "+" || char === "?") throw new PatternError("nothing to repeat");
    return this.#literal(char);
  }

  #group(): Node {
    if (this.#take("?")) {
      const head = /^(:|P?<[A-Za-z_][A-Za-z0-9_]*>)/.exec(this.#chars.slice(this.#at).join(""));
      if (!head) throw new PatternError("look-around and inline flags are not supported, except (?i) at the start");
      this.#at += head[0].length;
    }
    const node = this.#choice();
    if (!this.#take(")")) throw new PatternError("missing )");
    return node;
  }

  #class(): Node {
    let text = "[";
    if (this.#take("^")) text += "^";
    if (this.#peek() === "]") throw new PatternError("an empty class");
    for (;;) {
      const char = this.#chars[this.#at++];
      if (char === undefined) throw new PatternError("missing ]");
      if (char === "]") return { kind: "char", test: this.#regExpTest(`${text}]`) };
      if (char === "[" && this.#peek() === ":") throw new PatternError("[:name:] classes are not supported");
      text += char === "\\" ? this.#classEscape() : char === "[" ? "\\[" : char;
    }
  }

  #classEscape(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new PatternError("a backslash at the end");
    return /[\^\-\]\\/.|?*+(){}$[dDwWsSpPnrtfvxu]/.test(char) ? `\\${char}` : char;
  }

  #escape(): Node {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new PatternError("a backslash at the end");
    if (char === "A") return { kind: "start" };
    if (char === "z" || char === "Z") return { kind: "end" };
    if (/[0-9]/.test(char)) throw new PatternError("back-references are not supported");
    if (/[dDwWsSnrtfv]/.test(char)) return { kind: "char", test: this.#regExpTest(`\\${char}`) };
    const rest = this.#chars.slice(this.#at, this.#at + 40).join("");
    const long = char === "p" || char === "P"
      ? /^\{[A-Za-z_=]+\}/
      : char === "x"
      ? /^[0-9A-Fa-f]{2}/
      : char === "u"
      ? /^(\{[0-9A-Fa-f]{1,6}\}|[0-9A-Fa-f]{4})/
      : undefined;
    const match = long?.exec(rest);
    if (match) {
      this.#at += match[0].length;
      return { kind: "char", test: this.#regExpTest(`\\${char}${match[0]}`) };
    }
    if (/[A-Za-z]/.test(char)) throw new PatternError(`\\${char} is not supported`);
    return this.#literal(char);
  }

  #literal(char: string): Node {
    if (this.#flags === "ui" && char.toLowerCase() !== char.toUpperCase()) {
      const [lower, upper] = [char.toLowerCase(), char.toUpperCase()];
      return { kind: "char", test: (c) => c === lower || c === upper };
    }
    return { kind: "char", test: (c) => c === char };
  }

  /** A test of one character, by a regular expression that sees only that character; ASCII is tabulated. */
  #regExpTest(text: string): CharTest {
    let regExp: RegExp;
    try {
      regExp = new RegExp(`^(?:${text})$`, this.#flags);
    } catch {
      throw new PatternError(`malformed ${shorten(text, 30)}`);
    }
    const ascii = Array.from({ length: 128 }, (_, code) => regExp.test(String.fromCharCode(code)));
    return (c) => ascii[c.codePointAt(0)!] ?? regExp.test(c);
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #take(char: string): boolean {
    if (this.#chars[this.#at] !== char) return false;
    this.#at++;
    return true;
  }
}

/** Appends the instructions of a node; jumps are absolute. */
function emit(node: Node, program: Instruction[]): void {
  if (program.length > MAX_PROGRAM) throw new PatternError("too many repetitions");
  switch (node.kind) {
    case "empty":
      return;
    case "char":
      program.push({ op: "char", test: node.test });
      return;
    case "start":
    case "end":
      program.push({ op: node.kind });
      return;
    case "sequence":
      for (const part of node.parts) emit(part, program);
      return;
    case "choice":
      emitChoice(node.parts, program);
      return;
    case "repeat":
      emitRepeat(node, program);
  }
}

function emitChoice(parts: readonly Node[], program: Instruction[]): void {
  const split = program.push({ op: "split", to: [] }) - 1;
  const starts: number[] = [];
  const jumps: number[] = [];
  for (const part of parts) {
    starts.push(program.length);
    emit(part, program);
    jumps.push(program.push({ op: "split", to: [] }) - 1);
  }
  program[split] = { op: "split", to: starts };
  for (const jump of jumps) program[jump] = { op: "split", to: [program.length] };
}

function emitRepeat(node: Extract<Node, { kind: "repeat" }>, program: Instruction[]): void {
  for (let i = 0; i < node.min; i++) emit(node.body, program);
  if (node.max === Infinity) {
    const split = program.push({ op: "split", to: [] }) - 1;
    emit(node.body, program);
    program.push({ op: "split", to: [split] });
    program[split] = { op: "split", to: [split + 1, program.length] };
    return;
  }
  const splits: number[] = [];
  for (let i = node.min; i < node.max; i++) {
    splits.push(program.push({ op: "split", to: [] }) - 1);
    emit(node.body, program);
  }
  for (const split of splits) program[split] = { op: "split", to: [split + 1, program.length] };
}

/** Walks all states at once: time is bounded by the text's length times the program's. */
function run(program: readonly Instruction[], text: string): boolean {
  if (text.length > MAX_TEXT) return false;
  const chars = [...text];
  let states = closure(program, [0], 0, chars.length);
  for (const [at, char] of chars.entries()) {
    const next: number[] = [];
    for (const state of states) {
      const instruction = program[state]!;
      if (instruction.op === "char" && instruction.test(char)) next.push(state + 1);
    }
    if (next.length === 0) return false;
    states = closure(program, next, at + 1, chars.length);
  }
  return states.has(program.length - 1);
}

function closure(program: readonly Instruction[], from: readonly number[], at: number, end: number): Set<number> {
  const seen = new Set<number>();
  const todo = [...from];
  while (todo.length > 0) {
    const state = todo.pop()!;
    if (seen.has(state)) continue;
    seen.add(state);
    const instruction = program[state]!;
    if (instruction.op === "split") todo.push(...instruction.to);
    else if ((instruction.op === "start" && at === 0) || (instruction.op === "end" && at === end)) todo.push(state + 1);
  }
  return seen;
}

/** Printable ASCII in the order in which samples prefer it: letters, digits, the rest. */
const PRINTABLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
  .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));

function rank(char: string): number {
  return /[a-z]/.test(char) ? 0 : /[A-Z]/.test(char) ? 1 : /[0-9]/.test(char) ? 2 : 3;
}

/** Breadth first over the states; assertions are taken at face value and the result is checked against them. */
function shortest(program: readonly Instruction[]): string | undefined {
  const seen = new Set<number>();
  let front: { state: number; text: string }[] = [{ state: 0, text: "" }];
  while (front.length > 0) {
    const next: { state: number; text: string }[] = [];
    for (const { state, text } of front) {
      for (const at of closure(program, [state], 0, 0)) {
        if (seen.has(at)) continue;
        seen.add(at);
        const instruction = program[at]!;
        if (instruction.op === "match") return run(program, text) ? text : undefined;
        const char = instruction.op === "char" ? [...PRINTABLE, " "].find((c) => instruction.test(c)) : undefined;
        if (char !== undefined) next.push({ state: at + 1, text: text + char });
      }
    }
    front = next;
  }
  return undefined;
}
