// The pool of a PostgreSQL server: what is broken does not go back into it.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { type Db, queryRows } from '../../src/db/database.ts';
import { isDatabaseAway } from '../../src/db/errors.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, startPostgres } from '../support/postgres.ts';

setDefaultTimeout(30_000);

const readPid = async (db: Db): Promise<number> => {
  const [row] = await queryRows<{ pid: number }>(db, sql`SELECT pg_backend_pid() AS pid`);
  if (row === undefined) throw new Error('The server did not say which process answers.');
  return row.pid;
};

describeWith('a connection that does not answer', postgresMissing, () => {
  test('fails one transaction, and none behind it', async () => {
    const postgres = await startPostgres();
    const { db, close } = await connectDatabase(
      { databaseUrl: await postgres.createDatabase(), databasePool: 1, dataDir: '' },
      pino({ level: 'silent' }),
      { statementMs: 1_000 },
    );
    const frozen = await db.transaction(readPid);
    process.kill(frozen, 'SIGSTOP'); // the one process of the server that answers this connection
    try {
      const error = await db.transaction(readPid).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(isDatabaseAway(error)).toBe(true);
      expect(await db.transaction(readPid)).not.toBe(frozen);
    } finally {
      process.kill(frozen, 'SIGCONT');
    }
    await close();
    await postgres.stop();
  });
});
