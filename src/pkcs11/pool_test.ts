import assert from "node:assert/strict";
import { FakeToken, type FakeTokenOptions } from "../../tests/support/fake_token.ts";
import { Secret } from "../bytes.ts";
import type { TokenError } from "../errors.ts";
import { CKR } from "./constants.ts";
import { Login } from "./login.ts";
import { Module } from "./module.ts";
import { SessionPool } from "./pool.ts";
import type { Session } from "./session.ts";

interface Setup {
  fake: FakeToken;
  pool: SessionPool;
  asked: () => number;
}

function setup(options: FakeTokenOptions & { size?: number; logoutAfterUse?: boolean } = {}): Setup {
  const fake = new FakeToken(options);
  const slot = Module.load("fake", { ffi: fake }).slots()[0]!;
  let asked = 0;
  const login = new Login(slot, {
    pin: () => {
      asked++;
      return Promise.resolve(new Secret("1234"));
    },
    notify: () => {},
  });
  const { size = 1, logoutAfterUse = false } = options;
  return {
    fake,
    pool: new SessionPool(slot, { token: { label: "Fake", serial: "" }, size, login, logoutAfterUse }),
    asked: () => asked,
  };
}

function find(session: Session): Promise<unknown> {
  return session.find({}, { action: "look" });
}

Deno.test("one session and one login serve any number of calls", async () => {
  const { fake, pool, asked } = setup();
  await Promise.all(Array.from({ length: 20 }, () => pool.withSession(find)));
  assert.equal(fake.log.filter((name) => name === "C_OpenSession").length, 1);
  assert.deepEqual(fake.pins, ["1234"]);
  assert.equal(asked(), 1);
  await pool.dispose();
  assert.equal(fake.openSessions, 0);
  await assert.rejects(pool.withSession(find), { code: "token.closed" });
});

for (
  const name of [
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_SESSION_CLOSED",
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_REMOVED",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_USER_NOT_LOGGED_IN",
  ] as const
) {
  Deno.test(`a session that saw ${name} is closed, and idempotent work succeeds on a fresh one`, async () => {
    const { fake, pool, asked } = setup({ answers: { C_FindObjects: [CKR[name]] } });
    await pool.withSession(find, { idempotent: true });
    assert.equal(fake.log.filter((call) => call === "C_OpenSession").length, 2);
    assert.equal(fake.openSessions, 1);
    // the login went with the only session; the PIN source is not asked again
    assert.deepEqual([fake.pins, asked()], [["1234", "1234"], 1]);
    await pool.dispose();
  });
}

Deno.test("work that must not run twice fails, and the next call finds a fresh session", async () => {
  const { fake, pool } = setup({ answers: { C_FindObjects: [CKR.CKR_SESSION_HANDLE_INVALID] } });
  await assert.rejects(pool.withSession(find), { rvName: "CKR_SESSION_HANDLE_INVALID" });
  await pool.withSession(find);
  assert.equal(fake.log.filter((call) => call === "C_OpenSession").length, 2);
  await pool.dispose();
});

Deno.test("a second loss in a row is reported, not retried for ever", async () => {
  const { fake, pool } = setup({ answers: { C_FindObjects: Array(9).fill(CKR.CKR_DEVICE_REMOVED) } });
  await assert.rejects(pool.withSession(find, { idempotent: true }), { rvName: "CKR_DEVICE_REMOVED" });
  assert.equal(fake.log.filter((call) => call === "C_FindObjects").length, 2);
  await pool.dispose();
});

Deno.test("an unknown state closes the session, a refused argument does not", async () => {
  const { fake, pool } = setup({ answers: { C_FindObjectsInit: [CKR.CKR_OPERATION_ACTIVE, CKR.CKR_ARGUMENTS_BAD] } });
  await assert.rejects(pool.withSession(find), { rvName: "CKR_OPERATION_ACTIVE" });
  assert.equal(fake.openSessions, 0);
  await assert.rejects(pool.withSession(find), { rvName: "CKR_ARGUMENTS_BAD" });
  assert.equal(fake.openSessions, 1);
  await pool.withSession(find);
  assert.equal(fake.log.filter((call) => call === "C_OpenSession").length, 2);
  await pool.dispose();
});

Deno.test("a pool opens no more sessions than asked for, and makes do with what the token allows", async () => {
  for (const maxSessions of [undefined, 2]) {
    const { fake, pool } = setup({ size: 4, ...(maxSessions === undefined ? {} : { maxSessions }) });
    let most = 0;
    await Promise.all(Array.from({ length: 30 }, () =>
      pool.withSession(async (session) => {
        await find(session);
        most = Math.max(most, fake.openSessions);
      })));
    assert.equal(most, maxSessions ?? 4);
    assert.deepEqual(fake.pins, ["1234"]);
    await pool.dispose();
    assert.equal(fake.openSessions, 0);
  }
});

Deno.test("a token without a free session says so", async () => {
  const { pool } = setup({ maxSessions: 0 });
  await assert.rejects(pool.withSession(find), (error: TokenError) => {
    assert.equal(error.message, "Cannot open a session with the token in slot 7: CKR_SESSION_COUNT (0xb1)");
    assert.match(error.hint!, /close other clients/);
    return true;
  });
});

Deno.test("opening a session is tried again after an error without reason", async () => {
  const { pool } = setup({ answers: { C_OpenSession: [CKR.CKR_GENERAL_ERROR, CKR.CKR_FUNCTION_FAILED] } });
  await pool.withSession(find);
  await pool.dispose();
});

Deno.test("logoutAfterUse logs out whenever nothing is under way, and only then", async () => {
  const { fake, pool, asked } = setup({ size: 2, logoutAfterUse: true });
  await Promise.all([pool.withSession(find), pool.withSession(find), pool.withSession(find)]);
  assert.equal(fake.loggedIn, false);
  assert.equal(fake.log.filter((name) => name === "C_Logout").length, 1);
  await pool.withSession((session) => {
    assert.equal(fake.loggedIn, true);
    return find(session);
  });
  assert.equal(fake.loggedIn, false);
  assert.deepEqual([fake.pins.length, asked()], [2, 1]);
  await pool.dispose();
});
