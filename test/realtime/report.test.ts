// What is a bug, and what passes by itself: with a database and a Redis that are really away.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pino from 'pino';
import { readConfig } from '../../src/config.ts';
import { connectDatabase } from '../../src/db/connect.ts';
import { AppError, type ErrorCode } from '../../src/protocol/errors.ts';
import { createReporter } from '../../src/realtime/report.ts';
import { connectRedis, waitForRedis } from '../../src/redis/client.ts';
import { findFreePort } from '../support/child.ts';
import { describeWith } from '../support/needs.ts';
import { type Redis, redisMissing, startRedis } from '../support/redis.ts';
import { quietEnv } from '../support/server.ts';

const logged: { level: number; msg: string }[] = [];
const logger = pino({ level: 'info' }, { write: (line) => logged.push(JSON.parse(line)) });
const { report, toRefusal } = createReporter(logger);
beforeEach(() => {
  logged.length = 0;
});

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('It did not fail.');
    },
    (error: unknown) => error,
  );

/** Says how the error is reported and refused: what the log got of both, and the code. */
function judge(error: unknown) {
  logged.length = 0;
  report(error, 'ringing');
  const { code } = toRefusal(error, 'the bell');
  return { code, logged: logged.map(({ level, msg }) => [level, msg]) };
}

const passing = (code: ErrorCode) => ({ code, logged: [[40, 'ringing failed, for now']] });
const bug: { code: ErrorCode; logged: [number, string][] } = {
  code: 'internal',
  logged: [
    [50, 'ringing failed'],
    [50, 'the bell failed'],
  ],
};

describe('what failed', () => {
  test('is a bug where nobody knows it: an error with its cause, and `internal`', () => {
    expect(judge(new TypeError('undefined is not a bell'))).toEqual(bug);
    expect(judge('a bell')).toEqual(bug);
  });

  test('is no bug where it was refused on purpose: the client is told', () => {
    expect(judge(new AppError('forbidden', 'not yours'))).toEqual(passing('forbidden'));
  });

  test('passes by itself where the database is away', async () => {
    const databaseUrl = `postgres://nobody@127.0.0.1:${findFreePort()}/none`;
    const config = readConfig({ ...quietEnv, DATABASE_URL: databaseUrl });
    const database = await connectDatabase(config, logger);
    expect(judge(await failureOf(database.db.execute(sql`SELECT 1`).then()))).toEqual(passing('unavailable'));
    await database.close();
  });

  test('passes by itself where Redis is away, one server or a cluster', async () => {
    for (const scheme of ['redis', 'redis+cluster']) {
      const redis = connectRedis(`${scheme}://127.0.0.1:${findFreePort()}`);
      expect(judge(await failureOf(redis.ping()))).toEqual(passing('unavailable'));
      redis.disconnect();
      expect(judge(await failureOf(redis.ping()))).toEqual(passing('unavailable'));
    }
  });

  describeWith('at a Redis', redisMissing, () => {
    let server: Redis;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server.stop());

    test('passes by itself while the server is frozen or loading, and is a bug where the command is wrong', async () => {
      const redis = connectRedis(server.url);
      await waitForRedis(redis);
      await redis.set('bell', 'one');
      expect(judge(await failureOf(redis.lpush('bell', 'two')))).toEqual(bug);
      expect(judge(await failureOf(redis.eval("return redis.error_reply('LOADING the bells')", 0)))).toEqual(
        passing('unavailable'),
      );
      server.kill('SIGSTOP');
      expect(judge(await failureOf(redis.ping()))).toEqual(passing('unavailable'));
      server.kill('SIGCONT');
      redis.disconnect();
    });
  });
});
