// How much of what users publish the database keeps: events, keys and new topics are limited by user.

import { expect, test } from 'bun:test';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';

onEachDatabase('limits of free topics', (open) => {
  const publish = (server: TestServer, user: TestUser, name: string, more: object = {}, key?: string) =>
    server.request('POST', `/v1/topics/app:public.${name}/events`, {
      token: user.accessToken,
      body: { event: 'thing.happened', data: 1, durable: true, ...more },
      headers: key === undefined ? {} : { 'Idempotency-Key': key },
    });

  test('[T1] durable events are limited by user, over HTTP and the socket together', async () => {
    const server = await open({ RATE_PUBLISHES_PER_MINUTE: '3' });
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const client = await server.connect(ann);
    const send = (durable: boolean, key?: string) =>
      client.request(
        'publish',
        { event: 'thing.happened', data: 1, durable },
        { topic: 'app:public.x', ...(key !== undefined && { key }) },
      );
    const first = await publish(server, ann, 'x', {}, 'the key');
    expect(first.body.events).toEqual([{ topic: 'app:public.x', seq: 1 }]);
    expect((await send(true)).payload.events).toEqual([{ topic: 'app:public.x', seq: 2 }]);
    const keyed = await send(false, 'of an ephemeral one'); // the database keeps its key
    expect(keyed.type).toBe('ok');
    const { error } = await send(true);
    expect(error).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    const refused = await publish(server, ann, 'x');
    expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
    expect(refused.body.error.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect((await send(false, 'another one')).error.code).toBe('rate_limited');
    // What was answered is answered again. [K1]
    const again = await publish(server, ann, 'x', {}, 'the key');
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect((await send(true, 'the key')).payload).toEqual(first.body);
    expect((await send(false, 'of an ephemeral one')).payload).toEqual(keyed.payload);
    // What costs the database nothing is free.
    expect((await send(false)).type).toBe('ok');
    expect((await publish(server, bob, 'x')).body.events[0].seq).toBe(3);
    client.close();
  });

  test('[T1] new durable topics are limited by user; those that are there are not', async () => {
    const server = await open({ RATE_TOPICS_PER_HOUR: '2' });
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const first = await publish(server, ann, 'one', {}, 'the key');
    const statuses: number[] = [first.status];
    for (const name of ['one', 'two', 'two', 'one']) {
      statuses.push((await publish(server, ann, name)).status);
    }
    expect(statuses).toEqual([201, 201, 201, 201, 201]);
    const refused = await publish(server, ann, 'three');
    expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
    expect(refused.body.error.retryAfterMs).toBeGreaterThan(3_000_000);
    expect((await publish(server, ann, 'three', { durable: false })).status).toBe(201);
    expect((await publish(server, ann, 'two')).status).toBe(201);
    expect((await publish(server, ann, 'one', {}, 'the key')).body).toEqual(first.body);
    expect((await publish(server, bob, 'three')).status).toBe(201);
    expect((await publish(server, ann, 'three')).status).toBe(201); // there now
  });
});
