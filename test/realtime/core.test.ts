// What the core promises the modules whatever becomes of the delivery: what is committed is answered as committed.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import pino from 'pino';
import { readConfig } from '../../src/config.ts';
import { connectDatabase } from '../../src/db/connect.ts';
import type { Database } from '../../src/db/database.ts';
import type { Actor } from '../../src/realtime/actor.ts';
import { createMemoryBridge } from '../../src/realtime/bridge/memory.ts';
import { type Core, createCore } from '../../src/realtime/core.ts';
import { createMemoryPresence } from '../../src/realtime/presence/memory.ts';
import { createReporter } from '../../src/realtime/report.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { onEachDatabase, quietEnv } from '../support/server.ts';
import { anyTopic } from '../support/topics.ts';

onEachDatabase('core', (_open, database) => {
  let own: Database;
  let core: Core;
  let logged: { level: number; msg: string; err: { message: string } }[] = [];
  let sent: string[] = [];
  const actor: Actor = {
    userId: Bun.randomUUIDv7(),
    sessionId: Bun.randomUUIDv7(),
    role: 'user',
    source: 'ws',
  };
  const broken = `app:${crypto.randomUUID()}`;
  const sound = `app:${crypto.randomUUID()}`;

  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
    const logger = pino({ level: 'info' }, { write: (line) => logged.push(JSON.parse(line)) });
    core = await createCore({
      db: own.db,
      bridge: {
        ...createMemoryBridge(true),
        publish({ topic }) {
          if (topic === broken) throw new Error('no bridge');
          sent.push(topic);
          return true;
        },
      },
      createPresence: async (announce) => createMemoryPresence(announce),
      retention: { hours: 0, perTopic: 0 },
      reporter: createReporter(logger),
      logger,
    });
  });
  afterAll(async () => {
    await core.stop();
    await own.close();
  });

  const forget = () => {
    logged = [];
    sent = [];
  };

  test('answers a commit that could not be published, says why, and publishes its other events', async () => {
    forget();
    const { value, events } = await core.commit(actor, async (_tx, emit) => {
      emit([broken, sound].map(anyTopic), 'thing.happened', {});
      return { n: 1 };
    });
    expect(value).toEqual({ n: 1 });
    expect(events.map(({ seq }) => seq)).toEqual([1, 1]);
    expect(sent).toEqual([sound]);
    expect(logged).toMatchObject([
      { level: 50, msg: `publishing event 1 of ${broken} failed`, err: { message: 'no bridge' } },
    ]);
  });

  test('answers a batch all the same, of which something could not be published or failed behind it', async () => {
    forget();
    const add = core.createGroup<{ n: number }, { n: number }>({
      toValue: ({ input }) => input,
      toEvent: (_, payload) => ({ type: 'thing.happened', payload }),
      onCommitted() {
        throw new Error('no consequence');
      },
    });
    const make = (topic: string, n: number) => add({ actor, topic, input: { n }, request: undefined });
    const all = await Promise.all([make(broken, 1), make(sound, 2)]);
    expect(all.map(({ value }) => value.n)).toEqual([1, 2]);
    expect(sent).toEqual([sound]);
    expect(logged.map(({ level, err }) => [level, err.message])).toEqual([
      [50, 'no bridge'],
      [50, 'no consequence'],
    ]);
    expect((await make(sound, 3)).value.n).toBe(3);
  });

  test('takes one observer a type', () => {
    core.observeUsers('thing.happened', () => {});
    expect(() => core.observeUsers('thing.happened', () => {})).toThrow('have an observer already');
    core.observeUsers('thing.moved', () => {});
  });
});
