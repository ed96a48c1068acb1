// What a test hears of errors that no caller is told.

import { AppError } from '../../src/protocol/errors.ts';
import type { Reporter } from '../../src/realtime/report.ts';

/** Where nothing may fail but on purpose. */
export const reporter: Reporter = {
  report(error) {
    throw error;
  },
  toRefusal: (error) => (error instanceof AppError ? error : new AppError('internal', String(error))),
};

/** Where something does, into a list. */
export const reportInto = (list: unknown[]): Pick<Reporter, 'report'> => ({
  report: (error) => void list.push(error),
});
