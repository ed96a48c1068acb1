// Refusals over HTTP, for the routes' response schemas. [X]

import { type TObject, Type } from '@sinclair/typebox';
import { type ErrorCode, errorCodes, errorTable } from './errors.ts';

export const ErrorBody = Type.Object(
  {
    error: Type.Object({
      code: Type.Union(errorCodes.map((code) => Type.Literal(code))),
      message: Type.String(),
      details: Type.Optional(Type.Unknown()),
      retryAfterMs: Type.Optional(Type.Number()),
    }),
  },
  { description: 'A refusal' },
);

/** To spread into a route's `response`: the statuses of the errors that it may answer. */
export function errorsOf<Code extends ErrorCode>(
  ...codes: Code[]
): { [Status in (typeof errorTable)[Code]['status']]: typeof ErrorBody } {
  const responses: Record<number, TObject> = {};
  for (const code of codes) responses[errorTable[code].status] = ErrorBody;
  return responses as { [Status in (typeof errorTable)[Code]['status']]: typeof ErrorBody }; // filled just above
}

/** The header of routes that create something. [K1] */
export const keyHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
});
