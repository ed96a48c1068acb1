// Another role under a live connection: it counts for every command behind it, opens and closes topics, and is not
// overtaken by an older one. On a topic of the test's own, which admins may follow, and no one else.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import pino from 'pino';
import { userTopics } from '../../../src/auth/topics.ts';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { answer as answerRefusal } from '../../../src/http/errors.ts';
import type { Role } from '../../../src/protocol/roles.ts';
import type { Actor } from '../../../src/realtime/actor.ts';
import { createMemoryBridge } from '../../../src/realtime/bridge/memory.ts';
import { type Core, createCore } from '../../../src/realtime/core.ts';
import { createMemoryCounts } from '../../../src/realtime/counts/memory.ts';
import { createMemoryPresence } from '../../../src/realtime/presence/memory.ts';
import { createReporter } from '../../../src/realtime/report.ts';
import type { Connection } from '../../../src/realtime/socket/connection.ts';
import { createSocketServer, type SocketServer } from '../../../src/realtime/socket/socket.ts';
import { createTopicKinds, topicKind } from '../../../src/realtime/topic-kind.ts';
import { openClient, type TestClient } from '../../support/client.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const topic = 'admin:jobs';

onEachDatabase('rights under a live connection', (_open, database) => {
  let own: Database;
  let core: Core;
  let sockets: SocketServer;
  let server: Bun.Server<Connection>;
  let role: Role;
  /** What the right to follow waits for, once it was asked. */
  let onAsked: (actor: Actor) => Promise<void>;
  const userId = crypto.randomUUID();
  const clients: TestClient[] = [];

  beforeAll(async () => {
    const logger = pino({ level: 'silent' });
    own = await connectDatabase(readConfig({ ...quietEnv, ...(await database.create()) }), logger);
    await own.migrate();
    core = await createCore({
      db: own.db,
      bridge: createMemoryBridge(true),
      createPresence: async (announce) => createMemoryPresence(announce),
      retention: { hours: 0, perTopic: 0 },
      reporter: createReporter(logger),
      logger,
    });
    const actor = { userId, sessionId: 'session', role: 'user', source: 'ws' } as const;
    sockets = createSocketServer({
      counts: createMemoryCounts(),
      onRejected() {},
      core,
      commands: [
        {
          type: 'who.am',
          input: Type.Object({}),
          takesKey: false,
          takesTopic: false,
          lane: undefined,
          run: async ({ actor: { role } }) => ({ payload: { role } }),
        },
      ],
      topicKinds: createTopicKinds([
        topicKind('admin', {
          id: 'jobs',
          async findFollowable(_db, asking, ids) {
            await onAsked(asking);
            return new Set(asking.role === 'admin' ? ids : []);
          },
        }),
      ]),
      verify: async () => ({ actor, issuedAtMs: Date.now(), expiresAtMs: Date.now() + 900_000 }),
      confirm: async () => ({ ...actor, role }),
      onRefused() {},
      onLimited() {},
      onSeen() {},
      onFull() {},
      deviceOf: () => ({ ip: undefined, userAgent: undefined }),
      answerRefusal,
      instanceId: 'test',
      limits: {
        frameBytes: 65_536,
        subscriptions: 0,
        commandsPerSecond: 0,
        connectionsPerUser: 0,
        connections: 0,
        connectionsPerAddress: 0,
      },
      allowedOrigins: [],
    });
    server = Bun.serve<Connection>({
      port: 0,
      hostname: '127.0.0.1',
      websocket: sockets.handlers,
      fetch: (request, self) => sockets.upgrade(request, self),
    });
    core.attach(sockets.publisher(server));
  });
  beforeEach(() => {
    role = 'user';
    onAsked = async () => {};
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await until(() => core.connections.ofUser(userId).length === 0, 'everyone is gone');
  });
  afterAll(async () => {
    sockets.stop();
    await server.stop(true);
    await core.stop();
    await own.close();
  });

  const connect = async (): Promise<TestClient> => {
    const client = await openClient(`ws://127.0.0.1:${server.port}/ws?token=good`);
    clients.push(client);
    await client.next('welcome');
    return client;
  };
  const change = async (to: Role): Promise<void> => {
    role = to;
    await core.commit(undefined, async (_tx, emit) => {
      emit(userTopics.on(userId), 'role.changed', { role: to });
      return {};
    });
  };
  const rolesHere = () => core.connections.ofUser(userId).map(({ actor }) => actor.role);
  const untilAll = (wanted: Role) =>
    until(() => rolesHere().every((known) => known === wanted), `everyone here is ${wanted}`);
  const follow = async (client: TestClient) => {
    const reply = await client.request('subscribe', {}, { topic });
    return reply.error?.code ?? reply.type;
  };

  test('[S7] a new role counts for every command behind it, and takes the topics along that it does not open', async () => {
    const client = await connect();
    expect(await follow(client)).toBe('forbidden');
    await change('admin');
    await untilAll('admin');
    expect((await client.request('who.am')).payload).toEqual({ role: 'admin' });
    expect(await follow(client)).toBe('ok');
    await change('user');
    expect(await client.next('unsubscribed')).toMatchObject({ topic, payload: { reason: 'forbidden' } });
    expect((await client.request('who.am')).payload).toEqual({ role: 'user' });
    expect(await follow(client)).toBe('forbidden');
  });

  test('[H4] a new token brings no other role than the one that the user has', async () => {
    const client = await connect();
    await change('admin');
    await untilAll('admin');
    expect((await client.request('auth', { token: 'another good one' })).type).toBe('ok');
    expect((await client.request('who.am')).payload).toEqual({ role: 'admin' });
  });

  test('[S7] a right that was read with a role that ended meanwhile is read again', async () => {
    role = 'admin';
    const client = await connect();
    let asked = 0;
    onAsked = async (asking) => {
      asked += 1;
      if (asking.role !== 'admin') return;
      onAsked = async () => {};
      await change('user');
      await untilAll('user');
    };
    expect(await follow(client)).toBe('forbidden');
    expect(asked).toBe(1);
    expect(core.connections.ofUser(userId).at(-1)?.subscriptions.size).toBe(0);
    // The other way round it is not refused.
    onAsked = async (asking) => {
      if (asking.role === 'admin') return;
      onAsked = async () => {};
      await change('admin');
      await untilAll('admin');
    };
    expect(await follow(client)).toBe('ok');
  });

  test('[S7] of two changes the later one stays, on every connection, however long the first one takes', async () => {
    role = 'admin';
    const [first, second] = [await connect(), await connect()];
    expect([await follow(first), await follow(second)]).toEqual(['ok', 'ok']);
    const { promise: checking, resolve: begun } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    onAsked = async () => {
      onAsked = async () => {};
      begun();
      await released;
    };
    await change('admin'); // whose check of the first connection takes long
    await checking;
    await change('user');
    await untilAll('user');
    expect(await second.next('unsubscribed')).toMatchObject({ topic });
    release();
    expect(await first.next('unsubscribed')).toMatchObject({ topic });
    for (const client of [first, second]) {
      await client.request('ping');
      expect((await client.request('who.am')).payload).toEqual({ role: 'user' });
      expect(await follow(client)).toBe('forbidden');
    }
  });
});
