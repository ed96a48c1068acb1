// How the outcomes are shown: a Markdown table, and a histogram of when clients came back.

import type { Outcome } from './load.ts';

export interface Row extends Outcome {
  readonly fault: string;
}

const columns: readonly (readonly [title: string, read: (row: Row) => string | number])[] = [
  ['fault, under load', ({ fault }) => fault],
  ['sent', ({ sent }) => sent],
  ['sent again', ({ sentAgain }) => sentAgain],
  ['acknowledged', ({ acknowledged }) => acknowledged],
  ['delivered', ({ delivered }) => delivered],
  ['offers', ({ offers }) => offers],
  ['changes', ({ changes }) => changes],
  ['hacks', ({ hacks }) => hacks],
  ['jobs', ({ jobs }) => jobs],
  ['lost', ({ lost }) => lost],
  ['repeated', ({ repeated }) => repeated],
  ['reordered', ({ reordered }) => reordered],
  ['connections lost', ({ lostConnections }) => lostConnections],
  ['slowest answer', ({ slowestAnswerMs }) => formatSeconds(slowestAnswerMs)],
  ['slowest delivery', ({ slowestDeliveryMs }) => formatSeconds(slowestDeliveryMs)],
];

export function formatTable(rows: readonly Row[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(([title]) => title)),
    line(columns.map((_, index) => (index === 0 ? '---' : '--:'))),
    ...rows.map((row) => line(columns.map(([, read]) => read(row)))),
  ].join('\n');
}

const formatSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** How many of the times fall into each of the equal parts of a span. */
export function countByPart(timesMs: readonly number[], spanMs: number, parts: number): number[] {
  const counts = Array.from({ length: parts }, () => 0);
  for (const timeMs of timesMs) {
    const part = Math.min(parts - 1, Math.max(0, Math.floor((timeMs / spanMs) * parts)));
    counts[part] = (counts[part] ?? 0) + 1;
  }
  return counts;
}

export function formatHistogram(counts: readonly number[], spanMs: number): string {
  const partMs = spanMs / counts.length;
  return counts
    .map((count, index) => {
      const from = ((index * partMs) / 1_000).toFixed(1);
      return `${from.padStart(5)} s ${'#'.repeat(count)} ${count}`;
    })
    .join('\n');
}
