import { OperationError } from "../errors.ts";
import type { NoteStore } from "../keys/types.ts";
import type { CaStore } from "../store/ca.ts";
import type { JournalHead } from "../store/journal.ts";
import { placeInJournal } from "../store/journal_place.ts";
import type { Deps } from "./deps.ts";

/**
 * The end of a CA's journal, kept in a data object of the token that holds its key: a folder that was put back from an older
 * copy is noticed before anything is signed with it.
 */
export class Anchor {
  readonly #notes: NoteStore;
  readonly #name: string;

  private constructor(notes: NoteStore, name: string) {
    this.#notes = notes;
    this.#name = name;
  }

  /**
   * The anchor of a CA whose metadata asks for one, compared with the journal; undefined when it asks for none.
   * @throws {OperationError} `ca.rolled_back` when the journal lacks what the token remembers, `ca.no_anchor` when the keys
   * are not in a token.
   */
  static async open(
    store: CaStore,
    notes: NoteStore | undefined,
    deps: Pick<Deps, "progress">,
  ): Promise<Anchor | undefined> {
    const name = store.meta.anchor;
    if (name === undefined) return undefined;
    if (!notes) {
      throw new OperationError(
        `Cannot use the CA "${store.folder}": its journal is anchored, and its key is in no token`,
        {
          code: "ca.no_anchor",
          object: store.folder,
        },
      );
    }
    const anchor = new Anchor(notes, name);
    const known = await anchor.#latest();
    if (!known) deps.progress("The token gets the first anchor of the journal");
    else await checkPlace(store, name, known);
    return anchor;
  }

  /** Remembers a further end of the journal, unless another command has gone on already. */
  async advance(head: JournalHead): Promise<void> {
    const known = await this.#latest();
    if (known && known.seq >= head.seq) return;
    await this.#notes.write(this.#name, JSON.stringify(head), (text) => (parseHead(text)?.seq ?? 0) < head.seq);
  }

  async #latest(): Promise<JournalHead | undefined> {
    const heads = (await this.#notes.read(this.#name)).map(parseHead).filter((head) => head !== undefined);
    return heads.sort((a, b) => b.seq - a.seq)[0];
  }
}

async function checkPlace(store: CaStore, name: string, known: JournalHead): Promise<void> {
  const place = await placeInJournal(store.folder, known);
  if (place === "in") return;
  const reason = place === "beyond"
    ? `its journal ends before record ${known.seq}, which the token remembers`
    : `record ${known.seq} of its journal is not the one that the token remembers`;
  throw new OperationError(
    `Cannot use the CA "${store.folder}": ${reason}; the folder is an older copy, or was changed`,
    {
      code: "ca.rolled_back",
      object: store.folder,
      hint:
        `Restore the newest copy: what was signed since this one is in it. When that is lost, look for certificates ` +
        `issued since, then delete the data object "${name}" in the token, and the next command makes a new one`,
    },
  );
}

function parseHead(text: string): JournalHead | undefined {
  try {
    const { seq, sha256 } = JSON.parse(text) as Partial<JournalHead>;
    return typeof seq === "number" && typeof sha256 === "string" ? { seq, sha256 } : undefined;
  } catch {
    return undefined;
  }
}
