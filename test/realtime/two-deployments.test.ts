// Two deployments on one Redis, each with a database of its own: pub/sub knows no database numbers, so the channels and
// keys themselves must tell whose they are. [O1] [P1]

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readConfig } from '../../src/config.ts';
import { startServer } from '../../src/server.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type Api, createApi, type TestUser } from '../support/api.ts';
import type { TestClient } from '../support/client.ts';
import { describeWith } from '../support/needs.ts';
import { type Postgres, postgresMissing, startPostgres } from '../support/postgres.ts';
import { type Redis, redisMissing, startRedis } from '../support/redis.ts';
import { quietEnv } from '../support/server.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

/** Two instances on one database, a user, and a client of theirs at each. */
interface Deployment {
  readonly first: Api;
  readonly second: Api;
  readonly user: TestUser;
  readonly clients: readonly [TestClient, TestClient];
}

const topic = 'app:public.lobby';

describeWith('two deployments on one Redis', postgresMissing ?? redisMissing, () => {
  let postgres: Postgres;
  let redis: Redis;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  afterAll(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await Promise.all([postgres.stop(), redis.kill9()]);
  });

  async function deploy(redisUrl: string): Promise<Deployment> {
    // Not a copy of the tests' template: made by its own migrations, as in production.
    const DATABASE_URL = await postgres.createDatabase('bare');
    const start = async () => {
      const env = { ...quietEnv, DATABASE_URL, REDIS_URL: redisUrl, RATE_REGISTRATIONS_PER_HOUR: '1' };
      const config = readConfig(env);
      const instance = await startServer(config, createLogger(config));
      stops.push(() => instance.stop());
      return createApi(`http://127.0.0.1:${instance.port}`);
    };
    const [first, second] = [await start(), await start()];
    const user = await first.register('Ann'); // the only one of this hour
    const clients = [await first.connect(user), await second.connect(user)] as const;
    for (const client of clients) await client.subscribe(topic);
    return { first, second, user, clients };
  }

  const publish = (client: TestClient, data: string, durable: boolean) =>
    client.request('publish', { event: 'lobby.said', data, durable }, { topic });
  /** Sent by one instance, and heard at the other: Redis has handed it to everyone who listens there. */
  const say = async ({ clients: [from, to] }: Deployment, data: string, durable: boolean) => {
    expect((await publish(from, data, durable)).type).toBe('ok');
    await to.next(({ payload }) => payload === data);
  };
  const heard = (client: TestClient) =>
    client.frames.filter(({ type }) => type === 'lobby.said').map(({ seq, payload }) => [seq, payload]);

  describe.each([
    ['of two database numbers', '/0', '/1'],
    ['of one database number', '/0', '/0'],
  ])('%s', (_name, one, other) => {
    test('share no events, durable or not, no presence and no limits', async () => {
      const production = await deploy(redis.url + one);
      const staging = await deploy(redis.url + other); // has a registration left, too
      await say(staging, 'staging 1', true);
      await say(staging, 'staging, by the way', false);
      await say(staging, 'staging 2', true);
      await say(production, 'production 1', true);
      await say(production, 'production, by the way', false);
      for (const client of production.clients) {
        expect(heard(client)).toEqual([
          [1, 'production 1'],
          [undefined, 'production, by the way'],
        ]);
      }
      for (const client of staging.clients) {
        expect(heard(client)).toEqual([
          [1, 'staging 1'],
          [undefined, 'staging, by the way'],
          [2, 'staging 2'],
        ]);
      }
      for (const { first, second, user, clients } of [production, staging]) {
        for (const client of clients) {
          const { payload } = await client.request('presence.list', {}, { topic });
          expect(payload.users).toEqual([{ userId: user.id, devices: 2 }]);
          expect(client.frames.some(({ type }) => type === 'presence.joined')).toBe(false);
        }
        for (const api of [first, second]) {
          await until(async () => {
            const { body } = await api.request('GET', `/v1/users/${user.id}/presence`, {
              token: user.accessToken,
            });
            return body.devices === 2;
          }, 'both connections are counted');
        }
      }
    });
  });
});
