// What is due happens: in time, once, also what came due while nobody was there.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  bell,
  bells,
  bellsModule,
  countRings,
  countSet,
  createBells,
  putBells,
  readLateMs,
} from './bells.ts';

onEachDatabase('the clockwork', (open) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open({}, [bellsModule]);
    await createBells(server.db);
    ann = await server.register('Ann');
  });

  const set = async (inMs: number): Promise<string> => {
    const answer = await server.request('POST', '/v1/bells', { token: ann.accessToken, body: { inMs } });
    expect(answer.status).toBe(200);
    return answer.body.id;
  };
  const untilRung = (ids: readonly string[]) =>
    until(async () => (await countSet(server.db, ids)) === 0, `${ids.length} bells have rung`);

  test('what a command makes due is done then, by the database clock: never early, and within 250 ms', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 20; n += 1) ids.push(await set(n * 97));
    await untilRung(ids);
    const late = await readLateMs(server.db, ids);
    console.log(`bells rang so many ms after their time: ${late.join(' ')}`);
    expect(late[0]).toBeGreaterThanOrEqual(0);
    expect(late[10]).toBeLessThanOrEqual(250); // the median: any one of them may meet a machine that is busy otherwise
    expect([...(await countRings(server.db, ids)).values()]).toEqual(ids.map(() => 1));
  });

  test('its event reaches who follows, with the system as its author', async () => {
    const client = await server.connect(ann);
    const [id = ''] = await putBells(server.db, 1, { inMs: 60_000 });
    const topic = bell.on(id).name;
    await client.subscribe(topic, { since: 0 });
    await server.db.update(bells).set({ dueAt: new Date(0) });
    const event = await client.next((frame) => frame.topic === topic);
    expect(event).toMatchObject({ type: 'bell.rung', seq: 1, payload: { id }, meta: { source: 'system' } });
    expect(event.meta?.actorId).toBeUndefined();
    client.close();
  });

  test('what nobody told the instance of is learned of by looking, the one due first first, 100 in a transaction', async () => {
    await server.db.execute(sql`DROP INDEX bells_due`); // which has them in order, asked for or not
    const ids = await putBells(server.db, 250);
    await untilRung(ids);
    const rung = new Map((await server.db.select().from(bells)).map((row) => [row.id, row]));
    const inOrder = ids.map((id) => rung.get(id));
    expect(inOrder.map((row) => row?.together)).toEqual(ids.map((_, n) => (n < 200 ? 100 : 50)));
  });

  test('what came due while all instances were down happens once, after the start', async () => {
    const first = await open();
    await createBells(first.db);
    const ids = await putBells(first.db, 150, { inMs: -3_600_000 });
    await first.stop();
    const next = await open(first.env, [bellsModule]);
    await until(async () => (await countSet(next.db, ids)) === 0, 'all have rung');
    expect([...(await countRings(next.db, ids)).values()]).toEqual(ids.map(() => 1));
  });
});
