import assert from "node:assert/strict";
import { EXIT } from "../errors.ts";
import { CKR } from "./constants.ts";
import { HINTS, isSessionLost, isSessionSpoilt, isStaleHandle, tokenError } from "./errors.ts";

Deno.test("an error names what was done, the return value by name and number, and what to do", () => {
  const error = tokenError({ functionName: "C_Login", rv: CKR.CKR_PIN_LOCKED, action: 'log in to token "X"' });
  assert.equal(error.message, 'Cannot log in to token "X": CKR_PIN_LOCKED (0xa4)');
  assert.deepEqual([error.exit, error.code, error.functionName], [EXIT.TOKEN, "pin.locked", "C_Login"]);
  assert.deepEqual([error.rv, error.rvName, error.hint], [0xa4, "CKR_PIN_LOCKED", HINTS.CKR_PIN_LOCKED]);
});

Deno.test("a driver's hint comes before the default one", () => {
  const hints = { CKR_GENERAL_ERROR: "Is the cable in?" };
  const call = { functionName: "C_Sign", rv: CKR.CKR_GENERAL_ERROR, action: "sign" };
  assert.equal(tokenError({ ...call, hints }).hint, "Is the cable in?");
  assert.equal(tokenError({ ...call, hints: {} }).hint, HINTS.CKR_GENERAL_ERROR);
});

Deno.test("a number without a name is shown as it is", () => {
  const vendor = tokenError({ functionName: "C_Sign", rv: 0x80000101, action: "sign" });
  assert.equal(vendor.message, "Cannot sign: CKR 0x80000101");
  assert.match(vendor.hint!, /vendor/);
  assert.equal(vendor.rvName, undefined);
});

Deno.test("hints are for values of the standard", () => {
  for (const name of Object.keys(HINTS)) assert.ok(name in CKR, name);
});

Deno.test("errors are told apart by what they leave behind", () => {
  const error = (name: keyof typeof CKR) => tokenError({ functionName: "C_Sign", rv: CKR[name], action: "sign" });
  assert.equal(isSessionLost(error("CKR_SESSION_HANDLE_INVALID")), true);
  assert.equal(isSessionLost(error("CKR_FUNCTION_FAILED")), false);
  assert.equal(isSessionSpoilt(error("CKR_FUNCTION_FAILED")), true);
  assert.equal(isSessionSpoilt(error("CKR_KEY_HANDLE_INVALID")), false);
  assert.equal(isStaleHandle(error("CKR_KEY_HANDLE_INVALID")), true);
  assert.equal(isSessionLost(new Error("x")), false);
});
