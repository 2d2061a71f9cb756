import assert from "node:assert/strict";
import { keyRows, schemeRows } from "../alg/find.ts";
import { oid, readDer, readOid } from "./der.ts";
import * as table from "./oid.ts";

Deno.test("names and dotted forms go both ways, in any case, and by group", () => {
  assert.equal(table.oidName("2.5.4.3"), "CN");
  assert.equal(table.oidByName("commonname"), "2.5.4.3");
  assert.equal(table.oidByName("cn"), "2.5.4.3");
  assert.equal(table.oidByName("serverAuth"), "1.3.6.1.5.5.7.3.1");
  assert.equal(table.oidByName("serverAuth", "attribute"), undefined);
  assert.equal(table.oidByName("email", "attribute"), "1.2.840.113549.1.9.1");
  assert.equal(table.oidName("1.2.3.4"), undefined);
  assert.equal(table.oidByName("nonsense"), undefined);
  assert.ok(table.oidNames("purpose").includes("codeSigning"));
});

Deno.test("every OID of the table and of the constants encodes", () => {
  const constants = Object.entries(table).filter(([name]) => name.startsWith("OID_"));
  assert.ok(constants.length > 50);
  for (const [name, dotted] of constants) {
    assert.equal(readOid(readDer(oid(dotted as string))), dotted, name);
    assert.ok(table.oidName(dotted as string), `${name} has no name`);
  }
});

Deno.test("every algorithm row has a named OID", () => {
  for (const row of keyRows()) assert.ok(table.oidName(row.spki.oid), row.name);
  for (const row of schemeRows()) assert.ok(table.oidName(row.oid), row.name);
});

Deno.test("isDottedOid agrees with the encoder", () => {
  for (const text of ["1.2.3", "2.5.29.15", "0.9.2342", "2.999", "1.40.1", "3.1", "1", "", "1.02", "0.40", "2.48.1"]) {
    let encodes = true;
    try {
      oid(text);
    } catch {
      encodes = false;
    }
    assert.equal(table.isDottedOid(text), encodes, text);
  }
});
