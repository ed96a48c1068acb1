// Refusals over HTTP, for the routes' response schemas. [X]

import { Type } from '@sinclair/typebox';
import { ErrorBody, type ErrorCode, errorTable } from '../protocol/errors.ts';

/** To spread into a route's `response`: the statuses of the errors that it may answer. */
export function errorsOf<Code extends ErrorCode>(
  ...codes: Code[]
): { [Status in (typeof errorTable)[Code]['status']]: typeof ErrorBody } {
  const byStatus = Map.groupBy(codes, (code) => errorTable[code].status);
  const responses = Object.fromEntries(
    [...byStatus].map(([status, ofStatus]): [number, typeof ErrorBody] => [
      status,
      // `x-codes`: for the document, which has a shape for each code.
      Object.assign({}, ErrorBody, { description: describeErrors(ofStatus), 'x-codes': ofStatus }),
    ]),
  );
  return responses as { [Status in (typeof errorTable)[Code]['status']]: typeof ErrorBody }; // filled just above
}

/** The same for a route's `detail.responses`. */
export function refusalsAt(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = Map.groupBy(codes, (code) => errorTable[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      { description: describeErrors(ofStatus), 'x-codes': ofStatus },
    ]),
  );
}

/** What the OpenAPI document says of an answer with these codes. */
export const describeErrors = (codes: readonly ErrorCode[]): string =>
  `Error ${codes.map((code) => `\`${code}\``).join(', ')}`;

/** The header of routes that create something. [K1] */
export const keyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'The same key, user and body within 24 hours are the same request: it has one effect',
    }),
  ),
});
