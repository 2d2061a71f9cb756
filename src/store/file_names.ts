/** Hands out names that are used once: a name that is taken gets `-1`, `-2`, … behind it. */
export class FileNames {
  readonly #taken = new Set<string>();

  /** `wanted`, or the first free one after it. */
  next(wanted: string): string {
    for (let i = 0;; i++) {
      const name = i === 0 ? wanted : `${wanted}-${i}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}
