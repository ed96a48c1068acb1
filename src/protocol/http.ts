// Refusals over HTTP, for the routes' response schemas. [X]

import { Type } from '@sinclair/typebox';
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
  const byStatus = Map.groupBy(codes, (code) => errorTable[code].status);
  const responses = Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      { ...ErrorBody, description: describeErrors(ofStatus) },
    ]),
  );
  return responses as { [Status in (typeof errorTable)[Code]['status']]: typeof ErrorBody }; // filled just above
}

/** What the OpenAPI document says of an answer with these codes. */
export const describeErrors = (codes: readonly ErrorCode[]): string =>
  `Error ${codes.map((code) => `\`${code}\``).join(', ')}`;

/** The header of routes that create something. [K1] */
export const keyHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
});
