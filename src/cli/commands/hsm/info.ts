import type { Command } from "../../command.ts";
import { moduleData, moduleLines, sessionsText, slotData, type SlotView } from "../../hsm_describe.ts";
import { openTarget, requiredTarget, TARGET_FLAGS, targetTokens, tokenState } from "../../hsm_target.ts";
import { columns } from "../../output.ts";

/** `qpki hsm info`. */
export default {
  summary: "Show the library, the slot and the token with their versions, limits and flags; needs no PIN",
  details: "With --lib it shows every initialised token of the library.",
  flags: TARGET_FLAGS,
  examples: ["qpki hsm info --hsm-config ./hsm.yaml", "qpki hsm info --lib /usr/lib/softhsm/libsofthsm2.so"],
  async run(input, ctx) {
    const target = await requiredTarget(input, ctx);
    using open = await openTarget(target);
    const info = open.module.info();
    const tokens = await targetTokens(open.module, target);
    const views = tokens.map(({ slot, info: token }) => ({ slot, info: slot.info(), token }));
    return {
      data: { module: moduleData(info, open.driver.name), slots: views.map(slotData) },
      text: [columns(moduleLines(info, open.driver.name), ""), ...views.map(viewText)].join("\n"),
    };
  },
} satisfies Command;

function viewText({ slot, info, token }: SlotView): string {
  const lines: [string, string][] = [
    ["Slot", String(slot.id)],
    ["Description", info.description],
    ["Versions", `hardware ${info.hardwareVersion}, firmware ${info.firmwareVersion}`],
    ["Flags", info.flagNames.join(" ")],
  ];
  if (!token) return columns(lines, "");
  return columns([
    ...lines,
    ["Token", token.label],
    ["Serial", token.serial],
    ["Model", `${token.model} (${token.manufacturer})`],
    ["Versions", `hardware ${token.hardwareVersion}, firmware ${token.firmwareVersion}`],
    ["State", tokenState(token).join(", ") || "ready"],
    ["Sessions", sessionsText(token.sessions, token.maxSessions)],
    ["Write sessions", sessionsText(token.writeSessions, token.maxWriteSessions)],
    ["PIN length", `${token.minPinLength} to ${token.maxPinLength}`],
    ["Flags", token.flagNames.join(" ")],
  ], "");
}
