import assert from "node:assert/strict";
import { InputError } from "../errors.ts";
import { resolveHsmConfig } from "./hsm_path.ts";

Deno.test("hsm.yaml named by metadata is found from any folder", async () => {
  const top = await Deno.realPath(await Deno.makeTempDir());
  await Deno.mkdir(`${top}/pki/ca`, { recursive: true });
  await Deno.mkdir(`${top}/elsewhere`);
  const from = { cwd: `${top}/elsewhere`, folder: `${top}/pki/ca` };

  await assert.rejects(resolveHsmConfig("./hsm.yaml", from), (error) => {
    assert.ok(error instanceof InputError);
    assert.equal(error.code, "hsm.config_not_found");
    assert.ok(error.hint?.includes(`${top}/elsewhere/hsm.yaml, ${top}/pki/hsm.yaml, ${top}/pki/ca/hsm.yaml`));
    return true;
  });

  await Deno.writeTextFile(`${top}/pki/ca/hsm.yaml`, "");
  assert.equal(await resolveHsmConfig("./hsm.yaml", from), `${top}/pki/ca/hsm.yaml`);
  await Deno.writeTextFile(`${top}/pki/hsm.yaml`, "");
  assert.equal(await resolveHsmConfig("./hsm.yaml", from), `${top}/pki/hsm.yaml`);
  await Deno.writeTextFile(`${top}/elsewhere/hsm.yaml`, "");
  assert.equal(await resolveHsmConfig("./hsm.yaml", from), `${top}/elsewhere/hsm.yaml`);
  assert.equal(await resolveHsmConfig(`${top}/pki/hsm.yaml`, from), `${top}/pki/hsm.yaml`);
  assert.equal(await resolveHsmConfig("./hsm.yaml", { cwd: `${top}/pki`, folder: "ca" }), `${top}/pki/hsm.yaml`);
  await Deno.remove(top, { recursive: true });
});
