import assert from "node:assert/strict";
import { encodeName, formatName } from "../x509/name.ts";
import { issue } from "../../tests/support/pki.ts";
import { compileProfile } from "./compile.ts";
import { loadProfile } from "./load.ts";
import { recallVariables } from "./recall.ts";

const WHO = { organization: "Acme, Inc.", organizational_unit: "Web", country: "FR", state: "Île", locality: "Paris" };
const URLS = { crl_url: "http://crl.test/a", ocsp_url: "http://ocsp.test", ca_issuer_url: "http://ca.test/ca.crt" };

const CASES: readonly [profile: string, given: Record<string, unknown>][] = [
  ["ec/tls-server", { cn: "www.test", dns_names: "www.test,*.test.test", ip_addresses: "192.0.2.1,2001:db8::1" }],
  ["ec/tls-server", { cn: "www.test" }],
  ["ec/tls-client", { cn: "a", email: "a@a.test", dns_names: "x.test", uris: "urn:x,https://u.test" }],
  ["ec/email", { cn: "Zoë", email: "zoe@a.test" }],
];

for (const [name, given] of CASES) {
  for (const more of [{}, { ...WHO, ...URLS }]) {
    const all: Record<string, unknown> = { ...given, ...more };
    Deno.test(`what a certificate of ${name} says leads to another one like it: ${Object.keys(all).join(", ")}`, async () => {
      const profile = await loadProfile(name);
      const first = compileProfile(profile, all);
      const { certificate } = await issue({ name: formatName(first.subject), extensions: first.extensions });
      const again = compileProfile(profile, recallVariables(profile, certificate));
      assert.deepEqual(encodeName(again.subject), encodeName(first.subject));
      assert.deepEqual(again.extensions, first.extensions);
    });
  }
}

Deno.test("a certificate that says nothing of a variable leaves it unset", async () => {
  const profile = await loadProfile("ec/tls-server");
  const { certificate } = await issue({ name: "O=Nobody" });
  assert.deepEqual(recallVariables(profile, certificate), { organization: "Nobody" });
});
