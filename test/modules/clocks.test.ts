// What is due in the modules goes by the clock of the database, whatever the clocks of instances say: with one that is an hour
// ahead, no lease, hack or offer ends early, and none ends twice.

import { afterAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { queryRows } from '../../src/db/database.ts';
import { chatTopic } from '../../src/modules/chat/contract.ts';
import { playerTopic } from '../../src/modules/game/contract.ts';
import { jobTopic } from '../../src/modules/jobs/contract.ts';
import type { Api, TestUser } from '../support/api.ts';
import { clockOf, faketimeMissing } from '../support/faketime.ts';
import { makeFolder, removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../support/postgres.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { until } from '../support/until.ts';

describeWith('beside an instance whose clock is an hour ahead', postgresMissing ?? faketimeMissing, () => {
  const folder = makeFolder('clocks');
  const stops: (() => unknown)[] = [];
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
    removeFolder(folder);
  });

  async function start(env: Record<string, string>): Promise<ServerProcess> {
    const server = await spawnServer({ ACCESS_TOKEN_SECONDS: '86400', ...env });
    stops.push(() => server.stop());
    return server;
  }

  async function post(server: Api, user: TestUser, path: string, body: object) {
    const answer = await server.request('POST', `/v1${path}`, { token: user.accessToken, body });
    if (answer.status > 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  test('no lease, hack or offer ends early or twice', async () => {
    const url = await (await sharedPostgres()).createDatabase();
    const database = await connectDatabase(
      { databaseUrl: url, databasePool: 2, dataDir: '' },
      pino({ level: 'silent' }),
    );
    stops.push(() => database.close());
    const { db } = database;
    const right = await start({ DATABASE_URL: url });
    const file = join(folder, 'offset');
    await Bun.write(file, '+1h\n');
    const ahead = await start({ DATABASE_URL: url, ...clockOf(file) });
    const [ann, ben] = [await right.register('Ann'), await right.register('Ben')];

    // All of it on the instance that is ahead.
    const chat = await post(ahead, ann, '/chats', { type: 'direct', participantIds: [ben.id] });
    const expiresAt = new Date(Date.now() + 75_000).toISOString();
    const terms = { title: 'A lamp', amount: '5', currency: 'EUR', expiresAt };
    const offer = await post(ahead, ann, `/chats/${chat.id}/offers`, terms);
    const [mine, theirs] = [
      await post(ahead, ann, '/players', { handle: 'ann' }),
      await post(ahead, ben, '/players', { handle: 'ben' }),
    ];
    await db.execute(sql`UPDATE players SET shield_until = NULL`);
    const target = { targetComputerId: theirs.computers[0].id, type: 'bruteforce' };
    const hack = await post(ahead, ann, '/hacks', target);
    await db.execute(sql`UPDATE users SET role = 'worker' WHERE id = ${ben.id}`);
    const job = await post(ahead, ann, '/jobs', { type: 'clock', payload: null });
    const wanted = { types: ['clock'], workerId: 'ben', max: 1, waitSeconds: 0, leaseSeconds: 5 };
    const { items } = await post(ahead, ben, '/jobs/claim', wanted);
    expect(items).toMatchObject([{ id: job.id }]);

    const [expiring, ending, leased] = [
      async () => await readStatus('offers', offer.id),
      async () => await readStatus('hack_operations', hack.id),
      async () => await readStatus('jobs', job.id),
    ];
    async function readStatus(table: 'offers' | 'hack_operations' | 'jobs', id: string): Promise<string> {
      const rows = await queryRows<{ status: string }>(
        db,
        sql`SELECT status FROM ${sql.identifier(table)} WHERE id = ${id}`,
      );
      return rows[0]?.status ?? 'gone';
    }
    await until(async () => (await leased()) === 'queued', 'the lease has run out', 15_000);
    const [held] = await queryRows<{ seconds: number }>(
      db,
      sql`SELECT extract(epoch FROM updated_at - started_at)::float8 AS seconds FROM jobs WHERE id = ${job.id}`,
    );
    expect(held?.seconds).toBeGreaterThanOrEqual(5);
    expect([await expiring(), await ending()]).toEqual(['pending', 'running']);

    await db.execute(sql`UPDATE offers SET expires_at = now() WHERE id = ${offer.id}`);
    await db.execute(sql`UPDATE hack_operations SET completion_at = now() WHERE id = ${hack.id}`);
    await until(async () => (await expiring()) === 'expired', 'the offer has expired', 10_000);
    await until(async () => (await ending()) !== 'running', 'the hack has ended', 10_000);
    const count = async (topic: string, types: readonly string[]) => {
      const rows = await queryRows(
        db,
        sql`SELECT 1 FROM events WHERE topic = ${topic} AND type = ANY(${sql.param([...types])}::text[])`,
      );
      return rows.length;
    };
    await Bun.sleep(1_500); // what must not happen has no sign to wait for: both have looked again by then
    expect(await count(chatTopic(chat.id), ['offer.updated'])).toBe(1);
    expect(await count(playerTopic(mine.player.id), ['hack.completed', 'hack.failed'])).toBe(1);
    expect(await count(jobTopic(job.id), ['job.status'])).toBe(2); // claimed, and given back
  }, 60_000);
});
