// The shell text gave Deno a home and a cache of its own; the program, and what it starts, have the caller's again.
for (const name of ["HOME", "DENO_DIR"]) {
  const before = Deno.env.get(`QPKI_CALLER_${name}`);
  if (before === undefined) Deno.env.delete(name);
  else Deno.env.set(name, before);
  Deno.env.delete(`QPKI_CALLER_${name}`);
}
for (const name of ["DENO_NO_UPDATE_CHECK", "DENO_DISABLE_NODE_SHIM"]) Deno.env.delete(name);
