import { type KeyRow, keyRows, lookUpKeyRow, schemeRows, type SchemeWish } from "../alg/find.ts";
import type { HashName, KeyAlgorithmName } from "../alg/registry.ts";
import { shorten } from "../bytes.ts";
import { suggest } from "../errors.ts";
import { modeMistake } from "./modes.ts";
import { type Fields, Reader } from "./reader.ts";
import { readExtensions } from "./schema_extensions.ts";
import { readSubject } from "./schema_subject.ts";
import { readVariables } from "./schema_variables.ts";
import type { Located } from "./tree.ts";
import { type ParsedProfile, ProfileError, type ProfileMode, type Template } from "./types.ts";
import { durationSeconds } from "./values.ts";

const KEYS = [
  ...["name", "description", "mode", "algorithm", "algorithms", "signature", "validity"],
  ...["variables", "subject", "extensions"],
];
const MODES: readonly ProfileMode[] = ["simple", "catalyst", "composite"];
const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

/** Whether `text` can name a profile: words of letters, digits, `.`, `_`, `-` between slashes, 100 characters at most. */
export function isProfileName(text: string): boolean {
  return text.length <= 100 && PROFILE_NAME.test(text);
}

/**
 * The profile that a located tree describes.
 * @throws {ProfileError} with every mistake.
 */
export function readProfile(tree: Located, file: string, text: string): ParsedProfile {
  const reader = new Reader();
  const top = reader.fields(tree, "", { keys: KEYS });
  if (!top || tree.kind !== "map") {
    throw new ProfileError("profile", file, [{ ...tree.at, message: "the file must be a mapping of profile keys" }]);
  }
  reader.variables = readVariables(reader, top.node("variables"));
  const profile = {
    name: readName(top),
    description: top.text("description") ?? "",
    ...readAlgorithms(reader, top),
    ...readSignature(top),
    validity: readValidity(reader, top),
    variables: reader.variables,
    subject: readSubject(reader, top.node("subject")),
    extensions: readExtensions(reader, top.node("extensions")),
    positions: reader.positions,
    file,
    text,
  };
  if (reader.mistakes.length > 0) throw new ProfileError("profile", file, reader.mistakes);
  return profile;
}

function readName(top: Fields): string {
  top.require("name");
  const name = top.text("name") ?? "";
  if (top.has("name") && name !== "" && !isProfileName(name)) {
    top.complainValue(
      "name",
      `"${shorten(name)}" cannot name a profile: letters, digits, ".", "_", "-" and "/" between`,
    );
  }
  return name;
}

function readAlgorithms(reader: Reader, top: Fields): { mode: ProfileMode; algorithms: KeyAlgorithmName[] } {
  const mode = top.choice("mode", MODES) ?? "simple";
  const key = top.has("algorithms") && !top.has("algorithm") ? "algorithms" : "algorithm";
  if (top.has("algorithm") && top.has("algorithms")) {
    top.complain("algorithms", `"algorithm" and "algorithms" are both stated`);
  }
  top.require(key);
  const items = top.items(key);
  const rows: KeyRow[] = [];
  for (const item of items) {
    const text = reader.text(item.node, item.path);
    if (text === undefined) continue;
    const row = lookUpKeyRow(text);
    if (row) rows.push(row);
    else reader.complain(item.node.at, `${item.path}: unknown algorithm "${shorten(text)}" (${algorithmHint(text)})`);
  }
  const mistake = top.has(key) && rows.length === items.length ? modeMistake(mode, rows) : undefined;
  if (mistake) {
    const item = mistake.at === undefined ? undefined : items[mistake.at];
    if (item) reader.complain(item.node.at, `${item.path}: ${mistake.message}`);
    else top.complainValue(key, mistake.message);
  }
  return { mode, algorithms: rows.map((row) => row.name) };
}

function algorithmHint(text: string): string {
  const names = keyRows().map((row) => row.name);
  const near = suggest(text, names);
  return near ? `did you mean "${near}"?` : `known: ${names.join(", ")}`;
}

/** The scheme the issuer must use: names and hashes are those of the table. */
function readSignature(top: Fields): { signature?: SchemeWish } {
  const fields = top.fields("signature", { keys: ["scheme", "hash", "pss"] });
  if (!fields) return {};
  const rows = schemeRows();
  const scheme = fields.choice("scheme", [...new Set(rows.map((row) => row.profileScheme))]);
  const hash = readHash(fields, "hash");
  const pss = fields.fields("pss", { keys: ["salt_length", "mgf"], older: { saltLength: "salt_length" } });
  const salt = pss?.integer("salt_length", { min: -1, max: 512 });
  const mgf = pss && readHash(pss, "mgf");
  const wish: SchemeWish = {
    ...(scheme === undefined ? {} : { scheme }),
    ...(hash === undefined ? {} : { hash }),
    ...(salt === undefined || salt < 0 ? {} : { saltBytes: salt }),
  };
  if (mgf && hash && mgf !== hash) pss.complainValue("mgf", "the hash of MGF1 must be the hash of the signature");
  const fits = rows.some((row) =>
    (wish.scheme === undefined || row.profileScheme === wish.scheme) &&
    (wish.hash === undefined || row.hash === wish.hash) &&
    (wish.saltBytes === undefined || row.saltBytes === wish.saltBytes) &&
    (!pss || row.saltBytes !== undefined)
  );
  if (!fits) top.complain("signature", "no signature scheme has this combination of scheme, hash and pss");
  return { signature: wish };
}

function readHash(fields: Fields, key: string): HashName | undefined {
  const text = fields.text(key);
  if (text === undefined) return undefined;
  const hashes = [...new Set(schemeRows().map((row) => row.hash).filter((hash) => hash !== null))];
  const flat = text.replaceAll("-", "").toLowerCase();
  const found = hashes.find((hash) => hash.replaceAll("-", "").toLowerCase() === flat);
  if (!found) {
    const known = hashes.map((hash) => hash.replaceAll("-", "").toLowerCase()).join(", ");
    fields.complainValue(key, `${fields.path(key)}: unknown hash "${shorten(text)}" (known: ${known})`);
  }
  return found;
}

function readValidity(reader: Reader, top: Fields): Template {
  top.require("validity");
  const template = top.template("validity");
  if (!template) return { text: "", variables: [] };
  const odd = template.variables.find((name) => !["duration", "string"].includes(reader.variables[name]!.type));
  if (odd !== undefined) {
    top.complainValue(
      "validity",
      `validity needs a variable of type duration, and "${odd}" is ${reader.variables[odd]!.type}`,
    );
  } else if (template.variables.length === 0) {
    const seconds = durationSeconds(template.text);
    if (typeof seconds === "string") top.complainValue("validity", `validity: ${seconds}`);
  }
  return template;
}
