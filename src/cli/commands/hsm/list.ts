import { QpkiError, TokenError } from "../../../errors.ts";
import type { Command, CommandResult, Context } from "../../command.ts";
import { moduleData, slotData, type SlotView, slotViews } from "../../hsm_describe.ts";
import type { FoundModule } from "../../hsm_modules.ts";
import { type HsmTarget, hsmTarget, openTarget, TARGET_FLAGS, tokenState } from "../../hsm_target.ts";
import { errorJson } from "../../output.ts";
import { table } from "../../table.ts";

interface Listing {
  readonly data: Record<string, unknown>;
  readonly text: string;
}

/** `qpki hsm list`. */
export default {
  summary: "List slots and tokens; needs no configuration and no PIN",
  details: "Without --lib and --hsm-config it looks into every library that p11-kit's configuration names\n" +
    "or that lies where a known vendor installs it.",
  flags: TARGET_FLAGS,
  examples: [
    "qpki hsm list",
    "qpki hsm list --lib /usr/lib/softhsm/libsofthsm2.so",
    "qpki hsm list --hsm-config ./hsm.yaml --json",
  ],
  async run(input, ctx) {
    const target = await hsmTarget(input, ctx);
    if (!target) return await listFound(ctx);
    const listing = await listModule(target);
    return { data: { modules: [listing.data] }, text: listing.text };
  },
} satisfies Command;

async function listModule(target: HsmTarget): Promise<Listing> {
  using open = await openTarget(target);
  const info = open.module.info();
  const slots = slotViews(open.module);
  return {
    data: { ...moduleData(info, open.driver.name), slots: slots.map(slotData) },
    text: `${info.path}: ${info.description} ${info.libraryVersion} (${info.manufacturer})\n\n${slotTable(slots)}`,
  };
}

function slotTable(slots: readonly SlotView[]): string {
  if (slots.length === 0) return "No slots\n";
  const rows = slots.map(({ slot, info, token }) =>
    token
      ? [String(slot.id), token.label || "-", token.serial || "-", token.model, tokenState(token).join(", ") || "ready"]
      : [String(slot.id), "-", "-", info.description, "no token"]
  );
  return `${table(["SLOT", "TOKEN", "SERIAL", "MODEL", "STATE"], rows)}\n`;
}

async function listFound(ctx: Context): Promise<CommandResult> {
  const { findModules, usualPlaces } = await import("../../hsm_modules.ts");
  const modules = await findModules(usualPlaces(ctx.env("HOME")));
  if (modules.length === 0) {
    throw new TokenError(
      "Cannot find a PKCS#11 library: neither p11-kit's configuration nor a usual path leads to one",
      {
        code: "module.none_found",
        hint: "Name the library: qpki hsm list --lib /path/to/library.so",
      },
    );
  }
  const listings: Listing[] = [];
  for (const module of modules) listings.push(await tryModule(module));
  const failed = listings.every((listing) => "error" in listing.data);
  return {
    data: { modules: listings.map((listing) => listing.data) },
    text: listings.map((listing) => listing.text).join("\n"),
    ...(failed ? { exit: 3 as const } : {}),
  };
}

/** One library among many: what fails is told in its place. */
async function tryModule({ path, source }: FoundModule): Promise<Listing> {
  try {
    const { data, text } = await listModule({ lib: path });
    return { data: { ...data, source }, text };
  } catch (error) {
    if (!(error instanceof QpkiError)) throw error;
    return { data: { path, source, error: errorJson(error) }, text: `${path}: ${error.message}\n` };
  }
}
