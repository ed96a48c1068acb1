// What fails backs off, alone, and is said; everything else goes on.

import { afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { eq, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../../src/db/database.ts';
import { recordFailure } from '../../../src/realtime/clockwork/items.ts';
import { type Timed, timed } from '../../../src/realtime/index.ts';
import { onEachDatabase } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { bells, countRings, countSet, createBells, declared, putBells, ring, ringing } from './bells.ts';
import { type Rig, readFailures, startRig } from './rig.ts';

onEachDatabase('a timed thing that fails', (open, { kind: database }) => {
  let db: Db;
  let rig: Rig;
  /** When which bell was tried, by the database. */
  let tries: { id: string; at: number }[] = [];
  /** Takes two transactions at once. */
  const testOverlap = database === 'postgres' ? test : test.skip;

  const watched = timed('bell.ring', {
    ...declared,
    async run(context, ids) {
      const [now] = await queryRows<{ at: number }>(
        context.tx,
        sql`SELECT extract(epoch FROM now())::float8 * 1000 AS at`,
      );
      tries.push(...ids.map((id) => ({ id, at: now?.at ?? 0 })));
      await ring(context, ids);
    },
  });
  const start = (...kinds: readonly Timed[]) => {
    rig = startRig(db, kinds.length === 0 ? [watched] : kinds);
  };
  const untilRung = (ids: readonly string[]) =>
    until(async () => (await countSet(db, ids)) === 0, `${ids.length} bells have rung`);
  const untilTried = (id: string, times: number) =>
    until(() => triesOf(id).length >= times, `the bell was tried ${times} times`);
  const triesOf = (id: string) => tries.filter((one) => one.id === id).map(({ at }) => at);
  const heal = (id: string) => db.update(bells).set({ mood: 'fine' }).where(eq(bells.id, id));

  beforeAll(async () => {
    ({ db } = await open());
    await createBells(db);
  });
  beforeEach(async () => {
    tries = [];
    await db.execute(sql`DELETE FROM bells`);
    await db.execute(sql`DELETE FROM clockwork_failures`);
  });
  afterEach(() => rig.stop());

  test('backs off 1 s, 2 s, 4 s, while others are done, and is forgotten when it succeeds', async () => {
    const [broken = ''] = await putBells(db, 1, { mood: 'broken' });
    start();
    for (let attempts = 1; attempts <= 3; attempts += 1) {
      await untilTried(broken, attempts);
      await until(
        async () => (await readFailures(db))[0]?.attempts === attempts,
        `failure ${attempts} is written`,
      );
      const others = await putBells(db, 3);
      rig.wakeIn(0);
      await untilRung(others);
    }
    const at = triesOf(broken);
    const waitedMs = at.slice(1).map((next, n) => next - (at[n] ?? 0));
    expect(waitedMs.map((ms, n) => ms >= 1_000 * 2 ** n)).toEqual([true, true]);
    expect((await readFailures(db))[0]?.inSeconds).toBeGreaterThan(2);
    expect(rig.reports).toEqual(
      [1, 2, 3].map((n) => ({
        message: `The bell ${broken} is broken.`,
        what: `bell.ring of ${broken} (attempt ${n}, again in ${2 ** (n - 1)} s)`,
      })),
    );
    expect(rig.counts.get('bell.ring')).toMatchObject({ done: 9, failed: 3 });

    await heal(broken);
    await db.execute(sql`UPDATE clockwork_failures SET retry_at = now()`);
    rig.wakeIn(0);
    await untilRung([broken]);
    expect(await readFailures(db)).toEqual([]);
    expect([...(await countRings(db, [broken])).values()]).toEqual([1]);
  });

  test('counts once where two instances saw the same failure', async () => {
    const [broken = ''] = await putBells(db, 1, { mood: 'broken' });
    const first = await recordFailure(db, ringing, broken);
    expect([first?.attempts, await recordFailure(db, ringing, broken)]).toEqual([1, undefined]);
    expect(await readFailures(db)).toMatchObject([{ item: broken, attempts: 1 }]);
    start();
  });

  test('waits 5 minutes at most', async () => {
    const [broken = ''] = await putBells(db, 1, { mood: 'broken' });
    await db.execute(sql`INSERT INTO clockwork_failures VALUES ('bell.ring', ${broken}, 2000000, now())`);
    start();
    await until(async () => (await readFailures(db))[0]?.attempts === 2_000_001, 'it has failed again');
    expect((await readFailures(db))[0]?.inSeconds).toBeWithin(290, 300.1);
  });

  test('among 100 due together it alone backs off: the others are done at once, each once', async () => {
    const fine = await putBells(db, 60);
    const [broken = ''] = await putBells(db, 1, { mood: 'broken' });
    fine.push(...(await putBells(db, 39)));
    start();
    await untilRung(fine);
    await until(() => rig.reports.length > 0, 'it is reported');
    const { worstLateMs = Number.NaN } = rig.counts.get('bell.ring') ?? {};
    console.log(`with 1 of 100 broken, the others were ${Math.round(worstLateMs - 1_000)} ms late at most`);
    expect(await readFailures(db)).toMatchObject([{ item: broken, attempts: 1 }]);
    expect([...(await countRings(db, fine)).values()]).toEqual(fine.map(() => 1));
    expect(rig.counts.get('bell.ring')).toMatchObject({ done: 99, failed: 1 });
    expect(rig.reports).toHaveLength(1);
  });

  test('a batch that fails although its parts succeed is said', async () => {
    const shy = timed('bell.shy', {
      ...declared,
      async run(context, ids) {
        if (ids.length > 1) throw new Error('Not together.');
        await ring(context, ids);
      },
    });
    const ids = await putBells(db, 3);
    start(shy);
    await untilRung(ids);
    await until(() => rig.reports.length > 0, 'it is reported');
    const what = 'bell.shy of 3 together, though not of fewer,';
    expect(rig.reports).toEqual([{ message: 'Not together.', what }]);
    expect(await readFailures(db)).toEqual([]);
  });

  test('what was run and is still due has failed: it would run for ever', async () => {
    const [stays = ''] = await putBells(db, 1, { mood: 'stays' });
    start();
    await until(() => rig.reports.length > 0, 'it is reported');
    expect(rig.reports[0]?.message).toBe(
      `bell.ring has run and left ${stays} open and due, so it would run for ever: close it, or set its time ahead of now().`,
    );
    expect(await readFailures(db)).toMatchObject([{ item: stays, attempts: 1 }]);
    expect(triesOf(stays)).toHaveLength(1);
  });

  test('is forgotten when it is not due any more, by whatever happened to it', async () => {
    const [closed = '', later = '', gone = ''] = await putBells(db, 3, { mood: 'broken' });
    await db.update(bells).set({ state: 'silent' }).where(eq(bells.id, closed));
    await db.update(bells).set({ dueAt: sql`now() + interval '1 hour'` }).where(eq(bells.id, later));
    await db.delete(bells).where(eq(bells.id, gone));
    for (const id of [closed, later, gone])
      await db.execute(sql`INSERT INTO clockwork_failures VALUES ('bell.ring', ${id}, 3, now())`);
    start();
    await until(async () => (await readFailures(db)).length === 0, 'all are forgotten');
    expect([tries, rig.reports]).toEqual([[], []]);
  });

  test('is forgotten after a day where no module knows it any more', async () => {
    await db.execute(sql`
      INSERT INTO clockwork_failures VALUES ('old.kind', 'a', 3, now() - interval '23 hours'),
        ('old.kind', 'b', 3, now() - interval '25 hours')`);
    start();
    await until(async () => (await readFailures(db)).length < 2, 'one is forgotten');
    expect(await readFailures(db)).toMatchObject([{ item: 'a' }]);
  });

  test('a deadlock is run again at once, and counts for nothing', async () => {
    const ids = await putBells(db, 2);
    let runs = 0;
    const heard: string[] = [];
    const deadlocked = timed('bell.deadlocked', {
      ...declared,
      async run(context, given) {
        runs += 1;
        const run = runs;
        context.afterCommit(() => heard.push(`run ${run} is committed`));
        await ring(context, given);
        if (run === 1) throw Object.assign(new Error('deadlock'), { code: '40P01' });
      },
    });
    start(deadlocked);
    await until(() => heard.length > 0, 'it is committed');
    expect([heard, runs, rig.reports]).toEqual([['run 2 is committed'], 2, []]);
    expect([...(await countRings(db, ids)).values()]).toEqual([1, 1]);
    expect(await readFailures(db)).toEqual([]);
  });

  test('a database that goes away is no failure of what it was about, unless that brings it about again', async () => {
    const [first = '', cursed = ''] = await putBells(db, 2);
    const away = Object.assign(new Error('gone'), { code: '57P01' });
    const curse = timed('bell.cursed', {
      ...declared,
      async run(context, ids) {
        tries.push(...ids.map((id) => ({ id, at: 0 })));
        if (ids.includes(cursed)) throw away;
        await ring(context, ids);
      },
    });
    start(curse);
    await until(() => rig.reports.length > 0, 'it is reported');
    expect([rig.reports, await readFailures(db)]).toEqual([[{ message: 'gone', what: 'bell.cursed' }], []]);
    await untilRung([first]);
    await until(async () => (await readFailures(db)).length > 0, 'the second time it is to blame');
    expect(await readFailures(db)).toMatchObject([{ item: cursed, attempts: 1 }]);
    expect(await countSet(db, [cursed])).toBe(1);
  });

  testOverlap('a lock that somebody keeps: the others are done meanwhile, and it later', async () => {
    const tower = Bun.randomUUIDv7();
    await db.execute(sql`INSERT INTO towers VALUES (${tower})`);
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holding = db.transaction(async (tx) => {
      await tx.execute(sql`SELECT 1 FROM towers FOR UPDATE`);
      held.resolve();
      await release.promise;
    });
    await held.promise;
    const stuck = await putBells(db, 5, { tower });
    const others = await putBells(db, 50);
    start();
    await untilRung(others);
    const lateMs = rig.counts.get('bell.ring')?.worstLateMs ?? Number.NaN;
    console.log(`with 5 of 55 stuck, the others were ${Math.round(lateMs - 1_000)} ms late at most`);
    expect(lateMs - 1_000).toBeLessThan(2_000); // as long as a command waits for one lock
    expect(await countSet(db, stuck)).toBe(5);
    expect((await readFailures(db)).map(({ item }) => item)).toEqual(stuck.toSorted());
    const fresh = await putBells(db, 3); // while the stuck ones are retried
    rig.wakeIn(0);
    await untilRung(fresh);
    release.resolve();
    await holding;
    await untilRung(stuck);
    expect(await readFailures(db)).toEqual([]);
  });

  testOverlap('an item that a command has locked is passed over, and done behind it', async () => {
    const [locked = '', free = ''] = await putBells(db, 2);
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holding = db.transaction(async (tx) => {
      await tx.select().from(bells).where(eq(bells.id, locked)).for('update');
      held.resolve();
      await release.promise;
    });
    await held.promise;
    start();
    await untilRung([free]);
    expect([triesOf(locked), await countSet(db, [locked])]).toEqual([[], 1]);
    release.resolve();
    await holding;
    await untilRung([locked]);
    expect([rig.reports, await readFailures(db)]).toEqual([[], []]);
  });

  testOverlap('a kind that takes long keeps no other kind waiting', async () => {
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const slow = timed('bell.slow', {
      ...declared,
      isOpen: sql`state = 'slow'`,
      async run({ tx }) {
        entered.resolve();
        await leave.promise;
        await tx.execute(sql`UPDATE bells SET state = 'rung' WHERE state = 'slow'`);
      },
    });
    await putBells(db, 1);
    await db.execute(sql`UPDATE bells SET state = 'slow'`);
    start(slow, ringing);
    await entered.promise;
    const others = await putBells(db, 2);
    rig.wakeIn(0);
    await untilRung(others);
    leave.resolve();
    await until(() => rig.counts.get('bell.slow')?.done === 1, 'it is done');
  });
});
