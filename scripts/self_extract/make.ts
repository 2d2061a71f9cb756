import { type Manifest, PACKED_TIME, type PackedFile, RUN_FLAGS } from "./manifest.ts";
import { filesBelow } from "../support/tree.ts";

/** What goes into a self-extracting file. */
export interface Content {
  /** Folder with everything but Deno: `app/main.js` and what it reads. */
  readonly stage: string;
  /** The Deno executable. */
  readonly deno: string;
  /** The bundled text of `unpack.ts`. */
  readonly unpackScript: string;
  readonly version: string;
  /** For the remark in the file's head, for example `x86_64-unknown-linux-gnu`. */
  readonly target: string;
}

/**
 * Writes one file that unpacks and starts itself (Linux and macOS): shell text, unpacking script, pack, Deno executable.
 * The same content gives the same bytes.
 */
export async function makeSelfExtracting(content: Content, out: string): Promise<void> {
  const deno = await Deno.readFile(content.deno);
  const contents = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const file of filesBelow(content.stage, [])) {
    contents.set(`files/${file}`, await Deno.readFile(`${content.stage}/${file}`));
  }
  const manifest = await makeManifest(contents, deno);
  const pack = packed(manifest, contents);
  const script = new TextEncoder().encode(content.unpackScript);
  const stub = await makeStub({ content, manifest, script, pack, denoSize: deno.length });
  using file = await Deno.open(out, { write: true, create: true, truncate: true, mode: 0o755 });
  for (const part of [stub, script, pack, deno]) {
    for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
  }
  await Deno.chmod(out, 0o755);
}

async function makeManifest(contents: ReadonlyMap<string, Uint8Array<ArrayBuffer>>, deno: Uint8Array<ArrayBuffer>) {
  const files: PackedFile[] = [];
  for (const [path, bytes] of contents) {
    if (!/^[\w.@+/-]+$/.test(path)) throw new Error(`"${path}" cannot be packed: the shell text needs a plainer name`);
    files.push({ path, size: bytes.length, sha256: await sha256(bytes), mode: path.endsWith(".node") ? 0o700 : 0o600 });
  }
  const executable = "files/deno";
  files.push({ path: executable, size: deno.length, sha256: await sha256(deno), mode: 0o700 });
  const folders = new Set<string>(["files"]);
  for (const { path } of files) {
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) folders.add(path.slice(0, at));
  }
  return { folders: [...folders].sort(), files, executable } satisfies Manifest;
}

function packed(manifest: Manifest, contents: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(manifest));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  const parts = [length, json, ...manifest.files.map(({ path }) => contents.get(path) ?? new Uint8Array())];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

interface StubParts {
  content: Content;
  manifest: Manifest;
  script: Uint8Array;
  pack: Uint8Array<ArrayBuffer>;
  denoSize: number;
}

/** The shell text. Offsets in it depend on its own length, so it is filled in until the length stands. */
async function makeStub({ content, manifest, script, pack, denoSize }: StubParts): Promise<Uint8Array> {
  const template = await Deno.readTextFile(new URL("./stub.sh", import.meta.url));
  const fixed: Record<string, string> = {
    VERSION: content.version,
    TARGET: content.target,
    ID: `${content.version}-${(await sha256(pack)).slice(0, 16)}`,
    STAT: content.target.includes("apple") ? "-f '%Lp %N %z %m'" : "-c '%a %n %s %Y'",
    NAMES: manifest.files.map(({ path }) => path).join(" "),
    WANT: manifest.files.map(({ path, size, mode }) => `${mode.toString(8)} ${path} ${size} ${PACKED_TIME}`).join("\n"),
    FLAGS: RUN_FLAGS.join(" "),
    UNPACK_SIZE: String(script.length),
    DENO_SIZE: String(denoSize),
  };
  let stub = new Uint8Array();
  for (let length = -1; length !== stub.length;) {
    length = stub.length;
    const offsets = {
      UNPACK_AT: length + 1,
      PACK_AT: length + script.length + 1,
      DENO_AT: length + script.length + pack.length + 1,
    };
    const values: Record<string, string | number> = { ...fixed, ...offsets };
    stub = new TextEncoder().encode(template.replace(/@([A-Z_]+)@/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`The shell text names "${name}", which has no value`);
      return String(value);
    }));
  }
  return stub;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
