// World time: it goes forward only, and every step of it is announced.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { campaignTopic, maxStepSeconds } from '../../../src/modules/campaigns/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createCampaign, eventsOf, must, outputOf, refusalOf, registerAll } from './setup.ts';

onEachDatabase('world time', (open, database) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann] = await registerAll(server, 'Ann');
  });

  const startAt = (worldTime: string) => createCampaign(server, ann, { worldTime });
  const step = (campaignId: string, body: object) =>
    attempt(server, ann, 'POST', `/campaigns/${campaignId}/time`, body);

  test('goes on by seconds or to an instant, and the version stays what it is', async () => {
    const { id } = await startAt('1203-04-05T06:00:00.000Z');
    const client = await server.connect(ann);
    const byStep = await client.request('campaign.time.advance', { campaignId: id, advanceSeconds: 86_400 });
    const first = {
      previous: '1203-04-05T06:00:00.000Z',
      current: '1203-04-06T06:00:00.000Z',
      elapsedSeconds: 86_400,
    };
    expect(outputOf(byStep.payload)).toEqual(first);
    const toInstant = await step(id, { to: '1203-04-06T06:00:01.5Z' });
    const second = {
      previous: first.current,
      current: '1203-04-06T06:00:01.500Z',
      elapsedSeconds: 1.5,
    };
    expect([toInstant.status, outputOf(toInstant.body)]).toEqual([200, second]);
    const stale = [
      'state.invalidated',
      { scope: 'campaign', keys: [`campaign:${id}.time`], reason: 'world-time.changed' },
    ];
    const events = await eventsOf(server, campaignTopic(id), 2);
    expect(events.map(({ type, payload }) => [type, payload])).toEqual([
      ['world-time.changed', first],
      stale,
      ['world-time.changed', second],
      stale,
    ]);
    expect(await must(server, ann, 'GET', `/campaigns/${id}`)).toMatchObject({
      worldTime: second.current,
      version: 1,
    });
    client.close();
  });

  test.each([
    ['where it is', { to: '2000-01-01T00:00:00Z' }, 'forward only'],
    ['back', { to: '1999-01-01T00:00:00Z' }, 'forward only'],
    ['over 100 years', { to: '2100-01-02T00:00:00Z' }, '100 years'],
  ])('%s is a conflict', async (_, body, reason) => {
    const { id } = await startAt('2000-01-01T00:00:00.000Z');
    expect(refusalOf(await step(id, body))).toEqual([409, 'conflict', expect.stringContaining(reason)]);
    expect(await eventsOf(server, campaignTopic(id), 2)).toEqual([]);
  });

  test.each([
    ['nothing', {}],
    ['both', { advanceSeconds: 1, to: '2000-01-01T00:00:01Z' }],
    ['0 seconds', { advanceSeconds: 0 }],
    ['half a second', { advanceSeconds: 0.5 }],
    ['over 100 years of seconds', { advanceSeconds: maxStepSeconds + 1 }],
    ['no instant', { to: '2000-02-30T00:00:00Z' }],
    ['another zone', { to: '2001-01-01T00:00:00+01:00' }],
  ])('%s is invalid', async (_, body) => {
    const { id } = await startAt('2000-01-01T00:00:00.000Z');
    expect(refusalOf(await step(id, body)).slice(0, 2)).toEqual([400, 'invalid']);
  });

  test('begins with the year 1 and ends with the year 9999, to the millisecond', async () => {
    const first = await startAt('0001-01-01T00:00:00.001Z');
    expect(first.worldTime).toBe('0001-01-01T00:00:00.001Z');
    const next = await must(server, ann, 'POST', `/campaigns/${first.id}/time`, {
      advanceSeconds: maxStepSeconds,
    });
    expect(next).toEqual({
      previous: '0001-01-01T00:00:00.001Z',
      current: '0101-01-02T00:00:00.001Z',
      elapsedSeconds: maxStepSeconds,
    });
    const last = await startAt('9999-12-31T23:59:58.999Z');
    const { current } = await must(server, ann, 'POST', `/campaigns/${last.id}/time`, { advanceSeconds: 1 });
    expect(current).toBe('9999-12-31T23:59:59.999Z');
    expect(refusalOf(await step(last.id, { advanceSeconds: 1 }))).toEqual([
      409,
      'conflict',
      expect.stringContaining('9999'),
    ]);
    expect((await must(server, ann, 'GET', `/campaigns/${last.id}`)).worldTime).toBe(current);
  });

  test('[K1] with a key a step is made once', async () => {
    const { id } = await startAt('2000-01-01T00:00:00.000Z');
    const advance = () =>
      attempt(
        server,
        ann,
        'POST',
        `/campaigns/${id}/time`,
        { advanceSeconds: 60 },
        { 'Idempotency-Key': 'a minute' },
      );
    const [first, again] = [await advance(), await advance()];
    expect([first.status, again.status, again.body]).toEqual([200, 200, first.body]);
    expect((await must(server, ann, 'GET', `/campaigns/${id}`)).worldTime).toBe('2000-01-01T00:01:00.000Z');
  });

  test('50 steps at once add up, and each goes on where another one ended', async () => {
    const { id, worldTime } = await startAt('2000-01-01T00:00:00.000Z');
    const seconds = Array.from({ length: 50 }, (_, n) => n + 1);
    const answers = await Promise.all(seconds.map((advanceSeconds) => step(id, { advanceSeconds })));
    expect(answers.map(({ status }) => status)).toEqual(seconds.map(() => 200));
    const sum = seconds.reduce((total, n) => total + n, 0);
    const end = new Date(Date.parse(worldTime) + sum * 1_000).toISOString();
    expect((await must(server, ann, 'GET', `/campaigns/${id}`)).worldTime).toBe(end);
    const steps = (await eventsOf(server, campaignTopic(id))).filter(
      ({ type }) => type === 'world-time.changed',
    );
    expect(steps.map(({ payload }) => payload.previous)).toEqual([
      worldTime,
      ...steps.slice(0, -1).map(({ payload }) => payload.current),
    ]);
    expect(steps.at(-1)?.payload.current).toBe(end);
    expect(steps.map(({ payload }) => payload.elapsedSeconds).sort((a, b) => a - b)).toEqual(seconds);
  });

  if (database.kind === 'embedded') return; // its one connection has one zone

  test('is the same in every zone of the session', async () => {
    const [row] = await queryRows<{ name: string }>(server.db, sql`SELECT current_database() AS name`);
    await server.db.execute(sql.raw(`ALTER DATABASE "${row?.name}" SET timezone = 'Asia/Kathmandu'`));
    const elsewhere = await open(server.env);
    const [zone] = await queryRows<{ zone: string }>(
      elsewhere.db,
      sql`SELECT current_setting('timezone') AS zone`,
    );
    expect(zone?.zone).toBe('Asia/Kathmandu');
    const dan = await elsewhere.register('Dan');
    const { id } = await createCampaign(elsewhere, dan, { worldTime: '0001-01-01T00:00:00Z' });
    const body = { advanceSeconds: 1 };
    expect(await must(elsewhere, dan, 'POST', `/campaigns/${id}/time`, body)).toMatchObject({
      previous: '0001-01-01T00:00:00.000Z',
      current: '0001-01-01T00:00:01.000Z',
    });
    const now = await createCampaign(elsewhere, dan);
    expect(Math.abs(Date.parse(now.worldTime) - Date.now())).toBeLessThan(10_000);
  });
});
