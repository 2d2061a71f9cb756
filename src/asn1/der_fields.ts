import { InputError } from "../errors.ts";
import type { DerNode } from "./der_read.ts";
import { expectSequence } from "./der_values.ts";

/** The fields of a SEQUENCE taken one after the other, as an ASN.1 module lists them. */
export class DerFields {
  readonly #parts: readonly DerNode[];
  readonly #what: string;
  readonly #offset: number;
  #at = 0;

  /** @throws {InputError} `der.invalid` when `node` is no SEQUENCE; `what` names it in messages. */
  constructor(node: DerNode | undefined, what: string) {
    this.#parts = expectSequence(node, what);
    this.#what = what;
    this.#offset = node!.offset;
  }

  /** The next field. @throws {InputError} when there is none. */
  next(name: string): DerNode {
    const node = this.#parts[this.#at];
    if (!node) throw this.#error(`${this.#what} lacks ${name}`);
    this.#at++;
    return node;
  }

  /** The next field if it is of universal type `tag`. */
  optional(tag: number): DerNode | undefined {
    return this.#parts[this.#at]?.is(tag) ? this.#parts[this.#at++] : undefined;
  }

  /** The next field if it is tagged `[n]`. */
  optionalContext(n: number): DerNode | undefined {
    return this.#parts[this.#at]?.isContext(n) ? this.#parts[this.#at++] : undefined;
  }

  /** The next field without taking it. */
  peek(): DerNode | undefined {
    return this.#parts[this.#at];
  }

  /** Checks that nothing is left. @throws {InputError} when something is. */
  end(): void {
    const extra = this.#parts[this.#at];
    if (extra) throw this.#error(`${this.#what} has an unexpected ${extra.name}`, extra.offset);
  }

  #error(reason: string, offset = this.#offset): InputError {
    return new InputError(`Cannot read DER at offset ${offset}: ${reason}`, { code: "der.invalid", offset });
  }
}
