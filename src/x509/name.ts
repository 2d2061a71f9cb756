/** Door to distinguished names: encoding, text forms, comparison. */
export { attributeName, attributeProblem, attributeType, nameAttribute, stringTypeName } from "./name_attributes.ts";
export { decodeName, encodeName, isEmptyName, readName } from "./name_codec.ts";
export { isWithin, nameKey, sameName } from "./name_match.ts";
export { commonName, formatName, formatOneLine, nameJson, parseNameText } from "./name_text.ts";
