import { softhsmLibrary } from "./require.ts";
import { tempFolder } from "./tmp.ts";

/** Choices for a new token. */
export interface TokenOptions {
  label?: string;
  pin?: string;
  soPin?: string;
}

/** A SoftHSM2 token of its own: own configuration, own storage, removed at the end (`using token = softhsmToken()`). */
export interface SoftHsmToken extends Disposable {
  /** Folder that holds everything of the token; tests may put more into it. */
  readonly folder: string;
  /** Path of the SoftHSM2 configuration. */
  readonly conf: string;
  /** Path of the PKCS#11 library. */
  readonly lib: string;
  readonly label: string;
  readonly pin: string;
  readonly soPin: string;
  /** `SOFTHSM2_CONF` and `HSM_PIN` for a child process. */
  readonly env: Record<string, string>;
  /** Writes an hsm.yaml for this token (PIN from `HSM_PIN`) to `path`, or into the token's folder, and returns its path. */
  hsmYaml(path?: string, extraLines?: string[]): string;
  /** Adds one more token to the same storage. */
  addToken(label: string, pin?: string): void;
  /** Points this very process at the token, for tests that load the library themselves; undone on disposal. */
  useInProcess(): void;
}

/** Makes a token. @throws {Error} when SoftHSM2 is absent or refuses: guard the test with `needs: ["softhsm"]`. */
export function softhsmToken(options: TokenOptions = {}): SoftHsmToken {
  const lib = softhsmLibrary();
  if (lib === undefined) throw new Error("SoftHSM2's library is not installed");
  const { label = "qpki-test", pin = "1234", soPin = "12345678" } = options;
  const folder = tempFolder("qpki-softhsm-");
  Deno.mkdirSync(folder.join("tokens"), { mode: 0o700 });
  const conf = folder.write(
    "softhsm2.conf",
    `directories.tokendir = ${folder.join("tokens")}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  const before = Deno.env.get("SOFTHSM2_CONF");
  const token: SoftHsmToken = {
    folder: folder.path,
    conf,
    lib,
    label,
    pin,
    soPin,
    env: { SOFTHSM2_CONF: conf, HSM_PIN: pin },
    hsmYaml(path = folder.join("hsm.yaml"), extraLines = []) {
      const lines = [`lib: ${lib}`, `token: "${label}"`, "pin_env: HSM_PIN", ...extraLines];
      Deno.writeTextFileSync(path, `type: pkcs11\npkcs11:\n${lines.map((line) => `  ${line}\n`).join("")}`);
      return path;
    },
    addToken: (another, itsPin = pin) => initToken(conf, { label: another, pin: itsPin, soPin }),
    useInProcess: () => Deno.env.set("SOFTHSM2_CONF", conf),
    [Symbol.dispose]() {
      if (before === undefined) Deno.env.delete("SOFTHSM2_CONF");
      else Deno.env.set("SOFTHSM2_CONF", before);
      folder[Symbol.dispose]();
    },
  };
  token.addToken(label);
  return token;
}

/** Makes a token in the storage that a SoftHSM2 configuration names. @throws {Error} with what softhsm2-util says. */
export function initToken(conf: string, token: Required<TokenOptions>): void {
  const { success, stderr, stdout } = new Deno.Command("softhsm2-util", {
    args: ["--init-token", "--free", "--label", token.label, "--pin", token.pin, "--so-pin", token.soPin],
    env: { SOFTHSM2_CONF: conf },
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  if (success) return;
  const said = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  throw new Error(`softhsm2-util cannot make token "${token.label}": ${said.trim()}`);
}
