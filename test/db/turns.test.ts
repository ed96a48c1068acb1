// The embedded database works in this thread: whatever waits for it, sockets and timers have their turn in between.

import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { queryRows } from '../../src/db/database.ts';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';

test('the event loop goes round between the statements that wait for the embedded database', async () => {
  const dataDir = await createDataFolder();
  const database = await connectDatabase(
    { databaseUrl: undefined, databasePool: 1, dataDir },
    pino({ level: 'silent' }),
  );
  const { db } = database;
  let hasAnswers = false;
  let rounds = 0;
  const goRound = () => {
    rounds += 1;
    if (!hasAnswers) setImmediate(goRound);
  };
  setImmediate(goRound);
  await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      n % 2
        ? queryRows(db, sql`SELECT ${n}::int`)
        : db.transaction((tx) => queryRows(tx, sql`SELECT ${n}::int`)),
    ),
  );
  hasAnswers = true;
  expect(rounds).toBeGreaterThanOrEqual(100);
  await database.close();
  removeFolder(dataDir);
}, 20_000);
