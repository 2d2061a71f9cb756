import assert from "node:assert/strict";
import { tempFolder } from "../../tests/support/tmp.ts";
import { findModules, parseModuleFile, usualPlaces } from "./hsm_modules.ts";

Deno.test("p11-kit's files are read, later folders override, each library is told once", async () => {
  using tmp = tempFolder();
  const one = tmp.write("lib/one.so", "");
  const two = tmp.write("libs/two.so", "");
  tmp.write("system/one.module", `# a comment\nmodule: ${one}\npriority: 1\n`);
  tmp.write("system/again.module", `module: ${one}\n`);
  tmp.write("system/two.module", "module: two.so\n");
  tmp.write("system/absent.module", "module: /nonexistent.so\n");
  tmp.write("system/other.module", `module: ${two}\nenable-in: firefox\n`);
  tmp.write("system/off.module", `module: ${two}\ndisable-in: firefox, qpki\n`);
  tmp.write("system/gone.module", `module: ${two}\n`);
  tmp.write("system/note.txt", `module: ${two}\n`);
  tmp.write("user/gone.module", "module:\n");
  tmp.write("user/one.module", "priority: 2\n");
  const found = await findModules({
    folders: [tmp.join("system"), tmp.join("user"), tmp.join("absent")],
    libraryFolders: [tmp.join("nowhere"), tmp.join("libs")],
  });
  const ours = found.filter((module) => module.path.startsWith(tmp.path));
  assert.deepEqual(ours.map((module) => module.path), [one, two]);
  assert.deepEqual(ours.map((module) => module.source), [
    tmp.join("system/again.module"),
    tmp.join("system/two.module"),
  ]);
});

Deno.test("settings are lines of key and value", () => {
  assert.deepEqual([...parseModuleFile("a: b:c \n\n #x: y\n z\nx-y:\n")], [["a", "b:c"], ["x-y", ""]]);
});

Deno.test("the user's folder counts only where there is one", () => {
  assert.ok(usualPlaces("/home/u").folders.includes("/home/u/.config/pkcs11/modules"));
  assert.ok(!usualPlaces(undefined).folders.some((folder) => folder.includes("undefined")));
});
