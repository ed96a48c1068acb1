// Every refusal over HTTP: `{ error: { code, message, details?, retryAfterMs? } }` with the status of its code. [X]

import { ValidationError } from 'elysia';
import { AppError, type FieldError, toWireError } from '../protocol/errors.ts';
import { listFieldErrors, misfit } from '../protocol/field-errors.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { safeHeaders } from './headers.ts';
import type { MethodsOf } from './methods.ts';

/** What a thrown error is to the client; a bug is logged with its cause and becomes `internal`. */
export type ToRefusal = (error: unknown, what: string) => AppError;

interface Failure {
  readonly error: unknown;
  readonly code: string | number;
  readonly request: Request;
  /** As it is declared; undefined where none is asked for. */
  readonly route?: string | undefined;
}

/** An Elysia error hook. */
export function createErrorAnswers(
  toRefusal: ToRefusal,
  methodsOf: MethodsOf,
  { errors }: Pick<Metrics, 'errors'> = createMetrics(),
): (failure: Failure) => Response {
  const refuse = (refusal: AppError): Response => {
    errors.of('http', refusal.code).add();
    return answer(refusal);
  };
  return ({ error, code, request, route }) => {
    const { pathname } = new URL(request.url);
    // Never the query string: it may hold a token.
    const asked = `${request.method} ${pathname}`;
    if (code === 'NOT_FOUND') return answerNoRoute(request.method, asked, methodsOf(pathname), refuse);
    const what = `${request.method} ${route ?? pathname}`; // for the log: paths hold names
    if (error instanceof ValidationError)
      return refuse(asInvalid(error) ?? toRefusal(brokenPromise(error), what));
    return refuse(toRefusal(error, what));
  };
}

/** OPTIONS has no route: what a path takes follows from the others. */
function answerNoRoute(
  method: string,
  what: string,
  allowed: readonly string[],
  refuse: (refusal: AppError) => Response,
): Response {
  if (allowed.length === 0) {
    return refuse(new AppError('not_found', `There is no ${what}. /swagger lists what there is.`));
  }
  const methods = allowed.join(', ');
  const answered =
    method === 'OPTIONS'
      ? new Response(null, { status: 204 })
      : refuse(new AppError('method_not_allowed', `There is no ${what}. This path takes ${methods}.`));
  answered.headers.set('Allow', methods);
  return answered;
}

export function answer(refusal: AppError): Response {
  const headers = new Headers(safeHeaders());
  if (refusal.retryAfterMs !== undefined) {
    headers.set('Retry-After', String(Math.ceil(refusal.retryAfterMs / 1_000)));
  }
  if (refusal.code === 'unauthorized') headers.set('WWW-Authenticate', 'Bearer');
  return Response.json({ error: toWireError(refusal, '/body') }, { status: refusal.status, headers });
}

/** The request does not fit its schema; undefined: it was our own answer that did not. */
function asInvalid(error: ValidationError): AppError | undefined {
  if (error.type === 'response') return undefined;
  return misfit(listDetails(error));
}

/** Says where, and not what was found: an answer may hold tokens, and this goes to the log. */
function brokenPromise(error: ValidationError): Error {
  return new Error(`The answer does not fit its schema: ${JSON.stringify(listDetails(error))}`);
}

/** Paths are JSON pointers from the part that does not fit: `/params/id`, `/response/count`. */
const listDetails = ({ type, all }: ValidationError): FieldError[] => listFieldErrors(all, `/${type}`);
