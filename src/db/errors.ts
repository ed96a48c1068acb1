// What a failed statement means, in words: PostgreSQL's codes and the drivers' messages are known here and nowhere else.
// Drizzle wraps what a driver throws, so everything looks along the causes.

import { AppError } from '../protocol/errors.ts';

// https://www.postgresql.org/docs/15/errcodes-appendix.html
const serializationFailure = '40001';
const deadlockDetected = '40P01';
const notNullViolation = '23502';
const untranslatableCharacter = '22P05';
const characterNotInRepertoire = '22021';
const lockNotAvailable = '55P03';
const inFailedTransaction = '25P02';
/**
 * No connection, no room (also on the disk), files that cannot be read or written, shut down or starting, a statement that
 * took too long, a transaction that stood still, a standby.
 */
const awayCodes = /^(?:08...|53...|58...|57P0[1-5]|57014|25P0[34]|25006)$/;
const networkCodes =
  /^(?:ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENOBUFS|E[MN]FILE)/;
/** Of a server that answers: no such user, a wrong password, no such database. */
const entryCodes = /^(?:28...|3D000)$/;
/** Where the drivers give no code. */
const awayMessages =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client (?:was closed|has encountered a connection error)|Cannot use a pool after|No turn came within|PGlite is clos)/;

const awayRetryMs = 1_000;

/** What the client hears, where an error is an expected refusal; undefined: it is a bug. */
export function asRefusal(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error;
  if (isDatabaseAway(error)) {
    return new AppError('unavailable', 'The database cannot answer right now. Try again in a moment.', {
      retryAfterMs: awayRetryMs,
      cause: error,
    });
  }
  if (isLockTimeout(error)) {
    return new AppError(
      'unavailable',
      'Another change takes too long at the same place. Try again in a moment.',
      {
        retryAfterMs: awayRetryMs,
        cause: error,
      },
    );
  }
  if (isTransient(error)) {
    return new AppError('unavailable', 'Too many changes met at the same place. Try again in a moment.', {
      retryAfterMs: 100,
      cause: error,
    });
  }
  if (hasCode(error, (code) => code === untranslatableCharacter || code === characterNotInRepertoire)) {
    return new AppError('invalid', 'Text must be Unicode without the character U+0000.', { cause: error });
  }
  return undefined;
}

/** The database is away or out of room. Nothing is wrong with the request, and the same one may succeed soon. */
export function isDatabaseAway(error: unknown): boolean {
  return (
    hasCode(error, (code) => awayCodes.test(code) || networkCodes.test(code)) ||
    causesOf(error).some(({ message }) => awayMessages.test(message))
  );
}

/** There is no server, or none that lets us in. */
export function isUnreachable(error: unknown): boolean {
  return isDatabaseAway(error) || hasCode(error, (code) => entryCodes.test(code));
}

/** Somebody kept what was needed for too long: whoever needs the same thing would wait as long, and in vain. */
export function isLockTimeout(error: unknown): boolean {
  return hasCode(error, (code) => code === lockNotAvailable);
}

/** A statement before this one in its transaction failed, and says why. */
export function isRefusedBehindFailure(error: unknown): boolean {
  return hasCode(error, (code) => code === inFailedTransaction);
}

/** Two transactions were in each other's way; the same work again may succeed at once. */
export function isTransient(error: unknown): boolean {
  return hasCode(error, (code) => code === serializationFailure || code === deadlockDetected);
}

/** A row was to have no value in this column, which needs one. */
export function isWithoutValue(error: unknown, column: string): boolean {
  return causesOf(error).some(
    (cause) =>
      'code' in cause && cause.code === notNullViolation && 'column' in cause && cause.column === column,
  );
}

function hasCode(error: unknown, matches: (code: string) => boolean): boolean {
  return causesOf(error).some((cause) => 'code' in cause && matches(String(cause.code)));
}

function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && !causes.includes(cause); cause = cause.cause)
    causes.push(cause);
  return causes;
}
