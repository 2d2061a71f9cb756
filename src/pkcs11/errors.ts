import { TokenError, type TokenErrorDetails } from "../errors.ts";
import { CKR } from "./constants.ts";
import { constantName, describeConstant } from "./names.ts";

/** Names of the standard's return values. */
export type CkrName = keyof typeof CKR;

/** What the operator can do about a return value; a driver may refine a row, or add a vendor's own (`0x80000001`). */
export type HintTable = Readonly<Partial<Record<CkrName | `0x${string}`, string>>>;

/** Default hints. Values that need none, or whose message says all, are absent. */
export const HINTS: HintTable = {
  CKR_ARGUMENTS_BAD: "The module refuses an argument; check its configuration file and environment",
  CKR_ATTRIBUTE_READ_ONLY: "The token fixes this attribute itself; a driver for this token may leave it out",
  CKR_ATTRIBUTE_SENSITIVE: "The token does not reveal this value",
  CKR_ATTRIBUTE_TYPE_INVALID: "The token does not know an attribute; a driver for this token may leave it out",
  CKR_ATTRIBUTE_VALUE_INVALID:
    "The token refuses a value, for example a curve or a key size; see `qpki hsm mechanisms`",
  CKR_CANT_LOCK: "The module cannot be used by several threads; set `sessions: 1`",
  CKR_CRYPTOKI_NOT_INITIALIZED: "The module was shut down by another part of the process; run the command again",
  CKR_CURVE_NOT_SUPPORTED: "The token lacks this curve; choose another algorithm",
  CKR_DEVICE_ERROR: "The device reports a fault; check its own log and status lights",
  CKR_DEVICE_MEMORY: "The device is full or out of session memory; remove objects or close other clients",
  CKR_DEVICE_REMOVED: "The device was unplugged or lost its connection",
  CKR_FUNCTION_FAILED: "The module gives no reason; its own log may",
  CKR_FUNCTION_NOT_SUPPORTED: "The module does not implement this function",
  CKR_GENERAL_ERROR: "The module gives no reason; check its configuration, its log and that its service is reachable",
  CKR_HOST_MEMORY: "This computer is out of memory",
  CKR_KEY_FUNCTION_NOT_PERMITTED: "The key was made for another use; see its attributes with `qpki key info`",
  CKR_KEY_SIZE_RANGE: "The token does not do this key size; see `qpki hsm mechanisms`",
  CKR_MECHANISM_INVALID: "The token lacks this mechanism; see `qpki hsm mechanisms`",
  CKR_MECHANISM_PARAM_INVALID:
    "The token refuses the parameters of this mechanism, for example a hash or a salt length",
  CKR_NEED_TO_CREATE_THREADS: "The module must be allowed to create threads",
  CKR_OPERATION_ACTIVE: "An earlier operation was left open in the session; run the command again",
  CKR_PARAMETER_SET_NOT_SUPPORTED: "The token lacks this parameter set; choose another algorithm",
  CKR_PIN_EXPIRED: "Set a new PIN with the vendor's tool",
  CKR_PIN_INCORRECT: "Check the PIN source; the PIN was tried once and is not tried again",
  CKR_PIN_INVALID: "The PIN has characters that the token does not take",
  CKR_PIN_LEN_RANGE: "The PIN is too short or too long for the token",
  CKR_PIN_LOCKED: "The security officer must set a new PIN",
  CKR_SESSION_COUNT: "The token allows no further session; close other clients or lower `sessions`",
  CKR_SESSION_READ_ONLY: "Writing needs a read-write session",
  CKR_SLOT_ID_INVALID: "Slot numbers may change; select the token by label or serial",
  CKR_TEMPLATE_INCOMPLETE: "The token wants a further attribute; it may need a driver of its own",
  CKR_TEMPLATE_INCONSISTENT: "The token refuses the combination of attributes; it may need a driver of its own",
  CKR_TOKEN_NOT_PRESENT: "Insert the token, or check the connection to the device",
  CKR_TOKEN_NOT_RECOGNIZED: "The device does not answer as a token of this module",
  CKR_TOKEN_WRITE_PROTECTED: "The token is read-only",
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: "Another user of this process is logged in to the token",
  CKR_USER_NOT_LOGGED_IN: "The login was lost; run the command again",
  CKR_USER_PIN_NOT_INITIALIZED: "The security officer must set the user PIN first",
  CKR_USER_TOO_MANY_TYPES: "Another user of this process is logged in to the token",
};

/** What a {@link tokenError} is about. */
export interface FailedCall {
  /** C function, for example `C_Login`. */
  readonly functionName: string;
  /** CK_RV. */
  readonly rv: number;
  /** What was being done, after "Cannot ": `log in to token "X"`. */
  readonly action: string;
  /** Hints of the driver, before the default ones. */
  readonly hints?: HintTable | undefined;
  /** Return values of the vendor's own after which session and login are gone. */
  readonly lost?: ReadonlySet<number> | undefined;
}

/** Code of an error after which session and login are gone, where only a driver knows the number. */
const SESSION_LOST = "session.lost";

/** The error of a PKCS#11 call that did not return CKR_OK. */
export function tokenError(call: FailedCall, details: TokenErrorDetails = {}): TokenError {
  const { functionName, rv, action, hints } = call;
  const name = constantName("CKR", rv) as CkrName | undefined;
  const hint = name === undefined ? hints?.[`0x${rv.toString(16)}`] ?? vendorHint(rv) : hints?.[name] ?? HINTS[name];
  return new TokenError(`Cannot ${action}: ${describeConstant("CKR", rv)}`, {
    code: call.lost?.has(rv) ? SESSION_LOST : codeOf(name),
    ...(hint === undefined ? {} : { hint }),
    ...details,
    functionName,
    rv,
    ...(name === undefined ? {} : { rvName: name }),
  });
}

function vendorHint(rv: number): string | undefined {
  return rv >= CKR.CKR_VENDOR_DEFINED ? "A number of the vendor's own: look it up in the module's manual" : undefined;
}

/** `CKR_PIN_INCORRECT` becomes `pin.incorrect`-like codes only where they are documented; the others share `token`. */
function codeOf(name: CkrName | undefined): string {
  switch (name) {
    case "CKR_PIN_INCORRECT":
      return "pin.incorrect";
    case "CKR_PIN_LOCKED":
      return "pin.locked";
    case "CKR_USER_PIN_NOT_INITIALIZED":
      return "pin.not_initialized";
    case "CKR_MECHANISM_INVALID":
      return "mechanism.absent";
    default:
      return "token";
  }
}

const LOST: ReadonlySet<number> = new Set<number>([
  CKR.CKR_SESSION_HANDLE_INVALID,
  CKR.CKR_SESSION_CLOSED,
  CKR.CKR_DEVICE_ERROR,
  CKR.CKR_DEVICE_REMOVED,
  CKR.CKR_TOKEN_NOT_PRESENT,
  CKR.CKR_TOKEN_NOT_RECOGNIZED,
  CKR.CKR_USER_NOT_LOGGED_IN,
]);

const UNCLEAN: ReadonlySet<number> = new Set<number>([
  CKR.CKR_OPERATION_ACTIVE,
  CKR.CKR_OPERATION_NOT_INITIALIZED,
  CKR.CKR_GENERAL_ERROR,
  CKR.CKR_FUNCTION_FAILED,
  CKR.CKR_HOST_MEMORY,
  CKR.CKR_DEVICE_MEMORY,
  CKR.CKR_CRYPTOKI_NOT_INITIALIZED,
]);

const STALE_HANDLE: ReadonlySet<number> = new Set<number>([
  CKR.CKR_OBJECT_HANDLE_INVALID,
  CKR.CKR_KEY_HANDLE_INVALID,
]);

/** Whether the session or the login behind it is gone, so that a fresh session may succeed. */
export function isSessionLost(error: unknown): boolean {
  return error instanceof TokenError && error.rv !== undefined && (LOST.has(error.rv) || error.code === SESSION_LOST);
}

/** Whether a session that returned this must not be used again: lost, or in an unknown state. */
export function isSessionSpoilt(error: unknown): boolean {
  if (!(error instanceof TokenError)) return true;
  return isSessionLost(error) || (error.rv !== undefined && UNCLEAN.has(error.rv));
}

/** Whether the object must be looked up again. */
export function isStaleHandle(error: unknown): boolean {
  return error instanceof TokenError && error.rv !== undefined && STALE_HANDLE.has(error.rv);
}
