// What becomes of an error that nobody expected, in one place: a bug is logged as an error, with its cause; what passes by
// itself, a database or Redis that is away, is not one.

import { asRefusal } from '../db/errors.ts';
import { AppError } from '../protocol/errors.ts';
import { isRedisAway } from '../redis/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';

export interface Reporter {
  /** Of what failed beside any answer: a bug is logged as an error, what passes by itself as a warning. */
  report(error: unknown, what: string): void;
  /** What a thrown error is to the client. Only a bug is logged, and becomes `internal`: refusals are everyday. */
  toRefusal(error: unknown, what: string): AppError;
}

export function createReporter(
  logger: Pick<Logger, 'error' | 'warn'>,
  { errors }: Pick<Metrics, 'errors'> = createMetrics(),
): Reporter {
  const reportBug = (err: unknown, what: string): void => logger.error({ err }, `${what} failed`);
  return {
    report(error, what) {
      const refusal = refusalOf(error);
      errors.of('background', refusal?.code ?? 'internal').add();
      if (refusal === undefined) reportBug(error, what);
      else logger.warn({ err: error }, `${what} failed, for now`);
    },
    toRefusal(error, what) {
      const refusal = refusalOf(error);
      if (refusal !== undefined) return refusal;
      reportBug(error, what);
      return new AppError('internal', 'Something went wrong on the server. Try again later.', {
        cause: error,
      });
    },
  };
}

function refusalOf(error: unknown): AppError | undefined {
  const refusal = asRefusal(error);
  if (refusal !== undefined || !isRedisAway(error)) return refusal;
  return new AppError(
    'unavailable',
    'What instances share cannot be asked right now. Try again in a moment.',
    {
      retryAfterMs: 1_000,
      cause: error,
    },
  );
}
