// The copies of both documents are what a server answers, and what their formats' own tools find no fault with.

import { expect, test } from 'bun:test';
import { Parser } from '@asyncapi/parser';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { type RulesetDefinition, Spectral } from '@stoplight/spectral-core';
import { oas } from '@stoplight/spectral-rulesets';
import { copyOf, names } from '../../../src/http/documents/served.ts';
import { onEachDatabase } from '../../support/server.ts';

const paths = { openapi: '/swagger/json', asyncapi: '/asyncapi.json' };
const readCopy = (name: (typeof names)[number]) => Bun.file(copyOf(name)).text();

onEachDatabase('the copies of the documents', (open) => {
  test('are as a server answers them: `bun run docs` renews them', async () => {
    const server = await open();
    for (const name of names) {
      const { body } = await server.request('GET', paths[name]);
      const served = JSON.stringify(body, null, 2).split('\n');
      const copied = (await readCopy(name)).trimEnd().split('\n');
      expect([name, served.find((line, index) => line !== copied[index])]).toEqual([name, undefined]);
      expect([name, copied.length]).toEqual([name, served.length]);
    }
  });
});

/** Information, as that there is a newer version of AsyncAPI, is no fault. */
const findFaults = async (text: string): Promise<string[]> => {
  const { diagnostics } = await new Parser().parse(text);
  const hint = 3;
  return diagnostics
    .filter(({ severity, code }) => severity < hint && code !== 'asyncapi-latest-version')
    .map(({ path, message }) => `${path.join('/')}: ${message}`);
};

test('the parser of AsyncAPI finds no fault, and would find one', async () => {
  const text = await readCopy('asyncapi');
  expect(await findFaults(text)).toEqual([]);
  const { asyncapi, info, channels, operations } = JSON.parse(text);
  const connection = { ...channels.connection, messages: {} };
  const broken = { asyncapi, info, channels: { connection }, operations: { ping: operations.ping } };
  expect(await findFaults(JSON.stringify(broken))).not.toEqual([]);
}, 60_000);

test('redocly finds no error in the OpenAPI document, and warns only that health checks refuse nothing', async () => {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source: await readCopy('openapi'), config });
  const said = problems.map(({ ruleId, severity, location: [at] }) => `${severity} ${ruleId} ${at?.pointer}`);
  expect(said).toEqual([
    'warn operation-4xx-response #/paths/~1health~1live/get/responses',
    'warn operation-4xx-response #/paths/~1health~1ready/get/responses',
  ]);
});

test('spectral finds no error in the OpenAPI document, and warns only of a contact and of summaries without more', async () => {
  const spectral = new Spectral();
  spectral.setRuleset({ extends: oas as RulesetDefinition }); // the one type does not know the other
  const problems = await spectral.run(JSON.parse(await readCopy('openapi')));
  const codes = new Set(
    problems.map(({ code, severity }) => `${severity === 0 ? 'error' : 'warning'} ${code}`),
  );
  expect([...codes]).toEqual(['warning info-contact', 'warning operation-description']);
});
