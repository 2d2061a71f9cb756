import type { Bytes } from "../bytes.ts";
import { TokenError } from "../errors.ts";
import { AttributeQuery, Attributes, encodeTemplate, type Template } from "./attributes.ts";
import { CKR } from "./constants.ts";
import { isSessionSpoilt, tokenError } from "./errors.ts";
import type { Arg, Ffi, FunctionName } from "./ffi.ts";
import { allocate, allocateCopy, CK_SESSION_INFO, readUlong, type Ulong, ulongBytes, writeUlong } from "./layout.ts";
import { hexNumber } from "./names.ts";
import type { Slot } from "./slot.ts";

/** Handle of an object; meaningless after the login or the session ended. */
export type ObjectHandle = Ulong;

/** One signature to make. */
export interface SignJob {
  readonly key: ObjectHandle;
  /** CK_MECHANISM in memory. */
  readonly mechanism: Bytes;
  /** Bytes for C_Sign. */
  readonly data: Uint8Array;
  /** Room for the answer, in bytes; a longer answer costs a second call. */
  readonly capacity: number;
  /** Context-specific login of an ALWAYS_AUTHENTICATE key, after C_SignInit. */
  readonly authenticate?: ((session: Session) => Promise<void>) | undefined;
  /** For messages, after "Cannot ": `sign with key "x"`. */
  readonly action: string;
}

/** A secret to make from a ciphertext. */
export interface DecapsulateJob extends Pick<SignJob, "key" | "mechanism" | "action"> {
  /** C_DecapsulateKey, or C_DeriveKey with the ciphertext in the mechanism's parameter. */
  readonly call: "decapsulate" | "derive";
  readonly ciphertext: Uint8Array;
  readonly template: Template;
}

/** How sessions work. */
export interface SessionOptions {
  /** Calls run on other threads. */
  readonly async?: boolean;
  readonly write?: boolean;
}

/** Longest attribute value that is read; a module that states more is not believed. */
const MAX_ATTRIBUTE_BYTES = 1 << 20;
const MAX_OBJECTS = 1_000_000;

/**
 * One session. Its calls must not overlap: it is borrowed through `SessionPool.withSession`. After an error that leaves
 * its state unknown it is `spoilt`, and must be closed.
 */
export class Session {
  readonly slot: Slot;
  readonly write: boolean;
  readonly #handle: Ulong;
  readonly #ffi: Ffi;
  readonly #async: boolean;
  readonly #length: Bytes;
  #answer: Bytes;
  #spoilt = false;
  #closed = false;

  private constructor(slot: Slot, handle: Ulong, options: SessionOptions) {
    this.slot = slot;
    this.write = options.write ?? false;
    this.#handle = handle;
    this.#ffi = slot.module.ffi;
    this.#async = options.async ?? false;
    this.#length = ulongBytes(this.#ffi.platform, 0);
    this.#answer = allocate(1024);
  }

  /** C_OpenSession. @throws {TokenError} */
  static open(slot: Slot, options: SessionOptions = {}): Session {
    const { ffi } = slot.module;
    const CKF_SERIAL_SESSION = 4;
    const CKF_RW_SESSION = 2;
    const handle = ulongBytes(ffi.platform, 0);
    const flags = CKF_SERIAL_SESSION | (options.write || slot.module.has("write-sessions") ? CKF_RW_SESSION : 0);
    const rv = ffi.call("C_OpenSession", slot.id, flags, null, null, handle);
    slot.module.check(rv, "C_OpenSession", `open a session with the token in slot ${slot.id}`);
    return new Session(slot, readUlong(ffi.platform, handle), options);
  }

  /** Whether the session must not be used again. */
  get spoilt(): boolean {
    return this.#spoilt || this.#closed;
  }

  /** C_GetSessionInfo: whether a user is logged in to the token. @throws {TokenError} */
  userIsLoggedIn(): boolean {
    const bytes = CK_SESSION_INFO.allocate(this.#ffi.platform);
    const rv = this.#ffi.call("C_GetSessionInfo", this.#handle, bytes);
    if (rv !== CKR.CKR_OK) throw this.#failure("read the state of a session", "C_GetSessionInfo", rv);
    const state = CK_SESSION_INFO.number(this.#ffi.platform, bytes, "state");
    const CKS_RO_USER_FUNCTIONS = 1;
    const CKS_RW_USER_FUNCTIONS = 3;
    return state === CKS_RO_USER_FUNCTIONS || state === CKS_RW_USER_FUNCTIONS;
  }

  /** C_Login; a null PIN means the token's own PIN pad. Returns CK_RV, because several values are answers. */
  async login(userType: number, pin: Uint8Array | null): Promise<number> {
    return await this.#call("C_Login", this.#handle, userType, pin, pin?.length ?? 0);
  }

  /** The session cannot be used again: an operation in it was left open. */
  spoil(): void {
    this.#spoilt = true;
  }

  /** C_Logout; the answer does not matter, the login ends with the sessions at the latest. */
  logout(): void {
    this.#ffi.call("C_Logout", this.#handle);
  }

  /** Handles of the objects that match. @throws {TokenError} */
  async find(template: Template, { action, batch = 64 }: { action: string; batch?: number }): Promise<ObjectHandle[]> {
    const { platform } = this.#ffi;
    const encoded = encodeTemplate(this.#ffi, template);
    await this.#must(action, "C_FindObjectsInit", this.#handle, encoded.bytes, encoded.count);
    const found: ObjectHandle[] = [];
    try {
      const list = allocate(batch * platform.ulong);
      while (found.length < MAX_OBJECTS) {
        await this.#must(action, "C_FindObjects", this.#handle, list, batch, this.#length);
        const count = Math.min(batch, Number(readUlong(platform, this.#length)));
        for (let i = 0; i < count; i++) found.push(readUlong(platform, list, i * platform.ulong));
        if (count === 0) break;
      }
    } catch (error) {
      await this.#call("C_FindObjectsFinal", this.#handle);
      throw error;
    }
    await this.#must(action, "C_FindObjectsFinal", this.#handle);
    return found;
  }

  /** Reads attributes by name; those the object lacks or hides are absent from the result. @throws {TokenError} */
  async attributes(object: ObjectHandle, names: readonly string[], action: string): Promise<Attributes> {
    if (names.length > 1 && this.slot.module.has("one-attribute")) return await this.#eachAlone(object, names, action);
    const values = new Map<string, Bytes>();
    const lengths = new AttributeQuery(this.#ffi, names);
    await this.#read(object, lengths, action);
    const wanted = names.map((_, i) => lengths.length(i))
      .map((length) => length !== undefined && length <= MAX_ATTRIBUTE_BYTES ? length : undefined);
    const present = names.filter((_, i) => wanted[i] !== undefined);
    const query = new AttributeQuery(this.#ffi, present, wanted.filter((length) => length !== undefined));
    if (present.length > 0) await this.#read(object, query, action);
    present.forEach((name, i) => {
      const value = query.value(i);
      if (value !== undefined) values.set(name, value);
    });
    return new Attributes(this.#ffi.platform, values);
  }

  async #eachAlone(object: ObjectHandle, names: readonly string[], action: string): Promise<Attributes> {
    const values = new Map<string, Bytes>();
    for (const name of names) {
      try {
        const value = (await this.attributes(object, [name], action)).bytes(name);
        if (value) values.set(name, value);
      } catch (error) {
        if (!(error instanceof TokenError) || error.rv !== CKR.CKR_FUNCTION_FAILED) throw error;
        this.#spoilt = false;
      }
    }
    return new Attributes(this.#ffi.platform, values);
  }

  /** C_GenerateKeyPair. @throws {TokenError} */
  async generateKeyPair(
    mechanism: Bytes,
    templates: { readonly public: Template; readonly private: Template },
    action: string,
  ): Promise<{ readonly public: ObjectHandle; readonly private: ObjectHandle }> {
    const { platform } = this.#ffi;
    const [publicTemplate, privateTemplate] = [templates.public, templates.private]
      .map((template) => encodeTemplate(this.#ffi, template)) as [
        ReturnType<typeof encodeTemplate>,
        ReturnType<typeof encodeTemplate>,
      ];
    const handles = { public: ulongBytes(platform, 0), private: ulongBytes(platform, 0) };
    await this.#must(
      action,
      "C_GenerateKeyPair",
      this.#handle,
      mechanism,
      publicTemplate.bytes,
      publicTemplate.count,
      privateTemplate.bytes,
      privateTemplate.count,
      handles.public,
      handles.private,
    );
    return { public: readUlong(platform, handles.public), private: readUlong(platform, handles.private) };
  }

  /** C_CreateObject. @throws {TokenError} */
  async create(template: Template, action: string): Promise<ObjectHandle> {
    const { bytes, count } = encodeTemplate(this.#ffi, template);
    const handle = ulongBytes(this.#ffi.platform, 0);
    await this.#must(action, "C_CreateObject", this.#handle, bytes, count, handle);
    return readUlong(this.#ffi.platform, handle);
  }

  /** C_DestroyObject. @throws {TokenError} */
  async destroy(object: ObjectHandle, action: string): Promise<void> {
    await this.#must(action, "C_DestroyObject", this.#handle, object);
  }

  /** C_SignInit and C_Sign. @throws {TokenError} */
  async sign(job: SignJob): Promise<Bytes> {
    const { platform } = this.#ffi;
    // a synchronous call answers with a number, and waiting for one would cost a turn of the event loop
    let rv = this.#call("C_SignInit", this.#handle, job.mechanism, job.key);
    if (typeof rv !== "number") rv = await rv;
    if (rv !== CKR.CKR_OK) throw this.#failure(job.action, "C_SignInit", rv);
    if (job.authenticate) await job.authenticate(this);
    if (this.slot.module.has("probe-length")) {
      await this.#must(job.action, "C_Sign", this.#handle, job.data, job.data.length, null, this.#length);
      this.#makeRoom(Number(readUlong(platform, this.#length)));
    } else this.#makeRoom(job.capacity);
    return await this.#answered("C_Sign", job);
  }

  /** C_EncryptInit and C_Encrypt. @throws {TokenError} */
  async encrypt(job: SignJob): Promise<Bytes> {
    await this.#must(job.action, "C_EncryptInit", this.#handle, job.mechanism, job.key);
    this.#makeRoom(job.capacity);
    return await this.#answered("C_Encrypt", job);
  }

  /** C_DecapsulateKey or C_DeriveKey: the secret's handle. @throws {TokenError} */
  async decapsulate(job: DecapsulateJob): Promise<ObjectHandle> {
    const { bytes, count } = encodeTemplate(this.#ffi, job.template);
    const secret = ulongBytes(this.#ffi.platform, 0);
    const start = [this.#handle, job.mechanism, job.key, bytes, count] as const;
    if (job.call === "derive") await this.#must(job.action, "C_DeriveKey", ...start, secret);
    else {
      const ciphertext = allocateCopy(job.ciphertext);
      await this.#must(job.action, "C_DecapsulateKey", ...start, ciphertext, ciphertext.length, secret);
    }
    return readUlong(this.#ffi.platform, secret);
  }

  /** C_EncapsulateKey. @throws {TokenError} */
  async encapsulate(
    job: Pick<DecapsulateJob, "key" | "mechanism" | "template" | "action"> & { readonly capacity: number },
  ): Promise<{ readonly ciphertext: Bytes; readonly secret: ObjectHandle }> {
    const { platform } = this.#ffi;
    const { bytes, count } = encodeTemplate(this.#ffi, job.template);
    const secret = ulongBytes(platform, 0);
    const ciphertext = allocate(job.capacity);
    writeUlong(platform, this.#length, { value: ciphertext.length });
    await this.#must(
      job.action,
      "C_EncapsulateKey",
      this.#handle,
      job.mechanism,
      job.key,
      bytes,
      count,
      ciphertext,
      this.#length,
      secret,
    );
    const length = Number(readUlong(platform, this.#length));
    return { ciphertext: ciphertext.slice(0, length), secret: readUlong(platform, secret) };
  }

  /** A loop's body that signs the same bytes again and again, without checks between: for measuring C_Sign alone. */
  rawSigner(job: SignJob): { sync(): void; async(): Promise<void> } {
    this.#makeRoom(job.capacity);
    const { platform } = this.#ffi;
    const exact = job.capacity > 0 && this.slot.module.has("exact-room");
    const room = exact ? this.#answer.subarray(0, job.capacity) : this.#answer;
    const length = this.#length;
    const init = [this.#handle, job.mechanism, job.key] as const;
    const sign = [this.#handle, job.data, job.data.length, room, length] as const;
    const must = (name: FunctionName, rv: number) => {
      if (rv !== CKR.CKR_OK) throw this.#failure(job.action, name, rv);
    };
    return {
      sync: () => {
        must("C_SignInit", this.#ffi.call("C_SignInit", ...init));
        writeUlong(platform, length, { value: room.length });
        must("C_Sign", this.#ffi.call("C_Sign", ...sign));
      },
      async: async () => {
        must("C_SignInit", await this.#ffi.callAsync("C_SignInit", ...init));
        writeUlong(platform, length, { value: room.length });
        must("C_Sign", await this.#ffi.callAsync("C_Sign", ...sign));
      },
    };
  }

  /** C_CloseSession, once; a session that is dead already needs none. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ffi.call("C_CloseSession", this.#handle);
  }

  /** C_GetAttributeValue; objects that lack or hide some of the attributes are no failure. */
  async #read(object: ObjectHandle, query: AttributeQuery, action: string): Promise<void> {
    const rv = await this.#call("C_GetAttributeValue", this.#handle, object, query.bytes, query.names.length);
    if (rv !== CKR.CKR_OK && !PARTIAL.has(rv)) throw this.#failure(action, "C_GetAttributeValue", rv);
  }

  /** The answer of a function that takes data; a longer one than expected costs a second call. */
  async #answered(name: "C_Sign" | "C_Encrypt", job: SignJob): Promise<Bytes> {
    const { platform } = this.#ffi;
    const exact = job.capacity > 0 && this.slot.module.has("exact-room");
    for (let tries = 0;; tries++) {
      const room = exact && tries === 0 ? job.capacity : this.#answer.length;
      writeUlong(platform, this.#length, { value: room });
      let rv = this.#call(name, this.#handle, job.data, job.data.length, this.#answer, this.#length);
      if (typeof rv !== "number") rv = await rv;
      const length = Number(readUlong(platform, this.#length));
      if (rv === CKR.CKR_OK) return this.#answer.slice(0, length);
      // the operation stays open, and the length is the one needed
      const grow = rv === CKR.CKR_BUFFER_TOO_SMALL && length > room && length <= MAX_ATTRIBUTE_BYTES;
      if (!grow || tries > 0) throw this.#failure(job.action, name, rv);
      this.#makeRoom(length);
    }
  }

  #makeRoom(length: number): void {
    if (this.#answer.length < length) this.#answer = allocate(length);
  }

  #call(name: FunctionName, ...args: readonly Arg[]): number | Promise<number> {
    return this.#async ? this.#ffi.callAsync(name, ...args) : this.#ffi.call(name, ...args);
  }

  async #must(action: string, name: FunctionName, ...args: readonly Arg[]): Promise<void> {
    const rv = await this.#call(name, ...args);
    if (rv !== CKR.CKR_OK) throw this.#failure(action, name, rv);
  }

  #failure(action: string, functionName: FunctionName, rv: number): Error {
    const { hints, lost } = this.slot.module;
    const error = tokenError({ functionName, rv, action, hints, lost }, this.#deviceError(rv));
    this.#spoilt ||= isSessionSpoilt(error);
    return error;
  }

  /** Many modules keep their real reason in ulDeviceError. */
  #deviceError(rv: number): { hint?: string } {
    if (rv !== CKR.CKR_DEVICE_ERROR && rv !== CKR.CKR_FUNCTION_FAILED && rv !== CKR.CKR_GENERAL_ERROR) return {};
    const bytes = CK_SESSION_INFO.allocate(this.#ffi.platform);
    if (this.#ffi.call("C_GetSessionInfo", this.#handle, bytes) !== CKR.CKR_OK) return {};
    const device = CK_SESSION_INFO.number(this.#ffi.platform, bytes, "ulDeviceError");
    return device === 0 ? {} : { hint: `The device gives the error number ${hexNumber(device)}; see its manual` };
  }
}

/** Answers of C_GetAttributeValue that leave the other attributes filled in (PKCS#11 3.2 section 5.7.5). */
const PARTIAL: ReadonlySet<number> = new Set<number>([
  CKR.CKR_ATTRIBUTE_SENSITIVE,
  CKR.CKR_ATTRIBUTE_TYPE_INVALID,
  CKR.CKR_BUFFER_TOO_SMALL,
]);
