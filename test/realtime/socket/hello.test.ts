// A greeting while something else happens: the user's own stream is given up, another connection takes the last place.
// [H2] [H5]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { createMemoryCounts } from '../../../src/realtime/counts/memory.ts';
import { createMemoryPresence } from '../../../src/realtime/presence/memory.ts';
import type { Socket } from '../../../src/realtime/socket/connection.ts';
import { Connections } from '../../../src/realtime/socket/connections.ts';
import { createHello, type HelloDeps } from '../../../src/realtime/socket/hello.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createTelemetry } from '../../../src/telemetry/tracing.ts';
import type { Frame } from '../../support/client.ts';
import { createConnection } from '../../support/connection.ts';
import { createHub } from '../../support/hub.ts';
import { reporter } from '../../support/reporter.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';

onEachDatabase('a greeting', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  /** A hello that finds every token good, and confirms the session of `userId` when `confirm` answers. */
  function create(confirm: () => Promise<void>, maxConnectionsPerUser = 0) {
    const hand = createHub(own.db);
    const connections = new Connections();
    const userId = crypto.randomUUID();
    const actor = { userId, sessionId: 's', role: 'user', source: 'ws' } as const;
    const limited: string[] = [];
    const deps: HelloDeps = {
      hub: hand.hub,
      connections,
      presence: createMemoryPresence(() => {}),
      verify: async () => ({ actor, issuedAtMs: Date.now(), expiresAtMs: Date.now() + 900_000 }),
      async confirm() {
        await confirm();
        return actor;
      },
      onSeen() {},
      onLimited: (_, limit) => void limited.push(limit),
      reporter,
      telemetry: createTelemetry(),
      instanceId: 'test',
      limits: { frameBytes: 0, subscriptions: 0, commandsPerSecond: 0, snapshotBytes: 0 },
      counts: createMemoryCounts(),
      onRejected() {},
      maxConnectionsPerUser,
    };
    const hello = createHello(deps);
    const greet = async () => {
      const sent: Frame[] = [];
      const closes: number[] = [];
      const connection = createConnection({ greetingDeadlineMs: Date.now() + 10_000 });
      const socket = {
        send: (frame: string) => sent.push(JSON.parse(frame)),
        close: (code: number) => void closes.push(code),
      };
      connection.open(socket as unknown as Socket, undefined); // all of a socket that a greeting touches
      connections.add(connection);
      await hello.greet(connection, 'good');
      return { connection, sent, closes };
    };
    return { hand, topic: `user:${userId}`, connections, userId, greet, limited };
  }

  test('[H5] lets nobody in on a stream that was given up meanwhile: it would bring no revocation', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const { hand, topic, connections, userId, greet } = create(() => {
      asked.resolve();
      return answer.promise;
    });
    const greeting = greet();
    await asked.promise;
    await hand.write(topic, 3);
    await own.db.execute(sql`DELETE FROM events WHERE topic = ${topic} AND seq < 3`);
    await hand.hub.catchUp(topic, 3);
    expect(hand.hub.topics()).toEqual([]);
    answer.resolve();
    const { connection, sent, closes } = await greeting;
    expect(sent).toMatchObject([{ type: 'error', error: { code: 'unavailable', retryAfterMs: 1_000 } }]);
    expect(closes).toEqual([1013]);
    expect(connection.userStream).toBeUndefined();
    expect(connections.ofUser(userId)).toEqual([]);
    // At the next try it is served anew.
    expect((await greet()).sent.map(({ type }) => type)).toEqual(['welcome']);
  });

  test('[H2] takes the room before the first wait: of two at once for one place, one comes in', async () => {
    const refused = Promise.withResolvers<void>();
    const { hand, topic, connections, userId, greet, limited } = create(() => refused.promise, 1);
    const first = greet();
    const second = await greet();
    refused.resolve();
    const both = [await first, second];
    expect(both.map(({ sent }) => sent.map(({ type }) => type))).toEqual([['welcome'], ['error']]);
    expect(both[1]?.sent[0]?.error.code).toBe('rate_limited');
    expect(both.map(({ closes }) => closes)).toEqual([[], [1013]]);
    expect(connections.ofUser(userId)).toHaveLength(1);
    expect(limited).toEqual(['connections']);
    expect(hand.hub.topics()).toEqual([topic]);
  });
});
