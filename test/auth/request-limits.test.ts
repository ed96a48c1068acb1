// Limits as HTTP shows them: how many requests a user and an address may make, and what every answer says of the limits that it
// counted for.

import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../src/db/database.ts';
import type { Answer, TestUser } from '../support/api.ts';
import { describeWith } from '../support/needs.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** By name: what is allowed in how many seconds, and what is left. */
function quotasOf({ headers }: Answer): Record<string, { q: number; w: number; r: number; t: number }> {
  const read = (header: string) =>
    [...(headers.get(header) ?? '').matchAll(/"([^"]+)";(\w)=(\d+);(\w)=(\d+)/g)].map(
      ([, name = '', a = '', first, b = '', second]) =>
        [name, { [a]: Number(first), [b]: Number(second) }] as const,
    );
  const left = new Map(read('RateLimit'));
  return Object.fromEntries(
    read('RateLimit-Policy').map(([name, policy]) => [name, { ...policy, ...left.get(name) } as never]),
  );
}

const me = (server: TestServer, user: TestUser, ip = '192.0.2.1') =>
  server.request('GET', '/v1/users/me', {
    token: user.accessToken,
    headers: { 'X-Forwarded-For': ip },
  });

onEachDatabase('limits of requests', (open, database) => {
  test('a user may make so many a minute, from wherever; the next one is refused on every route', async () => {
    const server = await open({ RATE_REQUESTS_PER_MINUTE: '4', TRUST_PROXY: '1' });
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const answers = [];
    for (const n of [1, 2, 3, 4, 5]) answers.push(await me(server, ann, `192.0.2.${n}`));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 429]);
    expect(answers.map((answer) => quotasOf(answer).requests?.r)).toEqual([3, 2, 1, 0, 0]);
    expect(quotasOf(answers[0] as Answer).requests).toMatchObject({ q: 4, w: 60 }); // there are five
    const { body, headers } = answers[4] as Answer;
    expect(body.error.code).toBe('rate_limited');
    expect(body.error.retryAfterMs).toBeGreaterThan(0);
    expect(Number(headers.get('Retry-After'))).toBe(Math.ceil(body.error.retryAfterMs / 1_000));
    const { status } = await server.request('POST', '/v1/chats', { token: ann.accessToken, body: {} });
    expect(status).toBe(429);
    expect((await me(server, bob)).status).toBe(200);
    const hits = () =>
      queryRows<{ user_id: string; session_id: string; details: object }>(
        server.db,
        sql`SELECT user_id, session_id, details FROM audit_log WHERE event = 'rate_limited'`,
      );
    await until(async () => (await hits()).length > 0, 'it is in the audit log');
    expect(await hits()).toEqual([
      { user_id: ann.id, session_id: ann.sessionId, details: { limit: 'requests' } },
    ]);
  });

  test('an address may make ten times as many, whoever asks; health checks are free', async () => {
    const server = await open({ RATE_REQUESTS_PER_MINUTE: '1', TRUST_PROXY: '1' });
    const ask = (path: string, ip: string) =>
      server.request('GET', path, { headers: { 'X-Forwarded-For': ip } });
    const answers: Answer[] = [];
    for (let n = 0; n < 11; n += 1) answers.push(await ask('/swagger/json', '192.0.2.1'));
    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(200), 429]);
    expect(quotasOf(answers[0] as Answer)).toEqual({
      'requests by address': { q: 10, w: 60, r: 9, t: 60 },
    }); // there are eleven
    expect((await ask('/v1/users/me', '192.0.2.1')).status).toBe(429);
    expect((await ask('/v1/users/me', '192.0.2.2')).status).toBe(401);
    const health = await ask('/health/live', '192.0.2.1');
    expect([health.status, health.headers.get('RateLimit')]).toEqual([200, null]);
  });

  test('an answer names every limit that it counted for, refused or not', async () => {
    const server = await open({
      RATE_REQUESTS_PER_MINUTE: '100',
      RATE_CHATS_PER_HOUR: '1',
      RATE_LOGINS_PER_MINUTE: '3',
    });
    const ann = await server.register('Ann');
    const create = () =>
      server.request('POST', '/v1/chats', {
        token: ann.accessToken,
        body: { type: 'group', name: 'One', participantIds: [] },
      });
    const [made, refused] = [await create(), await create()];
    expect([made.status, quotasOf(made).chats]).toEqual([201, { q: 1, w: 3_600, r: 0, t: 3_600 }]);
    expect([refused.status, quotasOf(refused).chats]).toMatchObject([429, { q: 1, w: 3_600, r: 0 }]);
    expect(Object.keys(quotasOf(refused)).sort()).toEqual(['chats', 'requests', 'requests by address']);
    const { email } = ann;
    const login = await server.request('POST', '/v1/auth/login', { body: { email, password: 'wrong' } });
    expect(login.status).toBe(401);
    expect(quotasOf(login)['logins by address']).toMatchObject({ q: 3, w: 60, r: 2 });
  });

  test('without limits there is nothing to say', async () => {
    const server = await open();
    const { headers } = await me(server, await server.register('Ann'));
    expect([headers.get('RateLimit'), headers.get('RateLimit-Policy')]).toEqual([null, null]);
  });

  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('over Redis', redisMissing, () => {
    test('31 messages in a minute, by default: 30 are accepted, over HTTP and the socket, on two instances', async () => {
      const redis = await startRedis();
      // As deployed: no limit of the tests' own.
      const first = await open({ REDIS_URL: redis.url, RATE_MESSAGES_PER_MINUTE: '' });
      const second = await open(first.env);
      for (const split of [false, true]) {
        const ann = await first.register('Ann');
        const { body: chat } = await first.request('POST', '/v1/chats', {
          token: ann.accessToken,
          body: { type: 'group', name: 'One', participantIds: [] },
        });
        const other = split ? second : first;
        const client = await other.connect(ann);
        const overHttp = () =>
          first.request('POST', `/v1/chats/${chat.id}/messages`, {
            token: ann.accessToken,
            body: { content: 'Hello' },
          });
        const overSocket = () => client.request('message.send', { chatId: chat.id, content: 'Hello' });
        for (let n = 0; n < 15; n += 1) {
          expect((await overHttp()).status).toBe(201);
          expect((await overSocket()).type).toBe('ok');
        }
        const refused = await overHttp();
        expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
        expect(refused.body.error.retryAfterMs).toBeGreaterThan(0);
        expect(quotasOf(refused).messages).toMatchObject({ q: 30, w: 60, r: 0 });
        expect((await overSocket()).error).toMatchObject({
          code: 'rate_limited',
          retryAfterMs: expect.any(Number),
        });
        client.close();
      }
      await redis.stop();
    });

    test('requests are counted together within a second, and by instance while Redis is away', async () => {
      const redis = await startRedis();
      const first = await open({ REDIS_URL: redis.url, RATE_REQUESTS_PER_MINUTE: '20' });
      const second = await open(first.env);
      const ann = await first.register('Ann');
      for (let n = 0; n < 15; n += 1) expect((await me(first, ann)).status).toBe(200);
      // Each question counts, and learns at the next settlement of those on the other instance.
      let asked = 0;
      await until(async () => {
        asked += 1;
        await Bun.sleep(300);
        return (await me(second, ann)).status === 429;
      }, 'the other instance knows of them');
      expect(asked).toBeLessThanOrEqual(20 - 15 + 4);
      await redis.kill9();
      const bob = await second.register('Bob');
      const statuses: number[] = [];
      for (let n = 0; n < 21; n += 1) statuses.push((await me(second, bob)).status);
      expect(statuses).toEqual([...Array(20).fill(200), 429]);
    });
  });
});
