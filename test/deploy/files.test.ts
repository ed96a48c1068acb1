// What operators start it with names only what there is: variables, commands, paths, and a time to drain.

import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { YAML } from 'bun';
import { listVariables, readConfig } from '../../src/config.ts';
import { runProgram } from '../commands/program.ts';

const project = join(import.meta.dir, '../..');
const read = (path: string): string => readFileSync(join(project, path), 'utf8');
const known = new Set(listVariables());

/** What a container sets besides ours. */
const foreign = /^(?:POSTGRES|GF)_/;

interface Container {
  env: { name: string; value: string }[];
  readinessProbe: { httpGet: { path: string } };
  livenessProbe: { httpGet: { path: string } };
}
interface Deployment {
  spec: { template: { spec: { terminationGracePeriodSeconds: number; containers: [Container] } } };
}
interface Compose {
  services: Record<string, { environment?: Record<string, unknown>; healthcheck: { test: string[] } }>;
}

const compose = YAML.parse(read('compose.yaml')) as Compose;
const [deployment] = YAML.parse(read('deploy/kubernetes.yaml')) as [Deployment];
const pod = deployment.spec.template.spec;
const unit = read('deploy/carillon.service');
const dockerfile = read('Dockerfile');

/** Of `A=1 B=2`. */
const namesOf = (set: string): string[] => set.split(' ').map((one) => one.split('=')[0] ?? '');

const variables: [string, string[]][] = [
  [
    'compose.yaml',
    Object.values(compose.services).flatMap(({ environment = {} }) => Object.keys(environment)),
  ],
  ['kubernetes.yaml', pod.containers[0].env.map(({ name }) => name)],
  ['carillon.service', [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, set = '']) => namesOf(set))],
  ['Dockerfile', [...dockerfile.matchAll(/^ENV (.*)$/gm)].flatMap(([, set = '']) => namesOf(set))],
];

test.each(variables)('%s sets variables that there are', (_, names) => {
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !known.has(name) && !foreign.test(name))).toEqual([]);
});

test('whoever stops an instance waits for longer than it drains', () => {
  const drain = Number(pod.containers[0].env.find(({ name }) => name === 'DRAIN_SECONDS')?.value);
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drain);
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(readConfig({}).drainSeconds);
});

test('commands that are asked for health are commands of the program', async () => {
  const [, ...health] = compose.services.carillon?.healthcheck.test ?? [];
  expect(health).toEqual(['carillon', 'health', '--ready']);
  expect(dockerfile).toContain('CMD ["carillon", "health"]');
  // Nobody listens there: it is asked, and says so.
  for (const args of [['health'], ['health', '--ready']]) {
    const { code, complaints } = await runProgram(args, { PORT: '1' });
    expect({ code, complaints }).toEqual({ code: 1, complaints: expect.stringContaining('It is not so.') });
  }
});

test('the image has the versions that the package asks for, and its steps copy what there is', () => {
  const { engines } = JSON.parse(read('package.json')) as { engines: { bun: string } };
  const [, version = ''] = /^FROM oven\/bun:(\S+)-slim AS build$/m.exec(dockerfile) ?? [];
  expect(Bun.semver.satisfies(version, engines.bun)).toBe(true);
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  );
  expect(copied).toContain('src');
  for (const path of copied) expect([path, existsSync(join(project, path))]).toEqual([path, true]);
});
