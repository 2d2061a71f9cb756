import type { NoteStore } from "../keys/types.ts";
import type { TokenContext } from "./context.ts";

/** CKA_APPLICATION of data objects of this program. */
const APPLICATION = "qpki";

/**
 * Notes as private data objects (PKCS#11 section 4.5): CKA_LABEL has the name, CKA_VALUE the text. Who cannot log in neither
 * reads nor removes them.
 */
export function tokenNotes(ctx: TokenContext): NoteStore {
  const encoder = new TextEncoder();
  const selector = (name: string) => ({
    CKA_CLASS: "CKO_DATA",
    CKA_LABEL: encoder.encode(name),
    CKA_APPLICATION: encoder.encode(APPLICATION),
  });
  return {
    async read(name) {
      const action = `read data object "${name}" in token "${ctx.label}"`;
      return await ctx.pool.withSession(async (session) => {
        const texts: string[] = [];
        for (const handle of await session.find(selector(name), { action })) {
          const value = (await session.attributes(handle, ["CKA_VALUE"], action)).bytes("CKA_VALUE");
          if (value) texts.push(new TextDecoder().decode(value));
        }
        return texts;
      }, { idempotent: true });
    },
    async write(name, text, isReplaced) {
      const action = `write data object "${name}" in token "${ctx.label}"`;
      await ctx.pool.withSession(async (session) => {
        const before = await session.find(selector(name), { action });
        // the new one first: at no moment is there none
        const value = encoder.encode(text);
        await session.create({ ...selector(name), CKA_TOKEN: true, CKA_PRIVATE: true, CKA_VALUE: value }, action);
        for (const handle of before) {
          const old = (await session.attributes(handle, ["CKA_VALUE"], action)).bytes("CKA_VALUE");
          // another process may have removed it meanwhile
          if (old && isReplaced(new TextDecoder().decode(old))) await session.destroy(handle, action).catch(() => {});
        }
      }, { write: true });
    },
  };
}
