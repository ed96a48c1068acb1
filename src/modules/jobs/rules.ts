// What can be said of a job without a database: what fits into it, and how far it has come. Pure and browser-safe.

import type { FieldError } from '../../protocol/errors.ts';
import { isStorable } from '../../protocol/json.ts';
import { readInstant } from '../../protocol/values.ts';
import { maxDataBytes, type Progress } from './contract.ts';

/** What is wrong with a payload or a result; `path` is where it stands in the request. */
export function findDataProblem(data: unknown, path: string): FieldError | undefined {
  const json = JSON.stringify(data);
  if (new TextEncoder().encode(json).length > maxDataBytes) {
    return { path, message: `Expected at most ${maxDataBytes} bytes as JSON` };
  }
  return isStorable(data)
    ? undefined
    : { path, message: 'Expected text without NUL and halves of surrogate pairs' };
}

/** What is wrong with an instant that has the form of one. */
export function findInstantProblem(instant: string | undefined, path: string): FieldError | undefined {
  if (instant === undefined || readInstant(instant) !== undefined) return undefined;
  return { path, message: 'Expected a date that exists, in the years 0001 to 9999' };
}

export function toProgress(current: number, total: number, message: string | undefined): Progress {
  const share = total > 0 ? current / total : 1;
  // 0.29 is 28.999… in a hundred: what is a tenth of a percent to eleven digits counts as it.
  const percentage = Math.min(100, Math.floor(Number((share * 1_000).toPrecision(12))) / 10);
  return { current, total, percentage, message: message ?? null };
}
