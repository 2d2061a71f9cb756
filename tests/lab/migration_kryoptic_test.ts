import { registerMigrations } from "./migration.ts";

await registerMigrations("kryoptic");
