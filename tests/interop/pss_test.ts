import assert from "node:assert/strict";
import { describe, run, runCli, runOk } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

/** RSA-PSS as OpenSSL makes it unless it is told otherwise: the salt is as long as the key leaves room for. */
testWith(
  "PSS salts of any length are verified in requests, certificates and CRLs",
  { needs: ["openssl"] },
  async () => {
    using tmp = tempFolder();
    const at = { cwd: tmp.path };
    const openssl = async (line: string) => {
      const result = await run("openssl", line.split(" "), at);
      assert.equal(result.code, 0, describe(line, result));
    };
    const pss = "-sigopt rsa_padding_mode:pss";
    await runOk("ca init -P rsa/root-ca --var cn=Root -d ca".split(" "), at);
    await openssl(`req -new -newkey rsa:2048 -nodes ${pss} -subj /CN=a.test -keyout a.key -out a.csr`);
    const issue = "cert issue -d ca -P rsa/tls-server --var cn=a.test --var dns_names=a.test --csr";
    await runOk([...issue.split(" "), "a.csr", "-o", "a.crt"], at);
    assert.match((await runOk(["csr", "verify", "a.csr"], at)).stdout, /valid/i);
    // a CA of OpenSSL: its certificate, one below it, its CRL
    await openssl(`req -x509 -newkey rsa:2048 -nodes ${pss} -subj /CN=Other -days 9 -keyout o.key -out o.crt`);
    tmp.write("o.cnf", "[ca]\ndefault_ca=o\n[o]\ndatabase=o.txt\ncrlnumber=o.num\n");
    tmp.write("o.txt", "");
    tmp.write("o.num", "01\n");
    await openssl(`ca -gencrl -config o.cnf -cert o.crt -keyfile o.key ${pss} -md sha384 -crldays 9 -out o.crl`);
    await openssl(`x509 -req -in a.csr -CA o.crt -CAkey o.key ${pss} -sha512 -days 5 -out b.crt`);
    await runOk(["cert", "verify", "b.crt", "--ca", "o.crt", "--crl", "o.crl"], at);
    await runOk(["crl", "verify", "o.crl", "--ca", "o.crt"], at);
    // broken or unsupported, and told so
    const refusals: readonly [name: string, line: string, message: RegExp][] = [
      [
        "s",
        `req -new -newkey rsa:2048 -nodes ${pss} -sha1 -subj /CN=a.test -keyout s.key`,
        /uses SHA-1, which is broken/,
      ],
      [
        "p",
        "req -new -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -nodes -subj /CN=a.test -keyout p.key",
        /RSA-PSS 2048/,
      ],
    ];
    for (const [name, line, message] of refusals) {
      await openssl(`${line} -out ${name}.csr`);
      const result = await runCli([...issue.split(" "), `${name}.csr`], at);
      assert.equal(result.code, 4, describe(line, result));
      assert.match(result.stderr, message);
      assert.match(result.stderr, /hint: Have .*\(rsaEncryption\)/);
      assert.doesNotMatch(result.stderr, /changed after/);
    }
  },
);
