// What one stuck transaction may cost all others, on PostgreSQL: an instance that is frozen in the middle of one, a topic
// whose row somebody keeps, and a connection that answers later than anybody waits.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { queryRows } from '../../src/db/database.ts';
import { asRefusal, isDatabaseAway } from '../../src/db/errors.ts';
import { createGate } from '../../src/db/gate.ts';
import type { TestUser } from '../support/api.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../support/postgres.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

async function openClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Runs the query on a connection of its own: within a transaction the activity stands still. */
async function watch(
  url: string,
): Promise<{ rows(statement: string): Promise<pg.QueryResultRow[]>; end(): Promise<void> }> {
  const client = await openClient(url);
  return { rows: async (statement) => (await client.query(statement)).rows, end: () => client.end() };
}

async function createGroup(
  server: ServerProcess,
  owner: TestUser,
  others: readonly TestUser[],
): Promise<string> {
  const { status, body } = await server.request('POST', '/v1/chats', {
    token: owner.accessToken,
    body: { type: 'group', name: 'a group', participantIds: others.map(({ id }) => id) },
  });
  expect(status).toBe(201);
  return body.id;
}

const say = (
  server: ServerProcess,
  { accessToken }: TestUser,
  chatId: string,
  content: string,
  key: string,
) =>
  server.request('POST', `/v1/chats/${chatId}/messages`, {
    token: accessToken,
    body: { content },
    headers: { 'Idempotency-Key': key },
  });

describeWith('an instance that is frozen in the middle of a transaction', postgresMissing, () => {
  test('keeps a topic from the other instance for some seconds, and works again when it wakes', async () => {
    const postgres = await sharedPostgres();
    const url = await postgres.createDatabase();
    const [frozen, other] = [
      await spawnServer({ DATABASE_URL: url }),
      await spawnServer({ DATABASE_URL: url }),
    ];
    const [ann, ben] = [await frozen.register('Ann'), await other.register('Ben')];
    const chatId = await createGroup(other, ben, [ann]);
    const reader = await other.connect(ben);
    await reader.subscribe(`chat:${chatId}`);

    // It has the topic's row and waits for a table; then it is frozen, and the table given free. Of a table that is asked
    // about rights: COMMIT travels with the statements that write.
    const keeper = await openClient(url);
    await keeper.query('BEGIN; LOCK TABLE chat_participants IN ACCESS EXCLUSIVE MODE');
    const lost = say(frozen, ann, chatId, 'from the frozen one', 'one');
    const watcher = await watch(url);
    const states = () =>
      watcher.rows(`SELECT pid, state, wait_event_type FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'carillon'`);
    let backend: number | undefined;
    await until(async () => {
      backend = (await states()).find(({ wait_event_type }) => wait_event_type === 'Lock')?.pid;
      return backend !== undefined;
    }, 'the transaction waits');
    frozen.kill('SIGSTOP');
    await keeper.query('ROLLBACK');
    await until(
      async () =>
        (await states()).some(({ pid, state }) => pid === backend && state === 'idle in transaction'),
      'its transaction stands still',
    );

    const askedAt = performance.now();
    const refusals: unknown[] = [];
    for (let isSaid = false; !isSaid; ) {
      const { status, body } = await say(other, ben, chatId, 'from the other one', 'two');
      isSaid = status === 201;
      if (!isSaid) {
        expect(body.error.code).toBe('unavailable');
        refusals.push(body.error);
        await Bun.sleep(body.error.retryAfterMs);
      }
    }
    expect(performance.now() - askedAt).toBeLessThan(10_000);
    expect(refusals.length).toBeGreaterThan(0);
    await reader.next(
      ({ type, payload }) => type === 'message.created' && payload.content === 'from the other one',
    );

    frozen.kill('SIGCONT');
    expect(await lost).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    // What was not acknowledged did not happen, and happens once when it is sent again; no connection is left that fails.
    expect((await say(frozen, ann, chatId, 'from the frozen one', 'one')).status).toBe(201);
    const later = await Promise.all(
      range(1, 40).map((number) => say(frozen, ann, chatId, `later ${number}`, `later ${number}`)),
    );
    expect(later.map(({ status }) => status)).toEqual(range(1, 40).map(() => 201));
    await reader.next(({ payload }) => payload?.content === 'later 40', 10_000).catch(() => {});
    await until(
      () => reader.frames.filter(({ type }) => type === 'message.created').length === 42,
      'all arrived',
    );
    const seqs = reader.frames.filter(({ topic, seq }) => topic === `chat:${chatId}` && seq !== undefined);
    expect(seqs.map(({ seq }) => seq)).toEqual(range(2, 43));
    reader.close();
    await Promise.all([keeper.end(), watcher.end()]);
    await Promise.all([frozen.stop(), other.stop()]);
    await postgres.dropDatabase(url);
  });
});

describeWith('a topic whose row somebody keeps', postgresMissing, () => {
  test('costs the two instances its own commands, and not those who only read', async () => {
    const postgres = await sharedPostgres();
    const url = await postgres.createDatabase();
    const servers = [
      await spawnServer({ DATABASE_URL: url }),
      await spawnServer({ DATABASE_URL: url }),
    ] as const;
    const users = await Promise.all(range(1, 40).map((number) => servers[0].register(`User ${number}`)));
    const [owner, ...members] = users;
    if (owner === undefined) throw new Error('There is no first user.');
    const stuck = await createGroup(servers[0], owner, members);
    const calm = await createGroup(servers[0], owner, []);
    const said = await Promise.all(
      users.map((user) => say(servers[0], user, stuck, 'to be edited', 'first')),
    );

    const keeper = await openClient(url);
    await keeper.query('BEGIN');
    await keeper.query('SELECT 1 FROM topics WHERE name = $1 FOR UPDATE', [`chat:${stuck}`]);
    // More than both instances together have connections.
    const edits = users.map(({ accessToken }, index) =>
      servers[index % 2 === 0 ? 0 : 1].request(
        'PATCH',
        `/v1/chats/${stuck}/messages/${said[index]?.body.id}`,
        {
          token: accessToken,
          body: { content: 'edited' },
        },
      ),
    );
    const watcher = await watch(url);
    const waiting = `SELECT count(*)::integer AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await until(async () => (await watcher.rows(waiting))[0]?.count >= 10, 'they wait for the row');

    for (const server of servers) {
      const askedAt = performance.now();
      expect((await server.request('GET', '/v1/users/me', { token: owner.accessToken })).status).toBe(200);
      expect(
        (await server.request('GET', `/v1/chats/${calm}/messages`, { token: owner.accessToken })).status,
      ).toBe(200);
      expect((await server.request('GET', '/health/ready')).status).toBe(200);
      expect(performance.now() - askedAt).toBeLessThan(1_000);
    }
    // Another topic's writers wait for a turn at most, and they themselves are told.
    const askedAt = performance.now();
    let status = 0;
    while (status !== 201) ({ status } = await say(servers[0], owner, calm, 'undisturbed', 'second'));
    expect(performance.now() - askedAt).toBeLessThan(15_000);
    const answers = await Promise.all(edits);
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([503]));
    for (const answer of answers) expect(answer.body.error.code).toBe('unavailable');

    // As soon as the row is free, all is as before.
    await keeper.query('ROLLBACK');
    expect((await say(servers[1], owner, stuck, 'as before', 'third')).status).toBe(201);
    await Promise.all([keeper.end(), watcher.end()]);
    await Promise.all(servers.map((server) => server.stop()));
    await postgres.dropDatabase(url);
  });
});

describeWith('a connection that broke', postgresMissing, () => {
  const failureOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  test('whose statement is answered too late goes out of the pool: the next one has nothing to do with it', async () => {
    const postgres = await sharedPostgres();
    const url = await postgres.createDatabase();
    const config = { databaseUrl: url, databasePool: 1, dataDir: '' };
    const database = await connectDatabase(config, pino({ level: 'silent' }), { statementMs: 500 });
    const late = database.db.transaction(async (tx) => {
      await tx.execute(sql`SET LOCAL statement_timeout = 0`); // the server itself would end it as well
      await tx.execute(sql`SELECT pg_sleep(5)`);
    });
    expect(isDatabaseAway(await failureOf(late))).toBe(true);
    expect(await queryRows<{ one: number }>(database.db, sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
    await database.close();
    await postgres.dropDatabase(url);
  });

  test('to a server that takes no writes any more goes out of the pool: the next one may lead to the one that does', async () => {
    const postgres = await sharedPostgres();
    const url = await postgres.createDatabase();
    const config = { databaseUrl: url, databasePool: 1, dataDir: '' };
    const { db, close } = await connectDatabase(config, pino({ level: 'silent' }));
    const write = () =>
      db.transaction((tx) => queryRows(tx, sql`INSERT INTO topics VALUES ('app:one', 1) RETURNING name`));
    // As the connections to a primary that became a standby are.
    await db.transaction((tx) => tx.execute(sql`SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY`));
    expect(asRefusal(await failureOf(write()))?.code).toBe('unavailable');
    expect(await write()).toEqual([{ name: 'app:one' }]);
    await close();
    await postgres.dropDatabase(url);
  });

  test.each(['idle_in_transaction', 'statement', 'lock'])(
    'the server ends what takes too long: %s',
    async (kind) => {
      const postgres = await sharedPostgres();
      const url = await postgres.createDatabase();
      const patience = { statementMs: 60_000, lockMs: 60_000, idleMs: 60_000 };
      const config = { databaseUrl: url, databasePool: 2, dataDir: '' };
      const { db, close } = await connectDatabase(config, pino({ level: 'silent' }), {
        ...patience,
        ...(kind === 'idle_in_transaction' && { idleMs: 200 }),
        ...(kind === 'statement' && { statementMs: 200 }),
        ...(kind === 'lock' && { lockMs: 200 }),
      });
      const keeper = await openClient(url);
      await keeper.query('BEGIN; LOCK TABLE topics IN EXCLUSIVE MODE');
      const watcher = await watch(url);
      const find = (pid = 0) => watcher.rows(`SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`);
      const failure = await failureOf(
        db.transaction(async (tx) => {
          const [own] = await queryRows<{ pid: number }>(tx, sql`SELECT pg_backend_pid() AS pid`);
          if (kind === 'idle_in_transaction') {
            await until(async () => (await find(own?.pid)).length === 0, 'the server has ended it');
            await tx.execute(sql`SELECT 1`);
          }
          if (kind === 'statement') await tx.execute(sql`SELECT pg_sleep(30)`);
          if (kind === 'lock') await tx.execute(sql`INSERT INTO topics VALUES ('app:one', 1)`);
        }),
      );
      expect(asRefusal(failure)).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 });
      expect(await queryRows<{ one: number }>(db, sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
      await keeper.end();
      await close();
      await postgres.dropDatabase(url);
    },
  );
});

test('a gate lets so many in, the others in their order, and none that has waited too long', async () => {
  const gate = createGate(2, 200);
  const order: number[] = [];
  const first = Promise.withResolvers<void>();
  const work = (number: number, until: Promise<void>) =>
    gate.pass(async () => {
      order.push(number);
      await until;
    });
  const inside = [work(1, first.promise), work(2, first.promise)];
  const late = [work(3, Promise.resolve()), work(4, Promise.resolve())];
  const failures = await Promise.allSettled(late);
  expect(failures.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = [work(5, Promise.resolve()), work(6, Promise.resolve()), work(7, Promise.resolve())];
  first.resolve();
  await Promise.all([...inside, ...next]);
  expect(order).toEqual([1, 2, 5, 6, 7]);
  // What fails inside leaves as well.
  await expect(
    Promise.all(range(1, 5).map(() => gate.pass(() => Promise.reject(new Error('no'))))),
  ).rejects.toThrow('no');
  await work(8, Promise.resolve());
});
