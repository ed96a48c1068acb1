// Another role under a live connection: what it opens and closes from then on. [S7]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readConfig } from '../../src/config.ts';
import { connectDatabase, type Database } from '../../src/db/connect.ts';
import type { Role } from '../../src/realtime/actor.ts';
import { Connections } from '../../src/realtime/connections.ts';
import type { Core } from '../../src/realtime/core.ts';
import { watchRights } from '../../src/realtime/rights.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createHub, createSubscriberOn, toRefusal } from '../support/hub.ts';
import { onEachDatabase, quietEnv } from '../support/server.ts';
import { until } from '../support/until.ts';

onEachDatabase('rights', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  test('[S7] another role is kept for what is asked later, and takes away what it does not open, at once', async () => {
    const hand = createHub(own.db);
    const connections = new Connections();
    const { subscriber } = await createSubscriberOn(hand, own.db, {
      mayFollow: async ({ role }) => role === 'admin',
    });
    const core = { connections, observeUsers: hand.observeUsers, toRefusal };
    watchRights(core as unknown as Core, subscriber); // all of the core that it touches

    const userId = crypto.randomUUID();
    const { connection, frames } = hand.connect(userId, 'user');
    connections.addLive(connection);
    await hand.hub.follow(`user:${userId}`);
    const topic = `app:${crypto.randomUUID()}`;
    const subscribe = async () => (await subscriber.subscribe(connection, { topic })).afterReply();
    const change = async (role: Role) =>
      hand.publish(await hand.write(`user:${userId}`, 1, { type: 'role.changed', payload: { role } }));

    await expect(subscribe()).rejects.toMatchObject({ code: 'forbidden' });
    await change('admin');
    expect(connection.actor.role).toBe('admin');
    await subscribe();
    hand.publish(await hand.write(topic, 1));
    await change('user');
    await until(() => !connection.follows(topic), 'the topic is lost');
    hand.publish(await hand.write(topic, 1));
    expect(frames.map(({ type, seq }) => [type, seq])).toEqual([
      ['test.written', 1],
      ['unsubscribed', undefined],
    ]);
    expect(connection.actor.role).toBe('user');
    await expect(subscribe()).rejects.toMatchObject({ code: 'forbidden' });
  });
});
