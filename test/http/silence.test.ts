// An operation that says how long it may wait is not cut off by Bun, which gives up on a silent GET after some 12 s; nor is
// a stream on which nothing happens.

import { expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { defineModule, query } from '../../src/realtime/index.ts';
import { openStream } from '../support/event-stream.ts';
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

  test('a request may be silent for as long as its operation says, and so may a stream', async () => {
    const server = await open({}, [naps]);
    const { accessToken: token } = await server.register('Ann');
    const topic = 'app:public.naps';
    const reader = await openStream(server.url, topic, { token });
    expect(await server.request('GET', '/v1/naps', { token })).toMatchObject({
      status: 200,
      body: { isOver: true },
    });
    const body = { event: 'nap.taken', data: 1 };
    await server.request('POST', `/v1/topics/${topic}/events`, { token, body });
    await reader.next('nap.taken');
    reader.close();
  }, 30_000);
});
