import assert from "node:assert/strict";
import { FakeToken } from "../../tests/support/fake_token.ts";
import { Secret } from "../bytes.ts";
import type { TokenError } from "../errors.ts";
import { Login, type LoginOptions } from "./login.ts";
import { Module } from "./module.ts";
import { Session } from "./session.ts";

const READY = ["CKF_LOGIN_REQUIRED", "CKF_USER_PIN_INITIALIZED", "CKF_TOKEN_INITIALIZED"];

interface Attempt {
  fake: FakeToken;
  login: Login;
  session: Session;
  notes: string[];
  secrets: Uint8Array[];
}

function attempt(flags: readonly string[], options: Partial<LoginOptions> & { text?: string } = {}): Attempt {
  const fake = new FakeToken({ flags });
  const slot = Module.load("fake", { ffi: fake }).slots()[0]!;
  const notes: string[] = [];
  const secrets: Uint8Array[] = [];
  const secret = new Secret(options.text ?? "1234");
  const bytes = secret.bytes.bind(secret);
  secret.bytes = () => {
    const out = bytes();
    secrets.push(out);
    return out;
  };
  const login = new Login(slot, {
    pin: () => Promise.resolve(secret),
    notify: (text) => notes.push(text),
    ...options,
  });
  return { fake, login, session: Session.open(slot), notes, secrets };
}

Deno.test("the PIN goes to C_Login once, as bytes that are wiped", async () => {
  const { fake, login, session, secrets, notes } = attempt(READY);
  await Promise.all([login.ensure(session), login.ensure(session)]);
  await login.ensure(session);
  assert.deepEqual(fake.pins, ["1234"]);
  assert.deepEqual([...secrets[0]!], [0, 0, 0, 0]);
  assert.deepEqual(notes, []);
});

const REFUSED: [flag: string, code: string, message: RegExp][] = [
  ["CKF_USER_PIN_LOCKED", "pin.locked", /^Cannot log in to token "Fake": the PIN is locked \(CKF_USER_PIN_LOCKED\)$/],
  ["CKF_USER_PIN_FINAL_TRY", "pin.final_try", /^Cannot log in to token "Fake": one more wrong PIN locks the token/],
];

for (const [flag, code, message] of REFUSED) {
  Deno.test(`${flag} is read before the PIN is risked`, async () => {
    const { fake, login, session } = attempt([...READY, flag]);
    await assert.rejects(login.ensure(session), (error: TokenError) => {
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(fake.pins, []);
  });
}

Deno.test("the final try is taken only when allowed, and said", async () => {
  const { fake, login, session, notes } = attempt([...READY, "CKF_USER_PIN_FINAL_TRY"], { allowFinalTry: true });
  await login.ensure(session);
  assert.deepEqual(fake.pins, ["1234"]);
  assert.match(notes[0]!, /last try/);
});

Deno.test("a low count is said, not refused", async () => {
  const { fake, login, session, notes } = attempt([...READY, "CKF_USER_PIN_COUNT_LOW"]);
  await login.ensure(session);
  assert.deepEqual(fake.pins, ["1234"]);
  assert.match(notes[0]!, /CKF_USER_PIN_COUNT_LOW/);
});

Deno.test("a token without a user PIN is not asked", async () => {
  const { fake, login, session } = attempt(["CKF_LOGIN_REQUIRED", "CKF_TOKEN_INITIALIZED"]);
  await assert.rejects(login.ensure(session), { code: "pin.not_initialized" });
  assert.deepEqual(fake.pins, []);
});

Deno.test("a token that wants no login gets none", async () => {
  const { fake, login, session } = attempt(["CKF_TOKEN_INITIALIZED"]);
  await login.ensure(session);
  assert.deepEqual(fake.pins, []);
});

Deno.test("a protected authentication path gets a null PIN, and the operator a word", async () => {
  const { fake, login, session, notes, secrets } = attempt([...READY, "CKF_PROTECTED_AUTHENTICATION_PATH"]);
  await login.ensure(session);
  assert.deepEqual(fake.pins, [null]);
  assert.equal(secrets.length, 0);
  assert.match(notes[0]!, /at the device/);
});

Deno.test("a wrong PIN is tried once, whatever is asked of the login later", async () => {
  const { fake, login, session } = attempt(READY, { text: "9999" });
  for (let i = 0; i < 3; i++) {
    await assert.rejects(login.ensure(session), (error: TokenError) => {
      assert.equal(error.message, 'Cannot log in to token "Fake": CKR_PIN_INCORRECT (0xa0)');
      assert.deepEqual([error.code, error.functionName, error.rv], ["pin.incorrect", "C_Login", 0xa0]);
      assert.match(error.hint!, /tried once .* gives no warning yet/);
      return true;
    });
  }
  assert.deepEqual(fake.pins, ["9999"]);
});

Deno.test("after a wrong PIN the hint tells what the token's flags say now", async () => {
  const { fake, login, session } = attempt(READY, {
    pin: () => {
      // the flags change because of the wrong PIN that is on its way
      fake.flags += 0x40000;
      return Promise.resolve(new Secret("9999"));
    },
  });
  await assert.rejects(login.ensure(session), (error: TokenError) => /locked now/.test(error.hint!));
});

Deno.test("no PIN at all names what to set", async () => {
  const { login, session } = attempt(READY, { pin: () => Promise.resolve(undefined) });
  await assert.rejects(login.ensure(session), { code: "pin.missing" });
});
