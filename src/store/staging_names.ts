/** Names of folders in which a CA is built beside its place. */

/** File in a folder that is ready to be moved to its place. */
export const RESTORE_MARK = ".restore";

/** Name of the hidden folder in which the CA for `place` (no slash at the end) is built. @param suffix eight hex digits. */
export function stagingName(place: string, suffix: string): string {
  return `.${baseName(place)}.qpki-${suffix}`;
}

/** Whether `name` is one of those for `place`. */
export function isStagingName(place: string, name: string): boolean {
  const start = stagingName(place, "");
  return name.startsWith(start) && /^[0-9a-f]{8}$/.test(name.slice(start.length));
}

function baseName(place: string): string {
  return place.slice(place.lastIndexOf("/") + 1);
}
