import { registerMatrix } from "./matrix.ts";

await registerMatrix("softhsm");
