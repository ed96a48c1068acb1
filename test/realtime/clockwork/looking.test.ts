// When the clockwork looks, what for, and what that reads: index entries, once a second, and nothing where nothing is timed.

import { afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Db } from '../../../src/db/database.ts';
import { selectDue, selectNextDue } from '../../../src/realtime/clockwork/items.ts';
import { timed } from '../../../src/realtime/index.ts';
import { explain } from '../../support/explain.ts';
import { onEachDatabase } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { countSet, createBells, declared, putBells, ring, ringing } from './bells.ts';
import { type Rig, startRig } from './rig.ts';

onEachDatabase('looking for what is due', (open, { kind: database }) => {
  let db: Db;
  /** The database, where it counts who asks it something outside of transactions. */
  let counted: Db;
  let looks = 0;
  const rigs: Rig[] = [];

  beforeAll(async () => {
    ({ db } = await open());
    await createBells(db);
    counted = new Proxy(db, {
      get(target, name) {
        if (name === '_') looks += 1;
        return Reflect.get(target, name, target);
      },
    });
  });
  beforeEach(async () => {
    looks = 0;
    await db.execute(sql`DELETE FROM bells`);
  });
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.stop()));
  });
  const start = (...given: Parameters<typeof startRig>): Rig => {
    const rig = startRig(...given);
    rigs.push(rig);
    return rig;
  };
  const untilRung = (ids: readonly string[]) =>
    until(async () => (await countSet(db, ids)) === 0, `${ids.length} bells have rung`);

  test('once a second, and when something is due', async () => {
    const ids = await putBells(db, 1, { inMs: 2_500 });
    start(counted, [ringing]);
    await untilRung(ids);
    // At the start, after 1 and 2 s, when it was due, and behind that.
    expect(looks).toBeWithin(4, 7);
  });

  test('at once when it is told to, or in so many ms', async () => {
    const rig = start(counted, [ringing]);
    const waited: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const before = looks;
      const at = performance.now();
      rig.wakeIn(n % 2 === 0 ? 0 : 100);
      await until(() => looks > before, 'it looks');
      waited.push(performance.now() - at);
    }
    expect(waited.toSorted((a, b) => a - b)[4]).toBeLessThan(250); // by itself, after 1 s
  });

  test('however often it is told to, not without a pause, and nothing later makes it sleep longer', async () => {
    const [first] = await putBells(db, 1, { inMs: 400 });
    const rig = start(counted, [ringing]);
    const telling = setInterval(() => {
      for (let n = 0; n < 100; n += 1) rig.wakeIn(0);
      rig.wakeIn(60_000);
      rig.wakeIn(Number.NaN);
    }, 1);
    await untilRung([first ?? '']);
    clearInterval(telling);
    expect(looks).toBeLessThan(100);
  });

  const testOverlap = database === 'postgres' ? test : test.skip; // two transactions at once
  testOverlap('ten times a second at most while somebody else has what is due', async () => {
    const [locked = ''] = await putBells(db, 1);
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holding = db.transaction(async (tx) => {
      await tx.execute(sql`SELECT 1 FROM bells FOR UPDATE`);
      held.resolve();
      await release.promise;
    });
    await held.promise;
    start(counted, [ringing]);
    await untilRung(await putBells(db, 1, { inMs: 800 }));
    expect(looks).toBeLessThan(30); // each look finds it, and one behind each claim that finds nothing
    release.resolve();
    await holding;
    await untilRung([locked]);
  });

  test('not at all where nothing is timed', async () => {
    const rig = start(counted, []);
    rig.wakeIn(0);
    const ids = await putBells(db, 1, { inMs: 200 });
    start(db, [ringing]);
    await untilRung(ids);
    expect(looks).toBe(0);
  });

  test('a stop waits for what is under way, and begins nothing else', async () => {
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    let runs = 0;
    const slow = timed('bell.slow', {
      ...declared,
      async run(context, ids) {
        runs += 1;
        entered.resolve();
        await leave.promise;
        await ring(context, ids);
      },
    });
    const ids = await putBells(db, 101);
    const rig = start(db, [slow]);
    await entered.promise;
    let hasStopped = false;
    const stopped = rig.stop().then(() => {
      hasStopped = true;
    });
    rig.wakeIn(0);
    await Bun.sleep(50); // nothing may come of it
    expect(hasStopped).toBe(false);
    leave.resolve();
    await stopped;
    expect([runs, await countSet(db, ids), rig.reports]).toEqual([1, 1, []]);

    // Another one does the rest; this one is not woken by anything.
    rig.wakeIn(0);
    start(db, [ringing]);
    await untilRung(ids);
    expect(runs).toBe(1);
  });

  test('reads the entries of what is due, however much is done already', async () => {
    await db.execute(sql`
      INSERT INTO bells (id, due_at, state) SELECT gen_random_uuid(), now() - interval '1 hour', 'rung'
      FROM generate_series(1, 20000)`);
    await putBells(db, 500);
    await putBells(db, 500, { inMs: 60_000 });
    for (const isAnalyzed of [false, true]) {
      if (isAnalyzed) await db.execute(sql`ANALYZE`);
      const next = await explain(db, selectNextDue([ringing]), 'bells');
      const due = await explain(db, selectDue(ringing, 100), 'bells');
      expect([isAnalyzed, next.indexes.has('bells_due'), next.rows]).toEqual([isAnalyzed, true, 1]);
      expect([isAnalyzed, due.indexes.has('bells_due')]).toEqual([isAnalyzed, true]);
      // Of a table that was never looked at, the database does not know how few are due: it sorts them.
      expect(due.rows).toBeLessThanOrEqual(isAnalyzed ? 101 : 500);
    }
  });
});
