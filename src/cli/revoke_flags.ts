import type { Flag } from "./command.ts";

const REASONS = [
  ...["unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation"],
  ...["certificateHold", "privilegeWithdrawn", "aACompromise"],
];

/** Flags of the commands that revoke. */

/** Why. */
export const REASON: Flag = {
  name: "reason",
  short: "r",
  value: "REASON",
  default: "unspecified",
  suggestions: REASONS,
  description: `${REASONS.slice(0, -1).join(", ")} or ${REASONS.at(-1)}`,
};

/** Whether others learn of it at once. */
export const GEN_CRL: Flag = { name: "gen-crl", description: "make a new CRL at once" };

/** How long that CRL counts. */
export const CRL_DAYS: Flag = {
  name: "crl-days",
  value: "N",
  default: "7",
  description: "days until the CRL's nextUpdate",
};
