import type { KeyIntent } from "./journal_record.ts";

/** Where keys are announced before they are made in a token: a store, one of its changes, a folder under construction. */
export interface KeyJournal {
  /** Notes the key; durable on return, and only then may it be made. What it returns notes that there is no key. */
  announce(key: KeyIntent): Promise<() => Promise<void>>;
}
