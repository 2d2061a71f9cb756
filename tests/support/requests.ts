import { defaultScheme, findKeyRow } from "../../src/alg/find.ts";
import { integer } from "../../src/asn1/der.ts";
import type { Bytes } from "../../src/bytes.ts";
import { generateSoftwareKey, type SoftwareKey } from "../../src/keys/software.ts";
import { buildCsr, parseCsr } from "../../src/x509/csr.ts";
import { encodeAttribute, encodeRequestInfo } from "../../src/x509/csr_attributes.ts";
import { encodeName, parseNameText } from "../../src/x509/name.ts";
import { signStructure } from "../../src/x509/sign.ts";
import type { Certificate, Csr, ExtensionValues } from "../../src/x509/types.ts";

/** Requests that no well-behaved program makes, and some that one does, for CAs to refuse. */

/** A request to make. */
export interface RequestWish {
  readonly name?: string;
  /** Names of key rows: one, or a native and an alternative one. */
  readonly algorithms: readonly [string, string?];
  readonly extensions?: ExtensionValues;
  /** Who attests for a KEM key, and with which key. */
  readonly attest?: { readonly certificate: Certificate; readonly key: SoftwareKey; readonly include?: boolean };
}

/** A request with new keys. */
export async function makeCsr(wish: RequestWish): Promise<Csr> {
  const [key, second] = await Promise.all(wish.algorithms.map((name) => name && generateSoftwareKey(findKeyRow(name))));
  const { attest, extensions, name = "CN=host.test" } = wish;
  const signer = attest ? attest.key : key as SoftwareKey;
  const spec = {
    subject: parseNameText(name),
    spki: (key as SoftwareKey).spki,
    ...(extensions ? { extensions } : {}),
    ...(attest ? { possession: { certificate: attest.certificate, include: attest.include ?? false } } : {}),
  };
  const alternative = second as SoftwareKey | undefined;
  return await buildCsr(
    spec,
    signer.signer(defaultScheme(signer.algorithm)),
    alternative?.signer(defaultScheme(alternative.algorithm)),
  );
}

/** A Catalyst request without one of its three attributes (72, 73 or 74), properly signed with the native key. */
export async function csrWithout(arc: 72 | 73 | 74, algorithms: readonly [string, string]): Promise<Csr> {
  const [row, second] = algorithms.map(findKeyRow);
  using key = await generateSoftwareKey(row!);
  using other = await generateSoftwareKey(second!);
  const subject = parseNameText("CN=host.test");
  const signer = key.signer(defaultScheme(row!));
  const whole = await buildCsr({ subject, spki: key.spki }, signer, other.signer(defaultScheme(second!)));
  const attributes = whole.attributes.filter(({ oid }) => oid !== `2.5.29.${arc}`)
    .map(({ oid, values }) => encodeAttribute(oid, values[0]!));
  return await signed([integer(0), encodeName(subject), key.spki], attributes, key);
}

/** A request for a key that cannot sign, signed with some other key and without any statement. */
export async function csrWithoutStatement(algorithm: string, signer: SoftwareKey): Promise<Csr> {
  using key = await generateSoftwareKey(findKeyRow(algorithm));
  return await signed([integer(0), encodeName(parseNameText("CN=host.test")), key.spki], [], signer);
}

async function signed(head: readonly Bytes[], attributes: readonly Bytes[], key: SoftwareKey): Promise<Csr> {
  const info = encodeRequestInfo(head, attributes);
  const signer = key.signer(defaultScheme(key.algorithm));
  return parseCsr(await signStructure(info, signer, { what: "certificate request" }));
}
