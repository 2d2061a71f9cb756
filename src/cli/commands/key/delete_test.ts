import assert from "node:assert/strict";
import { findKeyRow } from "../../../alg/find.ts";
import { QpkiError } from "../../../errors.ts";
import type { KeyInfo, KeyProvider, KeyRef } from "../../../keys/types.ts";
import type { Context, Input } from "../../command.ts";
import command from "./delete.ts";

const ROW = findKeyRow("ecdsa-p256");

function key(label: string, keyId: string, spkiSha256: string): KeyInfo {
  const ref = { type: "pkcs11", config: "hsm.yaml", label, keyId } as const;
  return { ref, algorithm: ROW, description: ROW.label, spkiSha256, attributes: {} };
}

/** One call of the command on a token with these keys; tells what was asked and deleted. */
async function call(keys: KeyInfo[], flags: Record<string, string>, answer?: boolean) {
  const deleted: KeyRef[] = [];
  const asked: string[] = [];
  const provider = {
    type: "pkcs11",
    list: () => Promise.resolve(keys),
    delete: (ref: KeyRef) => {
      deleted.push(ref);
      return Promise.resolve(keys[0]!);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  } as unknown as KeyProvider;
  const input = {
    text: (flag: string) => flags[flag],
    on: (flag: string) => flag in flags,
    list: () => [],
  } as unknown as Input;
  const ctx = {
    prompter: {
      interactive: answer !== undefined,
      confirm: (question: string) => {
        asked.push(question);
        return Promise.resolve(answer!);
      },
    },
    openProvider: () => Promise.resolve(provider),
  } as unknown as Context;
  const outcome = await command.run(input, ctx).catch((error: unknown) => {
    assert.ok(error instanceof QpkiError, String(error));
    return error;
  });
  return { outcome, deleted, asked };
}

const WHERE = { "hsm-config": "hsm.yaml", "key-label": "one" };

Deno.test("on a terminal it asks, with the fingerprint, and no means no", async () => {
  const keys = [key("one", "01", "aa"), key("two", "02", "bb")];
  const no = await call(keys, WHERE, false);
  assert.equal(no.asked.length, 1);
  assert.match(no.asked[0]!, /label "one" and id 01.*aa/);
  assert.deepEqual(no.deleted, []);
  assert.equal((no.outcome as { exit: number }).exit, 1);
  const yes = await call(keys, WHERE, true);
  assert.deepEqual(yes.deleted, [{ ...keys[0]!.ref, spkiSha256: "aa" }], "pinned to what was shown");
});

Deno.test("--yes does not ask; without it and without a terminal nothing happens", async () => {
  const keys = [key("one", "01", "aa")];
  const sure = await call(keys, { ...WHERE, yes: "" }, false);
  assert.deepEqual(sure.asked, []);
  assert.equal(sure.deleted.length, 1);
  const unattended = await call(keys, WHERE);
  assert.equal((unattended.outcome as QpkiError).code, "usage.confirmation");
  assert.deepEqual(unattended.deleted, []);
});

Deno.test("none or several matches: an error that lists the candidates, and nothing is deleted", async () => {
  const keys = [key("one", "01", "aa"), key("one", "02", "bb")];
  const several = await call(keys, { ...WHERE, yes: "" });
  assert.equal((several.outcome as QpkiError).code, "key.ambiguous");
  assert.match((several.outcome as QpkiError).hint!, /id 01 .*aa\).*id 02 .*bb\)/);
  const none = await call(keys, { ...WHERE, "key-label": "three", yes: "" });
  assert.equal((none.outcome as QpkiError).code, "key.not_found");
  assert.match((none.outcome as QpkiError).hint!, /aa.*bb/);
  const empty = await call([], { ...WHERE, yes: "" });
  assert.match((empty.outcome as QpkiError).hint!, /right one/);
  assert.deepEqual([...several.deleted, ...none.deleted, ...empty.deleted], []);
});
