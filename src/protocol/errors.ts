// The one table of errors, for HTTP and the socket. [X]
// A refusal is an AppError with a code from here; the table alone decides its HTTP status.

import { type Static, Type } from '@sinclair/typebox';

export const errorTable = {
  invalid: { status: 400 },
  unauthorized: { status: 401 },
  forbidden: { status: 403 },
  not_found: { status: 404 },
  unknown_command: { status: 404 },
  unknown_topic: { status: 404 },
  method_not_allowed: { status: 405 },
  conflict: { status: 409 },
  too_large: { status: 413 },
  too_many_subscriptions: { status: 429 },
  rate_limited: { status: 429 },
  unavailable: { status: 503 },
  internal: { status: 500 },
} as const;

export type ErrorCode = keyof typeof errorTable;

export const errorCodes = Object.keys(errorTable) as ErrorCode[]; // keyof of a const table is exactly its keys

/** What a client sees of a refusal, the same over HTTP and WebSocket. */
export const WireError = Type.Object(
  {
    code: Type.Union(errorCodes.map((code) => Type.Literal(code))),
    message: Type.String({ description: 'What was expected, and what to do' }),
    details: Type.Optional(
      Type.Unknown({ description: 'Of invalid: [{ path, message }]; of unauthorized: { reason }' }),
    ),
    retryAfterMs: Type.Optional(Type.Number({ description: 'Not before, in milliseconds' })),
  },
  { title: 'WireError' },
);
export type WireError = Static<typeof WireError>;

/** Over HTTP. */
export const ErrorBody = Type.Object({ error: WireError }, { description: 'A refusal' });

/** One field that did not fit its schema: `path` is a JSON pointer such as `/payload/content`. */
export interface FieldError {
  path: string;
  message: string;
}

/** An expected refusal. Anything else that is thrown is a bug and is answered `internal`. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: unknown;
  readonly fields: readonly FieldError[] | undefined;
  readonly retryAfterMs: number | undefined;

  /** `fields`: what in a service's input is wrong, by its path within that. HTTP and the socket each make `details` of them. */
  constructor(
    code: ErrorCode,
    message: string,
    options: {
      details?: unknown;
      fields?: readonly FieldError[];
      retryAfterMs?: number;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.details = options.details;
    this.fields = options.fields;
    this.retryAfterMs = options.retryAfterMs;
  }

  get status(): number {
    return errorTable[this.code].status;
  }
}

/** The wire form of anything thrown. A bug discloses nothing. `inputRoot`: where a service's input is in the request. */
export function toWireError(error: unknown, inputRoot = ''): WireError {
  if (!(error instanceof AppError)) {
    return { code: 'internal', message: 'Something went wrong on the server. Try again later.' };
  }
  const wire: WireError = { code: error.code, message: error.message };
  const details =
    error.details ?? error.fields?.map(({ path, message }) => ({ path: inputRoot + path, message }));
  if (details !== undefined) wire.details = details;
  if (error.retryAfterMs !== undefined) wire.retryAfterMs = error.retryAfterMs;
  return wire;
}
