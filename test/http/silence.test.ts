// An operation that says how long it may wait is not cut off by Bun, which gives up on a silent GET after some 12 s.

import { expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { defineModule, query } from '../../src/realtime/index.ts';
import { onEachDatabase } from '../support/server.ts';

const waitMs = 14_000;
const waiting = query('nap.take', {
  summary: 'Wait',
  tag: 'Naps',
  http: 'GET /naps',
  mayWaitSeconds: 14,
  input: Type.Object({}, { additionalProperties: false }),
  output: Type.Object({ isOver: Type.Boolean() }),
  async run() {
    await Bun.sleep(waitMs); // the silence is what is tested
    return { isOver: true };
  },
});
const naps = defineModule('naps', { tags: { Naps: 'To wait' }, operations: [waiting] });

onEachDatabase('silence', (open, { kind }) => {
  if (kind === 'postgres') return; // it has nothing to do with it

  test('a request may be silent for as long as its operation says', async () => {
    const server = await open({}, [naps]);
    const { accessToken: token } = await server.register('Ann');
    expect(await server.request('GET', '/v1/naps', { token })).toMatchObject({
      status: 200,
      body: { isOver: true },
    });
  }, 30_000);
});
