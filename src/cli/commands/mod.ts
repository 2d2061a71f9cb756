import type { Command } from "../command.ts";

/** One command in the list. The module behind `load` is imported only when the command runs or its help is asked for. */
export interface CommandRow {
  /** Noun and verb, or one word for a command without verbs. */
  readonly path: readonly [noun: string, verb?: string];
  /** Other spellings of the last word. */
  readonly aliases?: readonly string[];
  /** One line, no full stop; the same as the command's own. */
  readonly summary: string;
  load(): Promise<{ readonly default: Command }>;
}

/** Every noun with its summary, in the order of the help. */
export const NOUNS: Readonly<Record<string, string>> = {
  audit: "Audit logs: what was done, verifiable",
  ca: "Certification authorities",
  cert: "Certificates that a CA issues",
  cose: "Signed COSE messages and CBOR web tokens",
  credential: "Keys with their certificates, issued together",
  crl: "Certificate revocation lists",
  csr: "Certificate signing requests",
  hsm: "PKCS#11 libraries and tokens",
  key: "Private keys, in files and in tokens",
  profile: "Certificate profiles",
};

/**
 * The one list of commands, sorted by noun and verb. Keep each `load` an import with a literal path: the build and the
 * type checker follow it.
 */
export const COMMANDS: readonly CommandRow[] = [
  {
    path: ["audit", "checkpoint"],
    summary: "Write down where an audit log stands, signed",
    load: () => import("./audit/checkpoint.ts"),
  },
  {
    path: ["audit", "proof"],
    summary: "Prove that an audit log has what was done to a certificate, without the log",
    load: () => import("./audit/proof.ts"),
  },
  {
    path: ["audit", "rotate"],
    summary: "Begin a new file of an audit log, the chain carried over",
    load: () => import("./audit/rotate.ts"),
  },
  {
    path: ["audit", "tail"],
    summary: "Show the last events of an audit log",
    load: () => import("./audit/tail.ts"),
  },
  {
    path: ["audit", "verify"],
    summary: "Verify an audit log: every event, the chain, and that nothing was cut off",
    load: () => import("./audit/verify.ts"),
  },
  {
    path: ["audit", "verify-proof"],
    summary: "Verify a proof from an audit log against a checkpoint",
    load: () => import("./audit/verify_proof.ts"),
  },
  {
    path: ["ca", "accept"],
    summary: "Take the certificate for a CA or version that was made with --csr-only",
    load: () => import("./ca/accept.ts"),
  },
  {
    path: ["ca", "activate"],
    summary: "Switch a CA to another version",
    load: () => import("./ca/activate.ts"),
  },
  {
    path: ["ca", "backup"],
    summary: "Write a CA into one archive, with checksums",
    load: () => import("./ca/backup.ts"),
  },
  {
    path: ["ca", "check"],
    summary: "Check that metadata, index, certificates, chain, CRLs and keys of a CA agree",
    load: () => import("./ca/check.ts"),
  },
  {
    path: ["ca", "discard"],
    summary: "Remove a pending version of a CA",
    load: () => import("./ca/discard.ts"),
  },
  {
    path: ["ca", "export"],
    summary: "Write out the certificate of a CA, its chain, or its root",
    load: () => import("./ca/export.ts"),
  },
  {
    path: ["ca", "info"],
    summary: "Show a CA: subject, key, validity, versions, certificates",
    load: () => import("./ca/info.ts"),
  },
  {
    path: ["ca", "init"],
    summary: "Make a root or subordinate CA",
    load: () => import("./ca/init.ts"),
  },
  {
    path: ["ca", "list"],
    summary: "Find the CAs below a folder",
    load: () => import("./ca/list.ts"),
  },
  {
    path: ["ca", "restore"],
    summary: "Restore a CA from a backup, after verifying all of it",
    load: () => import("./ca/restore.ts"),
  },
  {
    path: ["ca", "rotate"],
    summary: "Make a new version of a CA, with new keys",
    load: () => import("./ca/rotate.ts"),
  },
  {
    path: ["ca", "upgrade"],
    summary: "Bring the metadata of an older CA up to date",
    load: () => import("./ca/upgrade.ts"),
  },
  {
    path: ["ca", "versions"],
    summary: "List the versions of a CA, with their keys",
    load: () => import("./ca/versions.ts"),
  },
  {
    path: ["cert", "explain"],
    summary: "Tell what caused each field of a certificate, and make its bytes again",
    load: () => import("./cert/explain.ts"),
  },
  {
    path: ["cert", "info"],
    summary: "Show a certificate",
    load: () => import("./cert/info.ts"),
  },
  {
    path: ["cert", "issue"],
    summary: "Issue a certificate for a request",
    load: () => import("./cert/issue.ts"),
  },
  {
    path: ["cert", "list"],
    summary: "List the certificates that a CA issued",
    load: () => import("./cert/list.ts"),
  },
  {
    path: ["cert", "revoke"],
    summary: "Revoke a certificate that a CA issued",
    load: () => import("./cert/revoke.ts"),
  },
  {
    path: ["cert", "verify"],
    summary: "Verify a certificate up to a trusted one",
    load: () => import("./cert/verify.ts"),
  },
  {
    path: ["completion"],
    summary: "Print a script that makes a shell complete qpki's commands",
    load: () => import("./completion.ts"),
  },
  {
    path: ["cose", "info"],
    summary: "Show a signed message or token: structure, headers, certificates, claims",
    load: () => import("./cose/info.ts"),
  },
  {
    path: ["cose", "sign"],
    summary: "Sign a file or a token of claims (COSE, CWT)",
    load: () => import("./cose/sign.ts"),
  },
  {
    path: ["cose", "verify"],
    summary: "Verify a signed message or token (COSE, CWT)",
    load: () => import("./cose/verify.ts"),
  },
  {
    path: ["credential", "activate"],
    summary: "Put a version of a credential into use, or go back to one",
    load: () => import("./credential/activate.ts"),
  },
  {
    path: ["credential", "check"],
    summary: "Check that metadata, certificates and keys of credentials agree, and what their CA knows of them",
    load: () => import("./credential/check.ts"),
  },
  {
    path: ["credential", "enroll"],
    summary: "Make keys and their certificates together",
    load: () => import("./credential/enroll.ts"),
  },
  {
    path: ["credential", "export"],
    summary: "Write out the certificates of a credential, as PKCS#12 with its keys",
    load: () => import("./credential/export.ts"),
  },
  {
    path: ["credential", "info"],
    summary: "Show a credential: its certificates, its keys, its status",
    load: () => import("./credential/info.ts"),
  },
  {
    path: ["credential", "list"],
    summary: "List the credentials with their status",
    load: () => import("./credential/list.ts"),
  },
  {
    path: ["credential", "revoke"],
    summary: "Revoke the certificates of a credential",
    load: () => import("./credential/revoke.ts"),
  },
  {
    path: ["credential", "rotate"],
    summary: "Make the next version of a credential: new keys, new certificates",
    load: () => import("./credential/rotate.ts"),
  },
  {
    path: ["credential", "versions"],
    summary: "List the versions of a credential with their status",
    load: () => import("./credential/versions.ts"),
  },
  {
    path: ["crl", "gen"],
    summary: "Make a certificate revocation list",
    load: () => import("./crl/gen.ts"),
  },
  {
    path: ["crl", "info"],
    summary: "Show a certificate revocation list",
    load: () => import("./crl/info.ts"),
  },
  {
    path: ["crl", "list"],
    summary: "List the revocation lists in a CA's folder",
    load: () => import("./crl/list.ts"),
  },
  {
    path: ["crl", "verify"],
    summary: "Verify the signature of a certificate revocation list",
    load: () => import("./crl/verify.ts"),
  },
  {
    path: ["csr", "gen"],
    summary: "Make a certificate request, with new keys or existing ones",
    load: () => import("./csr/gen.ts"),
  },
  {
    path: ["csr", "info"],
    summary: "Show a certificate request",
    load: () => import("./csr/info.ts"),
  },
  {
    path: ["csr", "verify"],
    summary: "Verify the signatures of a certificate request",
    load: () => import("./csr/verify.ts"),
  },
  {
    path: ["help"],
    summary: "Show help of a noun, of a command, or the exit statuses",
    load: () => import("./help.ts"),
  },
  {
    path: ["hsm", "info"],
    summary: "Show the library, the slot and the token with their versions, limits and flags; needs no PIN",
    load: () => import("./hsm/info.ts"),
  },
  {
    path: ["hsm", "list"],
    summary: "List slots and tokens; needs no configuration and no PIN",
    load: () => import("./hsm/list.ts"),
  },
  {
    path: ["hsm", "mechanisms"],
    summary: "List the mechanisms of a token; needs no PIN",
    load: () => import("./hsm/mechanisms.ts"),
  },
  {
    path: ["hsm", "test"],
    summary: "Test a token: load, slot, login, session key, sign, verify, with the time of each step",
    load: () => import("./hsm/test.ts"),
  },
  {
    path: ["inspect"],
    summary: "Tell what a file holds",
    load: () => import("./inspect.ts"),
  },
  {
    path: ["key", "convert"],
    summary: "Write a key file anew: other format, other passphrase, COSE_Key",
    load: () => import("./key/convert.ts"),
  },
  {
    path: ["key", "delete"],
    summary: "Delete a key pair in a token",
    load: () => import("./key/delete.ts"),
  },
  {
    path: ["key", "generate"],
    aliases: ["gen"],
    summary: "Generate a private key in a file or in a token",
    load: () => import("./key/generate.ts"),
  },
  {
    path: ["key", "info"],
    summary: "Show a private key: algorithm, fingerprint, format or token attributes",
    load: () => import("./key/info.ts"),
  },
  {
    path: ["key", "list"],
    summary: "List the private keys below a folder or in a token",
    load: () => import("./key/list.ts"),
  },
  {
    path: ["key", "pub"],
    summary: "Write the public half of a private key",
    load: () => import("./key/pub.ts"),
  },
  {
    path: ["profile", "export"],
    summary: "Write the YAML of a profile, or of all, as a start for your own",
    load: () => import("./profile/export.ts"),
  },
  {
    path: ["profile", "info"],
    summary: "Show what a profile puts into a certificate",
    load: () => import("./profile/info.ts"),
  },
  {
    path: ["profile", "install"],
    summary: "Copy the built-in profiles into a CA, where they can be changed",
    load: () => import("./profile/install.ts"),
  },
  {
    path: ["profile", "lint"],
    aliases: ["validate"],
    summary: "Check profiles: mistakes in the YAML, and what RFC 5280 or the CA/Browser Forum would refuse",
    load: () => import("./profile/lint.ts"),
  },
  {
    path: ["profile", "list"],
    summary: "List the profiles: built-in ones and those of a CA",
    load: () => import("./profile/list.ts"),
  },
  {
    path: ["profile", "show"],
    summary: "Print the YAML of a profile",
    load: () => import("./profile/show.ts"),
  },
  {
    path: ["profile", "vars"],
    summary: "List the variables of a profile with their types and constraints",
    load: () => import("./profile/vars.ts"),
  },
];
