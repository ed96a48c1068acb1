// Carillon beside its peers, in one run: `bun run bench [--only name,…] [--contenders name,…] [--rounds n] [--quick]
// [--out path]`.
// Progress goes to standard error, the table to standard output and, with the JSON, to `<path>.md` and `<path>.json`.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { postgresMissing } from '../support/postgres.ts';
import { redisMissing } from '../support/redis.ts';
import { describeMachine, describeVersions } from './machine.ts';
import { type Result, toJson, toMarkdown } from './report.ts';
import { type Contender, measureCase, type Scenario } from './scenario.ts';
import { acrossInstances } from './scenarios/across-instances.ts';
import { coldStart } from './scenarios/cold-start.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { growthOfRooms, growthOfSubscribers } from './scenarios/growth.ts';
import { httpRoute } from './scenarios/http-route.ts';
import { idleMemory } from './scenarios/idle-memory.ts';
import { jobs } from './scenarios/jobs.ts';
import { reads } from './scenarios/reads.ts';
import { replay } from './scenarios/replay.ts';
import { resume } from './scenarios/resume.ts';
import { stored, storedOnSlowDisk } from './scenarios/stored.ts';
import { benchFolder, createRigs } from './servers.ts';
import { createSettings } from './settings.ts';

const createScenarios = [
  fanOut,
  acrossInstances,
  stored,
  storedOnSlowDisk,
  reads,
  jobs,
  idleMemory,
  resume,
  replay,
  coldStart,
  httpRoute,
  growthOfSubscribers,
  growthOfRooms,
];

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    contenders: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

requirePrograms();
installPeers();
const startedAt = new Date();
const machine = describeMachine();
if (machine.loadBefore > 0.5) tell(`The machine is busy (load ${machine.loadBefore.toFixed(2)}): mind that.`);
const settings = createSettings(options.quick, options.rounds ? Number(options.rounds) : undefined);
const rigs = createRigs();
const scenarios = choose(
  createScenarios.map((create) => create(rigs, settings)),
  options.only,
);

const results: Result[] = [];
for (const scenario of scenarios) {
  if (scenario.missing !== undefined) {
    tell(`${scenario.title}: left out, because ${scenario.missing}`);
    continue;
  }
  for (const whole of scenario.cases) {
    const one = { ...whole, contenders: whole.contenders.filter(isWanted) };
    if (one.contenders.length === 0) continue;
    tell(`${scenario.title}: ${one.name} (${one.unit})`);
    const measured = await measureCase(one, { rounds: settings.rounds, tell, clear: rigs.clear });
    results.push({ scenario, case: one, measured });
  }
}
await rigs.stop();

const report = {
  startedAt: startedAt.toISOString(),
  seconds: (Date.now() - startedAt.getTime()) / 1_000,
  settings,
  machine,
  versions: describeVersions(),
  leftOut: scenarios.flatMap(({ title, missing }) => (missing === undefined ? [] : [`${title}: ${missing}`])),
  results,
};
const isWhole = options.only === undefined && options.contenders === undefined && !options.quick;
const path = options.out ?? join(benchFolder, isWhole ? 'results' : 'partial');
await Bun.write(`${path}.json`, toJson(report));
await Bun.write(`${path}.md`, toMarkdown(report));
console.log(toMarkdown(report));
process.exit(results.some(({ measured }) => measured.some(({ failures }) => failures.length > 0)) ? 1 : 0);

function requirePrograms(): void {
  const missing = [
    postgresMissing,
    redisMissing,
    Bun.which('node') === null ? 'no node is on the PATH' : undefined,
    Bun.which('taskset') === null
      ? 'no taskset is on the PATH (util-linux; the bench runs on Linux)'
      : undefined,
    navigator.hardwareConcurrency < 2 ? 'server and load need a core each, and there is only one' : undefined,
  ].filter((problem) => problem !== undefined);
  if (missing.length === 0) return;
  tell(`The bench cannot run here: ${missing.join('; ')}.`);
  process.exit(2);
}

/** Quick when they are there already, and then without the network. */
function installPeers(): void {
  const { success, stderr } = Bun.spawnSync([process.execPath, 'install', '--frozen-lockfile'], {
    cwd: benchFolder,
    stdout: 'ignore',
    stderr: 'pipe',
  });
  if (success) return;
  tell(`The peers could not be installed:\n${stderr}`);
  process.exit(2);
}

/** By parts of their names. */
function isWanted({ name }: Contender): boolean {
  return options.contenders?.split(',').some((part) => name.includes(part)) ?? true;
}

function choose(all: Scenario[], only: string | undefined): Scenario[] {
  if (only === undefined) return all;
  const names = only.split(',');
  const unknown = names.filter((name) => !all.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    tell(`There is no scenario ${unknown.join(', ')}, only ${all.map(({ name }) => name).join(', ')}.`);
    process.exit(2);
  }
  return all.filter(({ name }) => names.includes(name));
}
