import assert from "node:assert/strict";
import { tempFolder } from "../../tests/support/tmp.ts";
import { EXIT, TokenError } from "../errors.ts";
import { loadFfi } from "./ffi.ts";

function failure(path: string): TokenError {
  try {
    loadFfi(path);
  } catch (error) {
    assert.ok(error instanceof TokenError, String(error));
    assert.equal(error.exit, EXIT.TOKEN);
    assert.ok(error.hint);
    return error;
  }
  throw new Error(`"${path}" was loaded`);
}

Deno.test("a library that is not there", () => {
  for (const path of ["/no/such/library.so", "libqpki-no-such-library.so"]) {
    const error = failure(path);
    assert.equal(error.code, "module.not_found");
    assert.equal(error.message, `Cannot load PKCS#11 module "${path}": no such library`);
  }
});

Deno.test("a file that is no library, and an empty one", () => {
  using tmp = tempFolder();
  for (const content of ["not a library", ""]) {
    const path = tmp.write("x.so", content);
    const error = failure(path);
    assert.equal(error.code, "module.load_failed");
    assert.match(error.hint!, /not a shared library/);
  }
});

Deno.test("a folder in place of a library", () => {
  assert.equal(failure("/tmp/").code, "module.not_found");
});

Deno.test({
  name: "a library that is no PKCS#11 module",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    const error = failure("libm.so.6");
    assert.equal(error.code, "module.not_pkcs11");
    assert.match(error.hint!, /C_GetFunctionList/);
  },
});
