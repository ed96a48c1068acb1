// What arrives together is one transaction: each request is decided and refused alone, and who comes behind another one in the
// batch knows what that one did.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import {
  type ClaimedJob,
  jobTopic,
  maxUnfinished,
  userJobsTopic,
} from '../../../src/modules/jobs/contract.ts';
import { hold, untilWaiting } from '../../protocol/chat.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  act,
  attempt,
  claim,
  claimOne,
  create,
  endBackoff,
  endLease,
  eventsOf,
  fill,
  leaseOf,
  refusalOf,
  registerWorker,
  statusOf,
  tryAct,
  tryClaim,
  typesOf,
  unknownId,
} from './setup.ts';

onEachDatabase('jobs in batches', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let ben: TestUser;
  let gate: TestUser;
  let worker: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, ben, gate] = [
      await server.register('Ann'),
      await server.register('Ben'),
      await server.register('Gate'),
    ];
    worker = await registerWorker(server);
    await create(server, gate, { type: 'gate' }); // its topic is there from now on
  });

  /**
   * Asks for all of it while the batch before waits for somebody else, so that it is one batch. The embedded database has one
   * connection, which the transaction that is waited for would keep: there the first one goes alone, and the rest together.
   */
  async function together(
    first: () => Promise<Answer>,
    rest: () => Promise<Answer>[],
    others: readonly TestUser[] = [],
  ): Promise<Answer[]> {
    if (database.kind === 'embedded') return await Promise.all(rest());
    const release = await hold(
      server.db,
      sql`SELECT 1 FROM topics WHERE name = ${userJobsTopic(gate.id)} FOR UPDATE`,
    );
    const before = first();
    await untilWaiting(server.db, 1);
    const asked = rest();
    // These ask the same way and later: when they are answered, those have come to the batch.
    for (const user of [ann, ben, worker, ...others]) await attempt(server, user, 'GET', '/jobs');
    await release();
    expect((await before).status).toBeLessThan(300);
    return await Promise.all(asked);
  }

  const tryCreate = (owner: TestUser, body: object = {}, headers: Record<string, string> = {}) =>
    attempt(server, owner, 'POST', '/jobs', { type: 'batch', payload: {}, ...body }, headers);
  const createGate = (type: string) => () => tryCreate(gate, { type });
  const claimed = async (type: string, owner = ann): Promise<ClaimedJob> => {
    await create(server, owner, { type });
    return await claimOne(server, worker, { types: [type] });
  };
  const complete = (job: { id: string }, leaseId: string, result: unknown = 1, by = server) =>
    tryAct(by, worker, job, 'complete', { leaseId, result });
  const countTransactions = async (ids: readonly string[]) => {
    const rows = await queryRows(
      server.db,
      sql`SELECT DISTINCT xmin::text FROM jobs WHERE id = ANY(${sql.param([...ids])}::uuid[])`,
    );
    return rows.length;
  };
  const expectTogether = async (ids: readonly string[]) => {
    // On a busy machine some come too late, and are the next one.
    if (database.kind === 'postgres') expect(await countTransactions(ids)).toBeLessThan(ids.length);
  };

  test('of completions that come together each is decided alone', async () => {
    const blocker = await claimed('c.gate', gate);
    const [good, fenced, cancelled, over, taken, twice, unlike, last] = [
      await claimed('c.good'),
      await claimed('c.fenced', ben),
      await claimed('c.cancelled'),
      await claimed('c.over', ben),
      await claimed('c.taken'),
      await claimed('c.twice'),
      await claimed('c.unlike'),
      await claimed('c.last', ben),
    ];
    await act(server, ann, cancelled, 'cancel');
    await act(server, worker, over, 'complete', { ...leaseOf(over), result: 'first' });
    await endLease(server, taken);
    await until(async () => (await statusOf(server, taken)) === 'queued', 'the lease runs out');
    await endBackoff(server, taken);
    const taker = await claimOne(server, worker, { types: ['c.taken'] });
    const answers = await together(
      () => complete(blocker, blocker.leaseId),
      () => [
        complete(good, good.leaseId),
        complete({ id: unknownId }, unknownId),
        complete(fenced, unknownId),
        complete(cancelled, cancelled.leaseId),
        complete(over, over.leaseId, 'second'),
        complete(taken, taken.leaseId),
        complete(taken, taker.leaseId),
        complete(twice, twice.leaseId, { a: 1, b: [2] }),
        complete(twice, twice.leaseId, { b: [2], a: 1 }),
        complete(unlike, unlike.leaseId, 1),
        complete(unlike, unlike.leaseId, 2),
        complete(last, last.leaseId),
      ],
    );
    const kept = answers.map((answer) => (answer.status === 200 ? 200 : refusalOf(answer)));
    const conflict = (status: string) => [409, 'conflict', { status }];
    expect(kept.slice(0, 6)).toEqual([
      200,
      [404, 'not_found', undefined],
      conflict('running'),
      conflict('cancelled'),
      conflict('completed'),
      // Of another lease: whatever came first.
      expect.arrayContaining([409, 'conflict']),
    ]);
    expect(kept.slice(6, 9)).toEqual([200, 200, 200]);
    expect(kept.slice(9, 11).filter((one) => one === 200)).toHaveLength(1);
    expect(kept.slice(9, 11)).toContainEqual(conflict('completed'));
    expect(kept[11]).toBe(200);
    await expectTogether([good, taken, twice, unlike, last].map(({ id }) => id));
    for (const job of [good, taken, twice, unlike, last]) {
      const types = typesOf(await eventsOf(server, jobTopic(job.id)));
      expect(types.slice(-2)).toEqual(['job.completed', 'job.status']);
      expect(types.filter((type) => type === 'job.completed')).toHaveLength(1);
    }
    for (const user of [ann, ben]) {
      const seqs = (await eventsOf(server, userJobsTopic(user.id))).map(({ seq }) => seq);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    }
    expect([await statusOf(server, fenced), await statusOf(server, cancelled)]).toEqual([
      'running',
      'cancelled',
    ]);
  });

  test('one user reaches the limit in the middle of a batch, and the others’ jobs are created', async () => {
    const [full, other] = [await server.register('Full'), await server.register('Other')];
    await fill(server, full, maxUnfinished - 2);
    const answers = await together(
      createGate('limit'),
      () => Array.from({ length: 12 }, (_, n) => tryCreate(n % 2 === 0 ? full : other, { type: 'limit' })),
      [full, other],
    );
    const [ofFull, ofOther] = [0, 1].map((rest) => answers.filter((_, n) => n % 2 === rest));
    expect(ofOther?.map(({ status }) => status)).toEqual(Array(6).fill(201));
    expect(ofFull?.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409, 409, 409]);
    expect(ofFull?.find(({ status }) => status === 409)?.body.error.message).toContain('1000');
    const made = answers.flatMap(({ status, body }) => (status === 201 ? [body.id] : []));
    await expectTogether(made);
    const [row] = await queryRows<{ count: number }>(
      server.db,
      sql`SELECT count(*)::int AS count FROM jobs WHERE user_id = ${full.id} AND status IN ('queued', 'running')`,
    );
    expect(row?.count).toBe(maxUnfinished);
    const events = await eventsOf(server, userJobsTopic(full.id));
    expect(events.map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'job.created'],
      [2, 'job.created'],
    ]);
    // Room for one, and two who want it.
    await act(server, full, { id: ofFull?.find(({ status }) => status === 201)?.body.id }, 'cancel');
    const next = await together(createGate('limit'), () => [tryCreate(full), tryCreate(full)]);
    expect(next.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  test('a job that is planned too far ahead is refused, and its neighbours are created', async () => {
    const runAt = new Date(Date.now() + 366 * 86_400_000).toISOString();
    const answers = await together(createGate('ahead'), () => [
      tryCreate(ann, { type: 'ahead' }),
      tryCreate(ann, { type: 'ahead', runAt }),
      tryCreate(ben, { type: 'ahead' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([201, 400, 201]);
    expect(answers[1]?.body.error).toMatchObject({ code: 'invalid', details: [{ path: '/body/runAt' }] });
  });

  test('[K1] the same key, within a batch and in the next one, is one job; with another body a conflict', async () => {
    const headers = { 'Idempotency-Key': crypto.randomUUID() };
    const answers = await together(createGate('key'), () => [
      ...Array.from({ length: 4 }, () => tryCreate(ann, { type: 'key' }, headers)),
      tryCreate(ben, { type: 'key' }, headers), // a key is a user's own
      tryCreate(ann, { type: 'key', priority: 1 }, headers),
    ]);
    const mine = answers.slice(0, 4);
    const isLastFirst = answers[5]?.status === 201; // whatever came first
    const winners = isLastFirst ? answers.slice(5) : mine;
    expect(winners.map(({ status }) => status)).toEqual(winners.map(() => 201));
    expect(new Set(winners.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    for (const { status, body } of isLastFirst ? mine : answers.slice(5))
      expect([status, body.error.code]).toEqual([409, 'conflict']);
    expect(answers[4]?.status).toBe(201);
    const again = await tryCreate(ann, { type: 'key', ...(isLastFirst && { priority: 1 }) }, headers);
    expect(again.body).toEqual(winners[0]?.body);
    const rows = await queryRows(
      server.db,
      sql`SELECT 1 FROM jobs WHERE type = 'key' AND user_id IN (${ann.id}, ${ben.id})`,
    );
    expect(rows).toHaveLength(2);
  });

  test('claims that come together share what there is, each with the oldest of what is left', async () => {
    await create(server, gate, { type: 'd.gate' });
    const ids: string[] = [];
    for (let n = 0; n < 6; n += 1) ids.push((await create(server, ann, { type: 'd.one' })).id);
    const only = (await create(server, ben, { type: 'd.two', priority: 100 })).id;
    const wanted = (types: string[], max: number) => tryClaim(server, worker, { types, max });
    const answers = await together(
      () => wanted(['d.gate'], 1),
      () => [
        wanted(['d.one'], 50),
        wanted(['d.none'], 50),
        wanted(['d.one', 'd.two'], 50),
        wanted(['d.one'], 1),
      ],
    );
    const hands = answers.map(({ body }) => body.items.map(({ id }: ClaimedJob) => id));
    expect(hands.flat().sort()).toEqual([...ids, only].sort());
    expect(hands[1]).toEqual([]);
    expect(hands[3]?.length).toBeLessThanOrEqual(1);
    for (const hand of hands) expect(hand).toEqual([only, ...ids].filter((id) => hand.includes(id)));
    if (database.kind === 'embedded') return;
    if ((await countTransactions([...ids, only])) > 1) return; // one came too late on a busy machine, and got what was left
    expect(hands.map((hand) => hand.length).sort()).toEqual([0, 1, 3, 3]);
  });

  if (database.kind === 'embedded') return; // it has one instance only

  test('of two instances that end the same jobs at once, in batches, one ends each', async () => {
    const other = await open(server.env);
    const jobs: ClaimedJob[] = [];
    for (let n = 0; n < 40; n += 1) await create(server, ann, { type: 'race' });
    jobs.push(...(await claim(server, worker, { types: ['race'], max: 50 })));
    const ends = await Promise.all(
      jobs.map(async (job, n) => {
        const [first, second] = n % 2 === 0 ? [server, other] : [other, server];
        return await Promise.all([
          complete(job, job.leaseId, 'first', first),
          tryAct(n % 3 === 0 ? first : second, ann, job, 'cancel'),
          complete(job, job.leaseId, 'second', second),
        ]);
      }),
    );
    for (const [n, job] of jobs.entries()) {
      const statuses = ends[n]?.map(({ status }) => status).sort();
      expect(statuses).toEqual([200, 409, 409]);
      const status = await statusOf(server, job);
      expect(status).toBe(ends[n]?.[1]?.status === 200 ? 'cancelled' : 'completed');
      const events = await eventsOf(server, jobTopic(job.id));
      expect(typesOf(events)).toEqual(['job.created', 'job.status', `job.${status}`, 'job.status']);
      expect(events.at(-1)?.payload).toMatchObject({ status, previous: 'running' });
    }
  });
});
