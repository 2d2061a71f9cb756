import assert from "node:assert/strict";
import { checkFiles, readFiles, stripComments } from "./check_rooms.ts";

function check(files: Record<string, string>): string[] {
  return checkFiles(new Map(Object.entries(files)));
}

Deno.test("what the table allows passes", () => {
  assert.deepEqual(
    check({
      "main.ts": `import { main } from "./src/cli/run.ts";\nDeno.exit(await main());\n`,
      "src/cli/run.ts":
        `import { x } from "../ca/init.ts";\n/** Runs. */\nexport async function main() {\n  await import("./context.ts");\n}\n`,
      "src/ca/init.ts":
        `import type { Signer } from "../keys/types.ts";\n/** One. */\nexport const a = 1;\nexport const b = 2;\n`,
      "src/keys/types.ts": `import {\n  type A,\n} from "../alg/find.ts";\n/** S. */\nexport interface Signer {}\n`,
      "src/alg/find.ts": `/** A. */\nexport type A = 1;\n// console.log is only spoken of here; so is "koffi"\n`,
      "src/pkcs11/ffi.ts":
        `import koffi from "koffi";\n/** F. */\nexport function f(): void;\nexport function f(): void {}\n`,
      "src/keys/x_test.ts": `import { everything } from "../cli/run.ts";\nconsole.log(everything);\n`,
    }),
    [],
  );
});

Deno.test("each breach is told with its place", () => {
  const table: [string, string, RegExp][] = [
    ["src/alg/a.ts", `import "../keys/types.ts";`, /alg may not import keys/],
    ["src/ca/a.ts", `import { p } from "../pkcs11/provider.ts";`, /ca may not import provider/],
    ["src/ca/a.ts", `const p = await import("../pkcs11/provider.ts");`, /ca may not import provider/],
    ["src/ca/a.ts", `import { p } from "../credential/enroll.ts";`, /ca may not import credential/],
    ["src/x509/a.ts", `import { p } from "../keys/software.ts";`, /x509 may not import software/],
    ["src/x509/a.ts", `export * from "../profile/types.ts";`, /x509 may not import profile/],
    ["src/store/a.ts", `import { p } from "../../drivers/mod.ts";`, /store may not import drivers/],
    ["drivers/a.ts", `import { p } from "../src/pkcs11/session.ts";`, /drivers may not import pkcs11/],
    ["src/keys/a.ts", `import { t } from "../../tests/support/tmp.ts";`, /in no room/],
    ["src/other/a.ts", `import "../bytes.ts";`, /is in no room of the table/],
    ["src/pkcs11/session.ts", `import koffi from "koffi";`, /"koffi" past its door/],
    ["src/ca/a.ts", `await import("@noble/curves/nist.js");`, /past its door/],
    ["src/profile/a.ts", `import { parse } from 'yaml';`, /"yaml" past its door/],
    ["src/cli/a.ts", `import x from "left-pad";`, /"left-pad", which no room may/],
    ["src/ca/a.ts", `\nconsole.log(1);`, /^src\/ca\/a\.ts:2: says console/],
    ["src/cli/output.ts", `Deno.exit(1);`, /says Deno\.exit/],
    ["src/x509/a.ts", `crypto.subtle.digest();`, /says crypto\.subtle/],
    ["src/pkcs11/a.ts", `if (name === "SoftHSM v2") f();`, /a vendor's name/],
    ["src/profile/a.ts", `const url = "http://pki.example.com/ca.crl";`, /a host name/],
    ["src/ca/a.ts", `// a line comment\nexport function undocumented() {}`, /:2: export "undocumented" has no doc/],
    ["src/ca/a.ts", `export const f = (x: number) => x;`, /is an arrow/],
    ["src/ca/a.ts", `let count = 0;`, /mutable state/],
    ["src/ca/newName.ts", ``, /not snake_case/],
  ];
  for (const [path, text, problem] of table) {
    const problems = check({ [path]: text });
    assert.ok(problems.some((line) => problem.test(line)), `${text}\n${problems.join("\n")}`);
  }
});

Deno.test("a cycle of files is found, one of types or of lazy imports is none", () => {
  const cycle = check({
    "src/ca/a.ts": `import "./b.ts";`,
    "src/ca/b.ts": `import "./c.ts";`,
    "src/ca/c.ts": `import "./a.ts";`,
  });
  assert.deepEqual(cycle, ["cycle: src/ca/a.ts -> src/ca/b.ts -> src/ca/c.ts -> src/ca/a.ts"]);
  assert.deepEqual(check({ "src/ca/a.ts": `import "./b.ts";`, "src/ca/b.ts": `import type { A } from "./a.ts";` }), []);
  assert.deepEqual(check({ "src/ca/a.ts": `import "./b.ts";`, "src/ca/b.ts": `f(() => import("./a.ts"));` }), []);
});

Deno.test("comments are told from strings, templates and regular expressions", () => {
  const table: [string, string][] = [
    [`a // b`, `a     `],
    [`a /* b\n c */ d`, `a     \n      d`],
    [`"// no" 'it/*s*/' x`, `"// no" 'it/*s*/' x`],
    ["`// no ${x}` // yes", "`// no ${x}`       "],
    [`f(/["'\`/]\\/\\*/g) // yes`, `f(/["'\`/]\\/\\*/g)       `],
    [`a / b / c // yes`, `a / b / c       `],
  ];
  for (const [text, expected] of table) assert.equal(stripComments(text), expected);
});

Deno.test("the tree is read", () => {
  const files = readFiles(new URL("..", import.meta.url).pathname.replace(/\/$/, ""));
  assert.ok(files.has("main.ts") && files.has("src/errors.ts") && files.size > 50);
});
