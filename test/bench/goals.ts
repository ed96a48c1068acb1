// What is asked of Carillon's figures: to reach a limit, or to stay near somebody else's in the same run.

import { carillonName, type Goal, type Medians } from './scenario.ts';

/** The value is at least so many times the other's. */
export const atLeast = (times: number, other: string): Goal =>
  compare(`≥ ${times} × ${other}`, readValue(carillonName), '≥', times, readValue(other));

export const valueAtLeast = (limit: number): Goal =>
  compare(`≥ ${limit}`, readValue(carillonName), '≥', limit);

export const valueAtMost = (limit: number): Goal =>
  compare(`≤ ${limit}`, readValue(carillonName), '≤', limit);

/** For cases in which Carillon is measured in several ways, each with a name of its own. */
export const atMostOf = (times: number, contender: string, other: string): Goal => ({
  ...compare(`≤ ${times} × ${other}`, readValue(contender), '≤', times, readValue(other)),
  contender,
});

/** One of the further figures is at most `limit`. */
export const figureAtMost = (figure: string, limit: number): Goal =>
  compare(`${figure} ≤ ${limit}`, readFigure(carillonName, figure), '≤', limit);

/** A further figure is at most so many times another one. */
export const figureNear = (figure: string, times: number, base: string): Goal =>
  compare(
    `${figure} ≤ ${times} × ${base}`,
    readFigure(carillonName, figure),
    '≤',
    times,
    readFigure(carillonName, base),
  );

/** A further figure is at most so many times the other's. */
export const figureAtMostOf = (figure: string, times: number, other: string): Goal =>
  compare(
    `${figure} ≤ ${times} × ${other}`,
    readFigure(carillonName, figure),
    '≤',
    times,
    readFigure(other, figure),
  );

type Pick = (medians: Medians) => number | undefined;

const readValue =
  (contender: string): Pick =>
  (medians) =>
    medians(contender)?.value;

const readFigure =
  (contender: string, figure: string): Pick =>
  (medians) =>
    medians(contender)?.also?.[figure];

/** Without a base the limit is absolute. */
function compare(text: string, own: Pick, sign: '≥' | '≤', limit: number, base?: Pick): Goal {
  return {
    contender: carillonName,
    text,
    check(medians) {
      const found = own(medians);
      const unit = base === undefined ? 1 : base(medians);
      if (found === undefined || unit === undefined) return undefined;
      const isMet = sign === '≥' ? found >= limit * unit : found <= limit * unit;
      return {
        found: base === undefined ? found.toPrecision(3) : `${(found / unit).toFixed(2)} ×`,
        isMet,
      };
    },
  };
}
