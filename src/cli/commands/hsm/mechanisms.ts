import { mechanismName } from "../../../pkcs11/codec.ts";
import { hexNumber } from "../../../pkcs11/names.ts";
import type { FoundToken } from "../../../pkcs11/token.ts";
import type { Command, Flag } from "../../command.ts";
import { openTarget, requiredTarget, TARGET_FLAGS, targetTokens } from "../../hsm_target.ts";
import { table } from "../../table.ts";

const FILTER: Flag = {
  name: "filter",
  value: "TEXT",
  description: "only mechanisms whose name (or number, in hex) has TEXT in it, in any case",
};

interface Row {
  readonly name: string;
  readonly number: string;
  readonly min: number | null;
  readonly max: number | null;
  readonly flags: readonly string[];
}

/** `qpki hsm mechanisms`. */
export default {
  summary: "List the mechanisms of a token; needs no PIN",
  details: "Names are those of PKCS#11 3.2; a vendor's own mechanisms are shown by number.",
  flags: [...TARGET_FLAGS, FILTER],
  examples: [
    "qpki hsm mechanisms --hsm-config ./hsm.yaml",
    "qpki hsm mechanisms --hsm-config ./hsm.yaml --filter ECDSA",
    "qpki hsm mechanisms --lib /usr/lib/softhsm/libsofthsm2.so --json",
  ],
  async run(input, ctx) {
    const target = await requiredTarget(input, ctx);
    const filter = (input.text(FILTER.name) ?? "").toLowerCase();
    using open = await openTarget(target);
    const tokens = (await targetTokens(open.module, target)).map((token) => ({ token, rows: rowsOf(token, filter) }));
    return {
      data: {
        tokens: tokens.map(({ token, rows }) => ({
          slot: token.slot.id,
          token: token.info.label,
          mechanisms: rows.map(({ name, number, min, max, flags }) => ({
            name,
            number,
            min_key_size: min,
            max_key_size: max,
            flags,
          })),
        })),
      },
      text: tokens.map(({ token, rows }) => tokenText(token, rows)).join("\n"),
    };
  },
} satisfies Command;

function rowsOf({ slot }: FoundToken, filter: string): Row[] {
  return slot.mechanisms()
    .map((type) => ({ type, name: mechanismName(type), number: hexNumber(type) }))
    .filter(({ name, number }) => name.toLowerCase().includes(filter) || number.includes(filter))
    .map(({ type, name, number }) => {
      const info = slot.mechanismInfo(type);
      return {
        name,
        number,
        min: info?.minKeySize ?? null,
        max: info?.maxKeySize ?? null,
        flags: info?.flagNames ?? [],
      };
    });
}

function tokenText({ slot, info }: FoundToken, rows: readonly Row[]): string {
  const head = `Token "${info.label}" in slot ${slot.id}: ${rows.length} mechanism${rows.length === 1 ? "" : "s"}\n`;
  if (rows.length === 0) return head;
  const lines = rows.map((row) => [row.name, row.number, sizes(row), row.flags.map(shortFlag).join(" ")]);
  return `${head}\n${table(["MECHANISM", "NUMBER", "KEY SIZE", "USES"], lines)}\n`;
}

function sizes({ min, max }: Row): string {
  if (min === null || max === null || (min === 0 && max === 0)) return "-";
  return min === max ? String(min) : `${min}-${max}`;
}

function shortFlag(name: string): string {
  return name.replace(/^CKF_/, "").toLowerCase();
}
