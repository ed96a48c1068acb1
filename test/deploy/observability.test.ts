// What watches over the instances: rules that fire when they should, and neither they nor the dashboard ask for metrics that
// nobody has.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase } from '../support/server.ts';
import { metricsEnv } from '../telemetry/scrape.ts';

const root = join(import.meta.dir, '../..');
const readText = (path: string) => Bun.file(join(root, path)).text();

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly description: string };
}

async function readRules(): Promise<readonly Rule[]> {
  // The file's own shape; promtool checks it below.
  const { groups } = Bun.YAML.parse(await readText('deploy/prometheus/alerts.yml')) as {
    groups: { rules: Rule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

async function readQueries(): Promise<readonly string[]> {
  const { panels } = await Bun.file(join(root, 'deploy/grafana/dashboards/carillon.json')).json();
  return panels.flatMap(({ targets }: { targets: { expr: string }[] }) => targets.map(({ expr }) => expr));
}

/** The names of metrics in a query: what stands before braces or brackets, or has the form of ours. */
const namesIn = (query: string): string[] => [
  ...new Set(query.match(/\b(?:carillon|process|nodejs|messages?|errors|active)_[a-z_]+\b/g) ?? []),
];

test('every alert says what it means and what to do, and has its row in the README beside it', async () => {
  const rules = await readRules();
  expect(rules).toHaveLength(5);
  const readme = await readText('deploy/prometheus/README.md');
  for (const { alert, annotations } of rules) {
    expect([alert, annotations.summary.length > 10, annotations.description.length > 50]).toEqual([
      alert,
      true,
      true,
    ]);
    expect(readme).toContain(`| \`${alert}\` |`);
  }
});

test('what compose.yaml mounts for them is there, and their images have a version', async () => {
  type Service = {
    profiles?: string[];
    image?: string;
    volumes?: string[];
    environment?: Record<string, unknown>;
  };
  const { services } = Bun.YAML.parse(await readText('compose.yaml')) as {
    services: Record<string, Service>;
  }; // as Compose has it
  const watching = Object.values(services).filter(({ profiles }) => profiles?.includes('observability'));
  expect(watching).toHaveLength(2);
  for (const { image, volumes = [] } of watching) {
    expect(image).toMatch(/^[\w/-]+:v?\d+\.\d+\.\d+$/);
    for (const path of volumes.flatMap((volume) => /^\.\/([^:]+):/.exec(volume)?.[1] ?? []))
      expect([path, [...new Bun.Glob('**/*.{yml,json}').scanSync(join(root, path))].length > 0]).toEqual([
        path,
        true,
      ]);
  }
  const port = services.carillon?.environment?.METRICS_PORT;
  expect(await readText('deploy/prometheus/prometheus.yml')).toContain(`port: ${port} # METRICS_PORT`);
});

onEachDatabase('metrics that are asked for', (open) => {
  test('by alerts and by the dashboard are there', async () => {
    const server = await open(metricsEnv);
    const { body } = await server.request('GET', '/metrics', { token: metricsEnv.METRICS_TOKEN });
    const names = new Set([...String(body).matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
    const queries = [...(await readRules()).map(({ expr }) => expr), ...(await readQueries())];
    const asked = queries.flatMap(namesIn);
    expect(asked.length).toBeGreaterThan(25);
    const missing = asked.filter(
      (name) => !names.has(name) && !names.has(name.replace(/_(?:bucket|sum|count)$/, '')),
    );
    expect(missing).toEqual([]);
  });
});

const promtool = Bun.which('promtool');
const promtoolMissing = promtool === null ? 'promtool is not installed (Debian: prometheus)' : undefined;

describeWith('the rules of Prometheus', promtoolMissing, () => {
  test.each([
    ['fire when they should, and only then', ['test', 'rules', 'test/deploy/alerts.yml']],
    ['are well-formed', ['check', 'rules', 'deploy/prometheus/alerts.yml']],
    ['are found by its configuration', ['check', 'config', 'deploy/prometheus/prometheus.yml']],
  ])('%s', (_, command) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([promtool ?? '', ...command], { cwd: root });
    expect(`${stdout}${stderr}`).toContain('SUCCESS');
    expect(exitCode).toBe(0);
  });
});
