import { DerFields, type DerNode, implicit, sequence, sequenceOf } from "../../asn1/der.ts";
import { OID_CE_NAME_CONSTRAINTS } from "../../asn1/oid.ts";
import type { Bytes } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import type { GeneralName } from "../types.ts";
import { type ExtensionCodec, extensionError, nonEmpty, readContent } from "./codec.ts";
import {
  encodeGeneralName,
  formatGeneralName,
  generalNameJson,
  type ReadGeneralName,
  readGeneralName,
} from "./general_name.ts";

/** Content of nameConstraints as read. */
export interface NameConstraints {
  readonly permitted: readonly ReadGeneralName[];
  readonly excluded: readonly ReadGeneralName[];
}

/** Lists to write. */
export interface WrittenNameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/**
 * nameConstraints, RFC 5280 section 4.2.1.10. `minimum` is 0, the DEFAULT, and left out; a subtree with another minimum or
 * with a maximum, which the profile of the RFC forbids, is refused on reading.
 */
export const nameConstraints: ExtensionCodec<NameConstraints, WrittenNameConstraints> = {
  oid: OID_CE_NAME_CONSTRAINTS,
  encode({ permitted, excluded }) {
    if (permitted.length + excluded.length === 0) throw extensionError("nameConstraints", "it has no name");
    return sequence(...subtrees(0, permitted), ...subtrees(1, excluded));
  },
  decode(der) {
    const fields = new DerFields(readContent(der), "nameConstraints");
    const permitted = fields.optionalContext(0);
    const excluded = fields.optionalContext(1);
    fields.end();
    if (!permitted && !excluded) {
      throw new InputError("Cannot read nameConstraints: it is empty", { code: "extension.invalid" });
    }
    return { permitted: readSubtrees(permitted), excluded: readSubtrees(excluded) };
  },
  show({ permitted, excluded }) {
    return {
      json: { permitted: permitted.map(generalNameJson), excluded: excluded.map(generalNameJson) },
      text: [
        ...permitted.map((name) => `Permitted: ${formatGeneralName(name)}`),
        ...excluded.map((name) => `Excluded: ${formatGeneralName(name)}`),
      ],
    };
  },
};

function subtrees(tag: number, names: readonly GeneralName[]): Bytes[] {
  if (names.length === 0) return [];
  return [implicit(tag, sequenceOf(names.map((name) => sequence(encodeGeneralName(name, "constraint")))))];
}

function readSubtrees(node: DerNode | undefined): ReadGeneralName[] {
  if (!node) return [];
  return nonEmpty(node.children, "GeneralSubtrees").map((subtree) => {
    const fields = new DerFields(subtree, "GeneralSubtree");
    const base = readGeneralName(fields.next("base"), "constraint");
    if (fields.peek() !== undefined) {
      throw new InputError(`Cannot read DER at offset ${subtree.offset}: a GeneralSubtree has a minimum or a maximum`, {
        code: "extension.invalid",
        offset: subtree.offset,
      });
    }
    return base;
  });
}
