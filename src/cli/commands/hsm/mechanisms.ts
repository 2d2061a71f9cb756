import type { CompleteDriver } from "../../../pkcs11/driver.ts";
import { type ListedMechanism, listMechanisms } from "../../../pkcs11/mechanisms.ts";
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

/** `qpki hsm mechanisms`. */
export default {
  summary: "List the mechanisms of a token; needs no PIN",
  details: "Names are those of PKCS#11 3.2; a vendor's own mechanisms have the name that the driver\n" +
    "knows, or their number. What works although the token does not list it is marked so.",
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
    const tokens = (await targetTokens(open.module, target)).map((token) => ({
      token,
      rows: matching(token, open.driver, filter),
    }));
    return {
      data: {
        tokens: tokens.map(({ token, rows }) => ({
          slot: token.slot.id,
          token: { label: token.info.label, serial: token.info.serial },
          mechanisms: rows.map(mechanismData),
        })),
      },
      text: tokens.map(({ token, rows }) => tokenText(token, rows)).join("\n"),
    };
  },
} satisfies Command;

function matching({ slot }: FoundToken, driver: CompleteDriver, filter: string): ListedMechanism[] {
  return listMechanisms(slot, driver).filter(({ name, type }) =>
    name.toLowerCase().includes(filter) || hexNumber(type).includes(filter)
  );
}

function mechanismData(row: ListedMechanism): Record<string, unknown> {
  return {
    name: row.name,
    number: hexNumber(row.type),
    min_key_size: row.minKeySize ?? null,
    max_key_size: row.maxKeySize ?? null,
    flags: row.flagNames ?? [],
    listed: row.listed,
  };
}

function tokenText({ slot, info }: FoundToken, rows: readonly ListedMechanism[]): string {
  const count = `${rows.length} mechanism${rows.length === 1 ? "" : "s"}`;
  const head = `Token "${info.label}" in slot ${slot.id}: ${count}\n`;
  if (rows.length === 0) return head;
  const lines = rows.map((row) => [row.name, hexNumber(row.type), sizes(row), uses(row)]);
  return `${head}\n${table(["MECHANISM", "NUMBER", "KEY SIZE", "USES"], lines)}\n`;
}

function sizes({ minKeySize: min = 0, maxKeySize: max = 0 }: ListedMechanism): string {
  if (min === 0 && max === 0) return "-";
  return min === max ? String(min) : `${min}-${max}`;
}

function uses({ flagNames = [], listed }: ListedMechanism): string {
  if (!listed) return "(not listed by the token)";
  return flagNames.map((name) => name.replace(/^CKF_/, "").toLowerCase()).join(" ");
}
