// Keys are taken in one order, whatever the order in which they are asked for: who waits for one holds none behind it.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { type KeyedRequest, takeKeys } from '../../../src/realtime/log/keys.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';

onEachDatabase('taking keys', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  const userId = Bun.randomUUIDv7();
  const requestOf = (key: string): KeyedRequest => ({ userId, operation: 'thing.make', key, body: {} });
  const take = (...keys: string[]) => own.db.transaction((tx) => takeKeys(tx, keys.map(requestOf)));

  test('answers for each key at its place whether it was taken', async () => {
    expect(await take('2')).toEqual([true]);
    expect(await take('3', '2', '1')).toEqual([true, false, true]);
    expect(await take()).toEqual([]);
  });

  if (database.kind === 'postgres') {
    test('who waits for a key holds none that comes behind it', async () => {
      const holding = Promise.withResolvers<void>();
      const held = Promise.withResolvers<void>();
      const holder = own.db.transaction(async (tx) => {
        await takeKeys(tx, [requestOf('a')]);
        held.resolve();
        await holding.promise;
      });
      await held.promise;
      const waiting = take('b', 'a');
      await untilWaiting(own.db, 1);
      // Taken in the order given, "b" would be held by who waits for "a": with two of them, a circle.
      const free = own.db.transaction(async (tx) => {
        await tx.execute(sql`SET LOCAL lock_timeout = '3s'`);
        return await takeKeys(tx, [requestOf('b')]);
      });
      const outcome = await free.catch(() => 'waits for who waits');
      holding.resolve();
      await holder;
      expect(outcome).toEqual([true]);
      expect(await waiting).toEqual([false, false]);
    });
  }
});
