import assert from "node:assert/strict";
import { buildInfo, resourcePath } from "./resources.ts";

Deno.test("a resource is found from source", () => {
  assert.equal(Deno.statSync(resourcePath("deno.json")).isFile, true);
  assert.equal(resourcePath("profiles/ec").endsWith("/profiles/ec"), true);
});

Deno.test("the source tree says that it is the source", () => {
  assert.deepEqual(buildInfo(), { built: "source" });
});
