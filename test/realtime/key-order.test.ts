// Keys alone: in which order they are taken, and how long the first result is answered. [K1]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../src/config.ts';
import { connectDatabase, type Database } from '../../src/db/connect.ts';
import { type KeyedRequest, keepResults, readFirstResult, takeKeys } from '../../src/realtime/keys.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { untilWaiting } from '../protocol/chat.ts';
import { onEachDatabase, quietEnv } from '../support/server.ts';

onEachDatabase('keys', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  const userId = Bun.randomUUIDv7();
  const request = (key: string): KeyedRequest => ({ userId, operation: 'thing.make', key, body: {} });

  test('[K1] a first result is answered for 24 hours, and not for ever', async () => {
    await own.db.transaction(async (tx) => {
      await takeKeys(tx, [request('aged')]);
      await keepResults(tx, [{ ...request('aged'), value: { n: 1 }, events: [] }]);
    });
    const age = (interval: string) =>
      own.db.execute(
        sql`UPDATE idempotency_keys SET created_at = now() - ${interval}::interval WHERE key = 'aged'`,
      );
    await age('23 hours 59 minutes');
    expect(await readFirstResult(own.db, request('aged'))).toEqual({ value: { n: 1 }, events: [] });
    await age('24 hours 1 second');
    expect(await readFirstResult(own.db, request('aged'))).toBeUndefined();
  });

  // An embedded database has one connection: nobody waits for anybody else.
  if (database.kind !== 'postgres') return;

  test('[K1] two transactions that want the same keys in another order do not wait for each other in a circle', async () => {
    const middle = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holding = own.db.transaction(async (tx) => {
      await takeKeys(tx, [request('m')]);
      held.resolve();
      await middle.promise;
      throw new Error('given back');
    });
    await held.promise;
    // Each has taken what comes before the key in the middle by its own order, and waits.
    const take = (...keys: string[]) => own.db.transaction((tx) => takeKeys(tx, keys.map(request)));
    const both = Promise.all([take('a', 'm', 'z'), take('z', 'm', 'a')]);
    await untilWaiting(own.db, 2);
    middle.resolve();
    await expect(holding).rejects.toThrow('given back');
    const taken = await both;
    expect(taken.toSorted()).toEqual([
      [false, false, false],
      [true, true, true],
    ]);
  });
});
