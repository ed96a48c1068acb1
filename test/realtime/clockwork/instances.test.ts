// Several instances on one database: each thing is done once, by whoever is there, whatever their clocks say.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import pino from 'pino';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database, Db } from '../../../src/db/database.ts';
import { timed } from '../../../src/realtime/index.ts';
import { clockOf, faketimeMissing } from '../../support/faketime.ts';
import { makeFolder, removeFolder } from '../../support/janitor.ts';
import { describeWith } from '../../support/needs.ts';
import { postgresMissing, sharedPostgres, startPostgres } from '../../support/postgres.ts';
import { type ServerProcess, spawnServer } from '../../support/process.ts';
import { type Env, onEachDatabase } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  bellsModule,
  countRings,
  countSet,
  createBells,
  declared,
  putBells,
  readLateMs,
  ring,
  ringing,
} from './bells.ts';
import { type Rig, readFailures, startRig } from './rig.ts';

const program = join(import.meta.dir, 'instance.ts');

const connect = (url: string): Promise<Database> =>
  connectDatabase({ databaseUrl: url, databasePool: 8, dataDir: '' }, pino({ level: 'silent' }));

const untilRung = (db: Db, ids: readonly string[]) =>
  until(async () => (await countSet(db, ids)) === 0, `${ids.length} bells have rung`, 20_000);

onEachDatabase('instances', (open, { kind }) => {
  const testSeveral = kind === 'postgres' ? test : test.skip;

  testSeveral('three that race over 500 items do each once', async () => {
    const first = await open({}, []);
    await createBells(first.db);
    const servers = [
      await open(first.env, [bellsModule]),
      await open(first.env, [bellsModule]),
      await open(first.env, [bellsModule]),
    ];
    const ids = await putBells(first.db, 500);
    const more = await putBells(first.db, 500, { inMs: 1_500 });
    await untilRung(first.db, [...ids, ...more]);
    const rings = await countRings(first.db, [...ids, ...more]);
    expect([...rings.values()].filter((times) => times !== 1)).toEqual([]);
    expect(await readFailures(first.db)).toEqual([]);
    await Promise.all(servers.map((server) => server.stop()));
  });
});

setDefaultTimeout(40_000);

describeWith('instances as processes', postgresMissing, () => {
  let env: Env;
  let database: Database;
  let db: Db;
  const running = new Set<ServerProcess>();

  beforeAll(async () => {
    const url = await (await sharedPostgres()).createDatabase();
    env = { DATABASE_URL: url, DATABASE_POOL: '5' };
    database = await connect(url);
    ({ db } = database);
    await createBells(db);
  });
  afterAll(async () => {
    for (const server of running) server.kill('SIGKILL');
    await database.close();
  });

  const spawn = async (more: Env = {}): Promise<ServerProcess> => {
    const server = await spawnServer({ ...env, ...more }, { program });
    running.add(server);
    return server;
  };
  const kill = async (server: ServerProcess): Promise<void> => {
    server.kill('SIGKILL');
    await server.exited;
    running.delete(server);
  };

  test('what one was told of is done by another, at most 2 s late, when that one is killed', async () => {
    const [told, other] = [await spawn(), await spawn()];
    const ann = await told.register('Ann');
    const ids: string[] = [];
    for (const inMs of [300, 600, 1_500]) {
      const { body } = await told.request('POST', '/v1/bells', { token: ann.accessToken, body: { inMs } });
      ids.push(body.id);
    }
    await kill(told);
    await untilRung(db, ids);
    const late = await readLateMs(db, ids);
    console.log(`behind the kill, bells rang so many ms after their time: ${late.join(' ')}`);
    expect(late[0]).toBeGreaterThanOrEqual(0);
    expect(late.at(-1)).toBeLessThanOrEqual(2_000);
    await kill(other);
  });

  test('what one is at when it is killed is done by another, and once', async () => {
    const [one, other] = [await spawn(), await spawn()];
    const ids: string[] = [];
    for (let n = 0; n < 30; n += 1) ids.push(...(await putBells(db, 40, { inMs: 300 + n * 40 })));
    await until(async () => (await countSet(db, ids)) < 1_000, 'some have rung');
    await kill(one);
    await untilRung(db, ids);
    expect([...(await countRings(db, ids)).values()].filter((times) => times !== 1)).toEqual([]);
    const late = await readLateMs(db, ids);
    console.log(`across the kill: ${late[600]} ms late in the median, ${late.at(-1)} at most`);
    expect(late[0]).toBeGreaterThanOrEqual(0);
    expect(late.at(-1)).toBeLessThanOrEqual(2_000);
    await kill(other);
  });

  describeWith('with a clock that is wrong', postgresMissing ?? faketimeMissing, () => {
    const folder = makeFolder('clock');
    afterAll(() => removeFolder(folder));

    test('an hour ahead, then an hour behind: nothing is early, late or twice, and what fails backs off the same', async () => {
      const file = join(folder, 'offset');
      await Bun.write(file, '+1h\n');
      const wrong = await spawn(clockOf(file));
      const line = wrong.output.split('\n').find((text) => text.includes('"ready"')) ?? '{}';
      expect(JSON.parse(line).now - Date.now()).toBeWithin(3_500_000, 3_700_000); // its clock is wrong indeed
      const soon = await putBells(db, 5, { inMs: 700 });
      const inAnHour = await putBells(db, 5, { inMs: 3_590_000 });
      const [broken = ''] = await putBells(db, 1, { mood: 'broken' });
      await untilRung(db, soon);
      await Bun.write(file, '-1h\n');
      const behind = await putBells(db, 5, { inMs: 700 });
      await untilRung(db, behind);
      await until(async () => (await readFailures(db))[0]?.attempts === 3, 'it has failed three times');

      const late = await readLateMs(db, [...soon, ...behind]);
      expect(late[0]).toBeGreaterThanOrEqual(0);
      expect(late[5]).toBeLessThanOrEqual(1_250); // nobody was told: it looks within a second
      expect(await countSet(db, inAnHour)).toBe(5);
      const rings = await countRings(db, [...soon, ...behind]);
      expect([...rings.values()]).toEqual(Array(10).fill(1));
      expect(await readFailures(db)).toMatchObject([{ item: broken, attempts: 3 }]);
      await kill(wrong);
    });
  });
});

describeWith('a database that instances share', postgresMissing, () => {
  const opened: Database[] = [];
  const rigs: Rig[] = [];
  afterAll(async () => {
    await Promise.all(rigs.map((rig) => rig.stop()));
    await Promise.all(opened.map((database) => database.close()));
  });
  const openDb = async (url: string): Promise<Db> => {
    const database = await connect(url);
    opened.push(database);
    return database.db;
  };

  test('takes from an instance that stands still what it has claimed, after a second', async () => {
    const url = await (await sharedPostgres()).createDatabase();
    const [mine, others] = [await openDb(url), await openDb(url)];
    await createBells(mine);
    const ids = await putBells(mine, 10);
    const entered = Promise.withResolvers<void>();
    const wake = Promise.withResolvers<void>();
    const frozen = startRig(mine, [
      timed(ringing.name, {
        ...declared,
        async run(context, given) {
          entered.resolve();
          await wake.promise;
          await ring(context, given);
        },
      }),
    ]);
    rigs.push(frozen);
    await entered.promise;
    rigs.push(startRig(others, [ringing]));
    await untilRung(others, ids);
    wake.resolve();
    await until(() => frozen.reports.length > 0, 'it is told that it was too slow');
    expect([...(await countRings(others, ids)).values()]).toEqual(ids.map(() => 1));
    expect(await readFailures(others)).toEqual([]);
  });

  describe('and that goes away', () => {
    test('is waited for, with one line in the log, and nothing counts as failed', async () => {
      const postgres = await startPostgres();
      afterAll(() => postgres.stop());
      const db = await openDb(await postgres.createDatabase());
      await createBells(db);
      const rig = startRig(db, [ringing]);
      rigs.push(rig);
      const before = await putBells(db, 5);
      const during = await putBells(db, 250, { inMs: 1_000 });
      await untilRung(db, before);
      await postgres.crash();
      await until(() => rig.reports.length > 0, 'it is reported');
      await postgres.restart();
      await until(
        () =>
          countSet(db, during).then(
            (left) => left === 0,
            () => false,
          ),
        'all have rung',
        20_000,
      );
      expect([...(await countRings(db, [...before, ...during])).values()].filter((n) => n !== 1)).toEqual([]);
      expect(await readFailures(db)).toEqual([]);
      expect(rig.reports.map(({ what }) => what)).toEqual(['looking for what is due']);
      expect(rig.counts.get('bell.ring')).toMatchObject({ done: 255, failed: 0 });
    });
  });
});
