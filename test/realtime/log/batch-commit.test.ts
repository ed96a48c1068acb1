// Batches that change rows: what an item changes is locked before it is decided, and told of on several topics.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import { type Database, queryRows, runStatement } from '../../../src/db/database.ts';
import { AppError } from '../../../src/protocol/errors.ts';
import type { Actor } from '../../../src/realtime/actor.ts';
import { type BatchContext, createBatchCommit } from '../../../src/realtime/log/batch-commit.ts';
import { keyedBy } from '../../../src/realtime/log/commit.ts';
import { type LoggedEvent, readEvents } from '../../../src/realtime/log/event-log.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { reporter } from '../../support/reporter.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { anyTopic } from '../../support/topics.ts';

interface Account {
  readonly id: string;
  readonly owner: string;
  balance: number;
}

/** Takes money off an account that has it. */
interface Payment {
  readonly account: string;
  readonly amount: number;
  /** What is wrong with the work itself. */
  readonly bug?: 'refused late' | 'not locked' | 'broken row' | 'begun again';
}

const accountTopic = (id: string) => anyTopic(`account:${id}`);
const ownerTopic = (owner: string) => anyTopic(`owner:${owner}`);

onEachDatabase('batch commit', (_open, database) => {
  let own: Database;
  let published: LoggedEvent[] = [];
  let after: string[] = [];
  let batches: number[] = [];
  const actor: Actor = {
    userId: Bun.randomUUIDv7(),
    sessionId: Bun.randomUUIDv7(),
    role: 'user',
    source: 'ws',
  };

  const createPay = () =>
    createBatchCommit(
      own.db,
      (events) => void published.push(...events),
      reporter,
    )<
      { actor: Actor; request: ReturnType<typeof keyedBy>; input: Payment },
      Account | undefined,
      Account,
      { id: string; left: number }
    >({
      async find(tx, items, lock) {
        batches.push(items.length);
        const rows = await runStatement<Account>(tx, {
          name: 'hold_accounts',
          text: `SELECT * FROM accounts WHERE id = ANY(string_to_array($1, ',')) ORDER BY id FOR UPDATE`,
          values: [items.map(({ input }) => input.account).join(',')],
        });
        const byId = new Map(rows.map((row) => [row.id, row]));
        const found = items.map(({ input }) => byId.get(input.account));
        await lock(found.map((one) => (one ? [accountTopic(one.id), ownerTopic(one.owner)] : [])));
        return found;
      },
      decide({ input }, account, context) {
        if (account === undefined) return new AppError('not_found', 'no account');
        if (input.bug !== undefined) misbehave(input.bug, account, context);
        if (account.balance < input.amount || input.bug === 'refused late')
          return new AppError('conflict', 'too little');
        account.balance -= input.amount;
        const { id, owner, balance } = account;
        const topics = [accountTopic(id), ownerTopic(owner)];
        context.emit(topics, 'account.paid', { left: balance });
        if (balance === 0)
          context.emit(topics, 'account.empty', {}, { revokes: [owner], revokesOn: topics[0] });
        context.afterCommit(() => after.push(`${id} ${balance} behind ${published.length}`));
        return { value: { id, left: balance }, row: { ...account, balance: input.bug ? -1 : balance } };
      },
      write: (rows) =>
        rows.map(({ id, balance }) => ({
          name: 'write_account',
          text: 'UPDATE accounts SET balance = $2 WHERE id = $1',
          values: [id, balance],
        })),
    });
  let pay: ReturnType<typeof createPay>;

  function misbehave(bug: Payment['bug'], account: Account, { emit }: BatchContext): void {
    if (bug === 'refused late') emit(accountTopic(account.id), 'account.paid', {});
    if (bug === 'not locked') emit(anyTopic('account:other'), 'account.paid', {});
    if (bug === 'begun again') emit.begin(anyTopic('app:public.lobby'));
  }

  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
    await own.db.execute(
      sql`CREATE TABLE accounts (id text PRIMARY KEY, owner text, balance int CHECK (balance >= 0))`,
    );
    pay = createPay();
  });
  afterAll(() => own.close());

  const open = async (owner: string, balance: number): Promise<string> => {
    const id = crypto.randomUUID();
    await own.db.execute(sql`INSERT INTO accounts VALUES (${id}, ${owner}, ${balance})`);
    [published, after, batches] = [[], [], []];
    return id;
  };
  const ask = (input: Payment, key?: string, by = pay) =>
    by({ actor, input, request: keyedBy(actor, { operation: 'account.pay', key, body: input }) });
  const logged = async (topic: { name: string }) =>
    (await readEvents(own.db, topic.name, 0, 1_000)).map((event) => ({
      ...event,
      ...JSON.parse(event.frame),
    }));
  const balanceOf = async (id: string) =>
    (await queryRows<{ balance: number }>(own.db, sql`SELECT balance FROM accounts WHERE id = ${id}`))[0]
      ?.balance;

  test('an item has several events on several topics, and each knows what those before it did', async () => {
    const owner = crypto.randomUUID();
    const id = await open(owner, 3);
    const all = await Promise.allSettled([1, 1, 2, 1].map((amount) => ask({ account: id, amount })));
    expect(all.map((one) => (one.status === 'fulfilled' ? one.value.value.left : one.reason.code))).toEqual([
      2,
      1,
      'conflict',
      0,
    ]);
    const last = all[3]?.status === 'fulfilled' ? all[3].value.events : [];
    expect(last.map(({ topic, seq }) => [topic, seq])).toEqual([
      [`account:${id}`, 3],
      [`owner:${owner}`, 3],
      [`account:${id}`, 4],
      [`owner:${owner}`, 4],
    ]);
    const [onAccount, onOwner] = [await logged(accountTopic(id)), await logged(ownerTopic(owner))];
    expect(onAccount.map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'account.paid'],
      [2, 'account.paid'],
      [3, 'account.paid'],
      [4, 'account.empty'],
    ]);
    expect(onOwner.map((event) => event.id)).toEqual(onAccount.map((event) => event.id));
    expect(new Set(onAccount.map((event) => event.id)).size).toBe(4);
    // Who loses the account, loses that topic alone.
    expect(onAccount.map(({ revokes }) => revokes)).toEqual([undefined, undefined, undefined, [owner]]);
    expect(onOwner.map(({ revokes }) => revokes)).toEqual(Array(4).fill(undefined));
    expect(published).toHaveLength(8);
    expect(published.filter(({ revokes }) => revokes !== undefined).map(({ topic }) => topic)).toEqual([
      `account:${id}`,
    ]);
    expect(await balanceOf(id)).toBe(0);
  });

  test('what is to be done behind COMMIT is done once, when everything is published, and not for who is refused', async () => {
    const id = await open('ann', 2);
    await Promise.allSettled([1, 5, 1].map((amount) => ask({ account: id, amount })));
    expect(after).toEqual([`${id} 1 behind ${published.length}`, `${id} 0 behind ${published.length}`]);
    expect(published).toHaveLength(6);
  });

  test.each(['refused late', 'not locked', 'begun again', 'broken row'] as const)(
    'a work that is wrong about one item (%s) fails for that one alone',
    async (bug) => {
      const id = await open('ann', 10);
      const payments: Payment[] = [1, 2, 3].map((amount) => ({
        account: id,
        amount,
        ...(amount === 2 && { bug }),
      }));
      const all = await Promise.allSettled(payments.map((payment) => ask(payment)));
      expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(batches[0]).toBe(3);
      expect(await balanceOf(id)).toBe(6);
      expect((await logged(accountTopic(id))).map(({ payload }) => payload)).toEqual([
        { left: 9 },
        { left: 6 },
      ]);
      expect(after).toHaveLength(2);
    },
  );

  test('leaves no trace of topics that were made for items that are refused', async () => {
    const owner = crypto.randomUUID();
    const id = await open(owner, 1);
    await expect(ask({ account: id, amount: 2 })).rejects.toMatchObject({ code: 'conflict' });
    await expect(ask({ account: 'none', amount: 2 })).rejects.toMatchObject({ code: 'not_found' });
    const rows = await queryRows(
      own.db,
      sql`SELECT 1 FROM topics WHERE name IN (${`account:${id}`}, ${`owner:${owner}`})`,
    );
    expect(rows).toEqual([]);
  });

  test('[K1] a key counts once within a batch, in the next one, and on another instance', async () => {
    const id = await open('ann', 10);
    const payment = { account: id, amount: 1 };
    const together = await Promise.all([1, 2, 3].map(() => ask(payment, 'once')));
    const rest = [await ask(payment, 'once'), await ask(payment, 'once', createPay())];
    for (const { value, events } of [...together, ...rest]) {
      expect(value).toEqual({ id, left: 9 });
      expect(events.map(({ topic }) => topic)).toEqual([`account:${id}`, 'owner:ann']);
    }
    await expect(ask({ account: id, amount: 2 }, 'once')).rejects.toMatchObject({ code: 'conflict' });
    expect(await balanceOf(id)).toBe(9);
  });

  test('two instances that pay from the same accounts, each in batches, take turns and spend nothing twice', async () => {
    const ids = [await open('ann', 20), await open('ben', 20), await open('ann', 20)];
    const [one, other] = [createPay(), createPay()];
    const all = await Promise.allSettled(
      Array.from({ length: 90 }, (_, n) =>
        ask({ account: ids[n % 3] ?? '', amount: 1 }, undefined, n % 2 === 0 ? one : other),
      ),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(60);
    for (const id of ids) {
      expect(await balanceOf(id)).toBe(0);
      const events = await logged(accountTopic(id));
      expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 21 }, (_, n) => n + 1));
      expect(events.slice(0, -1).map(({ payload }) => payload.left)).toEqual(
        Array.from({ length: 20 }, (_, n) => 19 - n),
      );
    }
  });
});
