/** Door to the DER reader and writers. */
export { derError, type DerLimits, DerNode, readDer } from "./der_read.ts";
export { DerFields } from "./der_fields.ts";
export { TAG, type TagClass, tagName } from "./der_tags.ts";
export * from "./der_values.ts";
export * from "./der_write.ts";
