import assert from "node:assert/strict";
import { tempFolder } from "../tests/support/tmp.ts";
import { builtinDrivers, chooseDriver, findDriver, knownLibraries } from "./mod.ts";

const FACTS = {
  path: "/x.so",
  manufacturer: "SoftHSM",
  description: "",
  libraryVersion: "2.6",
  cryptokiVersion: "2.40",
};

Deno.test("a driver is chosen by name, by what the module says, else generic", async () => {
  assert.equal((await chooseDriver(undefined, FACTS)).name, "softhsm2");
  assert.equal((await chooseDriver("generic", FACTS)).name, "generic");
  assert.equal((await chooseDriver(undefined, { ...FACTS, manufacturer: "Acme" })).name, "generic");
  for (const name of builtinDrivers()) assert.equal((await findDriver(name)).name, name);
});

Deno.test("modules are recognised by what they say of themselves, or by their path", async () => {
  const table: [string, Partial<typeof FACTS>][] = [
    ["kryoptic", { manufacturer: "Kryoptic", description: "Kryoptic PKCS11 Module" }],
    ["nss", { manufacturer: "Mozilla Foundation", description: "NSS Internal Crypto Services" }],
    ["opencryptoki", { manufacturer: "IBM", description: "openCryptoki" }],
    ["luna", { manufacturer: "SafeNet", description: "Chrystoki" }],
    ["luna", { manufacturer: "Thales", path: "/usr/safenet/lunaclient/lib/libCryptoki2_64.so" }],
    ["nshield", { manufacturer: "nCipher Corp. Ltd", description: "nCipher PKCS#11" }],
    ["nshield", { manufacturer: "Entrust", path: "/opt/nfast/toolkits/pkcs11/libcknfast.so" }],
    ["securosys", { manufacturer: "Securosys SA", description: "Primus HSM" }],
    ["utimaco", { manufacturer: "Utimaco IS GmbH", description: "CryptoServer PKCS11" }],
    ["utimaco", { manufacturer: "", path: "/opt/utimaco/p11/libcs_pkcs11_R3.so" }],
    ["cloudhsm", { manufacturer: "", path: "/opt/cloudhsm/lib/libcloudhsm_pkcs11.so" }],
    ["yubihsm2", { manufacturer: "Yubico (www.yubico.com)", description: "YubiHSM PKCS#11 Library" }],
    // the same makers' other devices, a namesake, one that nobody knows
    ["generic", { manufacturer: "SafeNet", description: "ProtectServer", path: "/usr/lib/libcryptoki.so" }],
    ["generic", { manufacturer: "Yubico (www.yubico.com)", description: "PKCS#11 PIV Library (SP-800-73)" }],
    ["generic", { manufacturer: "Nitrokey", path: "/usr/lib/libnethsm_pkcs11.so" }],
    ["generic", { manufacturer: "Bull Trustway Proteccio HSM", path: "/lib/libnethsm.so" }],
  ];
  for (const [name, facts] of table) {
    const found = await chooseDriver(undefined, { ...FACTS, manufacturer: "", ...facts });
    assert.equal(found.name, name, JSON.stringify(facts));
  }
});

Deno.test("a misspelt name gets a suggestion, and no file is looked for", async () => {
  await assert.rejects(findDriver("softhsm"), { code: "driver.unknown", hint: 'Did you mean "softhsm2"?' });
  await assert.rejects(findDriver("constructor"), { code: "driver.unknown" });
});

Deno.test("a plug-in is loaded by its path and checked", async () => {
  using tmp = tempFolder();
  const good = tmp.write("a b#c.ts", 'export default { api: 1, name: "mine", findBatch: 3 };');
  const driver = await findDriver(good);
  assert.deepEqual([driver.name, driver.findBatch], ["mine", 3]);
  assert.equal(driver.mechanisms["CKM_ECDSA"]?.output, "r-s");
  const bad = tmp.write("bad.ts", 'export default { api: 1, name: "mine", surprise: 3 };');
  await assert.rejects(findDriver(bad), { code: "driver.invalid", message: /unknown field "surprise"/ });
  await assert.rejects(findDriver(tmp.join("absent.ts")), { code: "driver.invalid" });
  await assert.rejects(findDriver(tmp.write("broken.ts", "export default {")), { code: "driver.invalid" });
});

Deno.test("the usual places of libraries are absolute paths", () => {
  const known = knownLibraries("linux");
  assert.ok(known.length > 0);
  for (const { path } of known) assert.match(path, /^\//);
});
