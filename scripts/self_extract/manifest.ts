/** One packed file. */
export interface PackedFile {
  /** Below the folder it is unpacked into: `files/app/main.js`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** 0o600, or 0o700 for what is run or loaded. */
  readonly mode: number;
}

/** What the pack holds: the JSON at its beginning, before the contents of all files but the executable, in this order. */
export interface Manifest {
  /** Every folder, parents first. */
  readonly folders: readonly string[];
  readonly files: readonly PackedFile[];
  /** The file that the shell text unpacks before this manifest can be read. */
  readonly executable: string;
}

/**
 * Modification time that every unpacked file gets, in seconds since 1970: noon of the first day of 2020, UTC. A file that
 * was written to later shows another one.
 */
export const PACKED_TIME = 1577880000;

/** Options of `deno run` for the program: all rights, no configuration from where it is started, never the network. */
export const RUN_FLAGS: readonly string[] = [
  ...["-A", "--quiet", "--no-config", "--no-lock", "--cached-only", "--no-remote", "--no-npm"],
];
