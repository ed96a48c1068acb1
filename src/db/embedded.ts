// PGlite as `Database`: PostgreSQL in this process, in a folder that no other process may open.

import { Database as Lock } from 'bun:sqlite';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { type BootMark, readBootMark, writeBootMark } from './boot.ts';
import { claimDataFolder } from './data-folder.ts';
import { type Database, type Db, runStatement, type TransactInTwo } from './database.ts';
import { EmbeddedFiles, fileParams } from './embedded-files.ts';

export async function openEmbedded(dataDir: string, bootId: string): Promise<Database> {
  claimDataFolder(dataDir);
  const release = lockFolder(dataDir);
  let client: PGlite;
  let mayHaveLost: boolean;
  try {
    client = await PGlite.create({
      fs: new EmbeddedFiles(join(dataDir, 'postgres')),
      startParams: [...PGlite.defaultStartParams, ...fileParams],
    });
    mayHaveLost = await isCutOff(client, readBootMark(dataDir), bootId);
  } catch (error) {
    release();
    throw error;
  }
  giveTurns(client);
  let isMarked = false;
  const db = drizzle(client) as unknown as Db; // the driver's result type is narrower than the shared one
  const transactInTwo: TransactInTwo = (ask, write) =>
    db.transaction(async (tx) => {
      const asked = await ask(tx);
      for (const statement of write(asked)) await runStatement(tx, statement);
      return asked;
    });
  return {
    db: Object.assign(db, { transactInTwo }),
    kind: 'embedded',
    async migrate() {
      const { migrateEmbedded } = await import('./migrate.ts');
      await migrateEmbedded(client);
    },
    countWaiting: () => 0, // what waits there waits inside the one connection
    mayHaveLost,
    markOpen() {
      writeBootMark(dataDir, { bootId });
      isMarked = true;
    },
    async close() {
      const closedAt = await readLogPosition(client).catch(() => undefined);
      await client.close();
      if (isMarked) writeBootMark(dataDir, { bootId, closedAt });
      release();
    },
  };
}

/** Another boot than the one that left the mark, and not, or not all of, what was there when it was closed. */
async function isCutOff(client: PGlite, mark: BootMark | undefined, bootId: string): Promise<boolean> {
  if (mark === undefined || mark.bootId === bootId) return false;
  if (mark.closedAt === undefined) return true;
  const { rows } = await client.query<{ isBehind: boolean }>(
    'SELECT pg_current_wal_lsn() < $1::pg_lsn AS "isBehind"',
    [mark.closedAt],
  );
  return rows[0]?.isBehind ?? true;
}

async function readLogPosition(client: PGlite): Promise<string | undefined> {
  const { rows } = await client.query<{ position: string }>('SELECT pg_current_wal_lsn()::text AS position');
  return rows[0]?.position;
}

/**
 * PGlite computes in this thread and answers in microtasks: a queue of statements would be worked off whole before the event
 * loop looks at a socket again, and 50 subscribes of 100 topics a second kept everyone waiting for 20 s. So whoever comes
 * out of its queue, a statement or a transaction, lets the loop go round once.
 */
function giveTurns(client: PGlite): void {
  const takeTurn = client._runExclusiveTransaction.bind(client);
  client._runExclusiveTransaction = (work) =>
    takeTurn(async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      return await work();
    });
}

/**
 * Two processes on one embedded database would destroy it. SQLite's exclusive file lock belongs to the process and
 * ends with it, also on kill -9; a file that holds a pid would outlive both.
 */
function lockFolder(dataDir: string): () => void {
  const lock = new Lock(join(dataDir, 'lock.sqlite'), { create: true });
  try {
    lock.run('PRAGMA locking_mode = EXCLUSIVE');
    lock.run('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw new Error(
      `The embedded database in ${dataDir} is open in another process. Stop that one, or set DATA_DIR to another folder ` +
        '(or DATABASE_URL to a PostgreSQL server, which several instances can share).',
      { cause: error },
    );
  }
  return () => lock.close();
}
