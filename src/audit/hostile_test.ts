/** Damaged and made-up files: a verdict or a typed error, in bounded time, never a crash. */
import assert from "node:assert/strict";
import { fill, read, serialOf, testLog } from "../../tests/audit/support.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { findKeyRow } from "../alg/find.ts";
import { InputError } from "../errors.ts";
import { generateSoftwareKey } from "../keys/software.ts";
import { makeCheckpoint, readCheckpoint } from "./checkpoint.ts";
import { makeProof, readProof, verifyProof } from "./proof.ts";
import { logFiles, verifyLog } from "./verify.ts";

/** The same numbers at every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** `text` with some bytes changed, taken out, doubled or put in. */
function damaged(text: string, random: (below: number) => number): string {
  const pieces = [
    "",
    "0",
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "-1",
    "1e999",
    "\u0000",
    "\\u0000",
    "é",
    "99999999999999999",
  ];
  let out = text;
  for (let i = random(4); i >= 0; i--) {
    const at = random(out.length);
    out = out.slice(0, at) + pieces[random(pieces.length)] + out.slice(at + random(6));
  }
  return out;
}

Deno.test("damaged checkpoints and proofs are refused or do not verify", async () => {
  using tmp = tempFolder();
  const path = tmp.join("log");
  await fill(testLog(path).log, 6);
  using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
  const checkpoint = await makeCheckpoint((await read(path)).chain, new Date(), key);
  const proof = await makeProof([path], { serial: serialOf(3) }, checkpoint);
  const [checkpointText, proofText] = [JSON.stringify(checkpoint), JSON.stringify(proof)];
  const random = generator(7);
  const seen = { refused: 0, invalid: 0 };
  for (let i = 0; i < 1500; i++) {
    const [a, b] = i % 2 ? [damaged(checkpointText, random), proofText] : [checkpointText, damaged(proofText, random)];
    if (a === checkpointText && b === proofText) continue;
    try {
      const verdict = await verifyProof(readProof(b, "proof"), readCheckpoint(a, "checkpoint"), [key.spki]);
      // what is not signed and not proved may be anything: a member that nobody knows
      if (verdict.valid) assert.deepEqual(JSON.parse(b).events, proof.events);
      else seen.invalid++;
    } catch (error) {
      assert.ok(error instanceof InputError, `${a}\n${b}\n${error}`);
      seen.refused++;
    }
  }
  assert.ok(seen.refused > 100 && seen.invalid > 100, JSON.stringify(seen));
});

Deno.test("damaged logs have a verdict, and so has what is no log", async () => {
  using tmp = tempFolder();
  const path = tmp.join("log");
  await fill(testLog(path).log, 6);
  const text = tmp.read("log");
  const random = generator(11);
  for (let i = 0; i < 600; i++) {
    const other = damaged(text, random);
    if (other === text) continue;
    const verdict = await verifyLog([tmp.write("damaged", other)]);
    assert.equal(verdict.valid, false, other);
    assert.ok(verdict.problem!.code);
  }
  const bytes = new Uint8Array(3_000_000).map(() => random(256));
  for (const content of ["", "\n", "\n\n\n", "{}\n", "[".repeat(100_000), `${"[".repeat(60_000)}\n`, bytes]) {
    const file = tmp.write("none", content);
    assert.equal((await verifyLog(await logFiles([file]))).valid, false);
  }
});
