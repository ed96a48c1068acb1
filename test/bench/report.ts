// The results as one table in Markdown, and as JSON for whoever wants to compare runs.

import type { Machine, Versions } from './machine.ts';
import { type Case, type Measured, mediansOf, type Sample, type Scenario } from './scenario.ts';
import type { Settings } from './settings.ts';

export interface Result {
  readonly scenario: Scenario;
  readonly case: Case;
  readonly measured: readonly Measured[];
}

export interface Report {
  readonly startedAt: string;
  readonly seconds: number;
  readonly settings: Settings;
  readonly machine: Machine;
  readonly versions: Versions;
  /** Scenarios that this machine cannot run, each with the reason. */
  readonly leftOut: readonly string[];
  readonly results: readonly Result[];
}

export function toMarkdown({
  startedAt,
  seconds,
  settings,
  machine,
  versions,
  leftOut,
  results,
}: Report): string {
  const { cpu, cores, memoryGiB, kernel, loadBefore } = machine;
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `Measured ${startedAt}, in ${Math.round(seconds / 60)} minutes: medians of ${settings.rounds} rounds${settings.isQuick ? ' (a quick check: the figures mean nothing)' : ''}.`,
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}; load before the run ${loadBefore.toFixed(2)}.`,
    `${names.join(', ')}.`,
    '',
    '| scenario | case | who | median | lowest to highest | also | server, load (cores) | goal |',
    '|---|---|---|---:|---:|---|---|---|',
    ...results.flatMap(toRows),
    '',
    ...leftOut.flatMap((one) => [`Left out: ${one}.`, '']),
  ].join('\n');
}

export function toJson(report: Report): string {
  const results = report.results.map(({ scenario, case: one, measured }) => ({
    scenario: scenario.name,
    case: one.name,
    unit: one.unit,
    contenders: measured.map(({ contender, samples, failures }) => ({
      name: contender,
      median: mediansOf(measured)(contender),
      samples,
      failures,
    })),
    goals: one.goals.map((goal) => ({ goal: goal.text, ...goal.check(mediansOf(measured)) })),
  }));
  return `${JSON.stringify({ ...report, results }, null, 2)}\n`;
}

function toRows({ scenario, case: one, measured }: Result): string[] {
  const medians = mediansOf(measured);
  return measured.map(({ contender, samples, failures }) => {
    const median = medians(contender);
    const values = samples.map(({ value }) => value);
    const goals = one.goals
      .filter((goal) => goal.contender === contender)
      .map((goal) => {
        const checked = goal.check(medians);
        if (checked === undefined) return `${goal.text}: unknown`;
        return `${goal.text}: ${checked.found} ${checked.isMet ? '✓' : '**missed**'}`;
      });
    const cells = [
      scenario.title,
      one.name,
      contender,
      median === undefined ? 'failed' : `${format(median.value)} ${one.unit}`,
      values.length < 2 ? '' : `${format(Math.min(...values))} to ${format(Math.max(...values))}`,
      [...describeAlso(median), ...new Set(failures.map((why) => why.slice(0, 200)))].join(', '),
      describeShares(median),
      goals.join('; '),
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
}

const describeAlso = (sample: Sample | undefined): string[] =>
  Object.entries(sample?.also ?? {}).map(([name, value]) => `${format(value)} ${name}`);

/** A core counts as full from here on: measuring the rest away would take longer rounds. */
const full = 0.9;

function describeShares(sample: Sample | undefined): string {
  if (sample?.serverShare === undefined || sample.loadShare === undefined) return '';
  const { serverShare, loadShare } = sample;
  const shares = `${serverShare.toFixed(2)}, ${loadShare.toFixed(2)}`;
  if (serverShare >= full) return shares;
  return loadShare >= full
    ? `${shares}: **the load generator was the limit**`
    : `${shares}: something else was the limit`;
}

function format(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US');
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
