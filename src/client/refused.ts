// The two ways in which a request fails: the server said no, or nobody knows what it did.

import type { WireError } from './declarations.ts';

/** The server understood the request and said no: it had no effect. [X] */
export class Refused extends Error {
  readonly code: WireError['code'];
  readonly details: unknown;
  readonly retryAfterMs: number | undefined;

  constructor({ code, message, details, retryAfterMs }: WireError) {
    super(message);
    this.name = 'Refused';
    this.code = code;
    this.details = details;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The connection ended, or is over for good, before an answer came: whether the request took effect is not known. */
export class Disconnected extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Disconnected';
  }
}
