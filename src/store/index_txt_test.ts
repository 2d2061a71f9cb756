import assert from "node:assert/strict";
import { InputError } from "../errors.ts";
import { formatIndexLine, parseIndex, parseReason, revokedLine } from "./index_txt.ts";

const V = "V\t261231235959Z\t\t01\tunknown\t/CN=a";
const R = "R\t20500101000000Z\t260102030405Z,keyCompromise\tFF\tunknown\t/CN=b";

Deno.test("index.txt: rows are read and written as OpenSSL writes them", () => {
  const text = `${V}\n${R}\nE\t200101000000Z\t\t0100\tunknown\t/CN=c\\xC3\\xA9\n`;
  const rows = parseIndex(text, "index.txt");
  assert.equal(rows.map((row) => formatIndexLine(row.entry)).join(""), text);
  assert.equal(rows[1]!.entry.notAfter.toISOString(), "2050-01-01T00:00:00.000Z");
  assert.deepEqual(rows[1]!.entry.revocation, { date: new Date("2026-01-02T03:04:05Z"), reason: "keyCompromise" });
});

Deno.test("index.txt: the older tool's lower-case serials and reasons in any case are read", () => {
  const [row] = parseIndex("R\t261231235959Z\t260102030405Z,cacompromise\t0a1b\tunknown\tCN=a,O=b\n", "index.txt");
  assert.equal(row!.entry.serial, "0A1B");
  assert.equal(row!.entry.revocation?.reason, "cACompromise");
});

Deno.test("index.txt: OpenSSL's pseudo reasons count as the reason its CRL gives", () => {
  const reasonOf = (word: string) =>
    parseIndex(`R\t261231235959Z\t260102030405Z,${word}\t01\tunknown\t/CN=a\n`, "f")[0]!.entry.revocation?.reason;
  assert.equal(reasonOf("holdInstruction,holdInstructionReject"), "certificateHold");
  assert.equal(reasonOf("keyTime,20260101000000Z"), "keyCompromise");
  assert.equal(reasonOf("CAkeyTime,20260101000000Z"), "cACompromise");
});

Deno.test("index.txt: a damaged line is an error that names file and line", () => {
  const cases: [damaged: string, line: number, reason: RegExp][] = [
    ["V\t261231235959Z\t\t01\tunknown\n", 1, /5 columns/],
    [`${V}\n\n`, 2, /1 columns/],
    [`${V}\nX\t261231235959Z\t\t02\tunknown\t/CN=a\n`, 2, /status "X"/],
    [`${V}\nV\t261331235959Z\t\t02\tunknown\t/CN=a\n`, 2, /expiry/],
    [`${V}\nV\t261231235959Z\t\t2\tunknown\t/CN=a\n`, 2, /serial number/],
    [`${V}\nV\t261231235959Z\t\t01\tunknown\t/CN=a\n`, 2, /already on line 1/],
    [`${V}\nR\t261231235959Z\t\t02\tunknown\t/CN=a\n`, 2, /revocation date/],
    [`${V}\nV\t261231235959Z\t260101000000Z\t02\tunknown\t/CN=a\n`, 2, /with a revocation date/],
    [`${V}\nR\t261231235959Z\t260101000000Z,whim\t02\tunknown\t/CN=a\n`, 2, /reason "whim"/],
    [`${V}\n${R}`, 2, /no end/],
    [`${V}\nR\t2612`, 2, /no end/],
  ];
  for (const [text, line, reason] of cases) {
    assert.throws(() => parseIndex(text, "ca/index.txt"), (error) => {
      assert.ok(error instanceof InputError, text);
      assert.equal(error.code, "index.damaged");
      assert.equal(error.file, "ca/index.txt");
      assert.equal(error.line, line, text);
      assert.match(error.message, reason);
      return true;
    });
  }
});

Deno.test("index.txt: a revoked line keeps the bytes of its other columns; unknown words stay out", () => {
  const [row] = parseIndex("V\t261231235959Z\t\t0a\tfile.pem\tCN=odd,  O=x\n", "f");
  const date = new Date("2026-01-02T03:04:05Z");
  assert.equal(
    revokedLine(row!, { date, reason: "cACompromise" }),
    "R\t261231235959Z\t260102030405Z,CACompromise\t0a\tfile.pem\tCN=odd,  O=x",
  );
  assert.equal(
    revokedLine(row!, { date, reason: "privilegeWithdrawn" }),
    "R\t261231235959Z\t260102030405Z\t0a\tfile.pem\tCN=odd,  O=x",
  );
});

Deno.test("reasons as operators write them", () => {
  assert.equal(parseReason("key-compromise"), "keyCompromise");
  assert.equal(parseReason("CACOMPROMISE"), "cACompromise");
  assert.equal(parseReason("nonsense"), undefined);
});
