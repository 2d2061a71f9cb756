import type { Command } from "../command.ts";
import { completionScript, type Shell, SHELLS } from "../completion.ts";

/** `qpki completion SHELL`. */
export default {
  summary: "Print a script that makes a shell complete qpki's commands",
  details:
    "Completes nouns, verbs, flags, and the names of profiles, algorithms, versions and files. The head of each script says how to load it.",
  args: [{ name: "shell", description: "bash, zsh, fish or powershell", required: true, choices: SHELLS }],
  flags: [],
  examples: ["qpki completion bash", "qpki completion fish"],
  run(input) {
    const shell = input.argument("shell") as Shell;
    const script = completionScript(shell);
    return Promise.resolve({ data: { shell, script }, text: script });
  },
} satisfies Command;
