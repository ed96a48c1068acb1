// What an instance does with a topic whose events were pruned before they came to it: it gives the topic up, and whoever
// follows it comes back and finds a reset. Nobody is left behind on what nobody feeds any more. [O1] [S4]

import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Db } from '../../../src/db/database.ts';
import { createGroup, fillLog, holdTable, reach, sendMessage, untilWaiting } from '../../protocol/chat.ts';
import { onEachDatabase } from '../../support/server.ts';

/** Five events that another instance wrote, of which the log has but the last one when this instance asks for them. */
const loseEvents = (db: Db, topic: string): Promise<void> =>
  db.transaction(async (tx) => {
    await fillLog(tx, topic, 5);
    await tx.execute(
      sql`DELETE FROM events WHERE topic = ${topic} AND seq < (SELECT max(seq) FROM events WHERE topic = ${topic})`,
    );
  });

onEachDatabase('a topic that is given up', (open, { kind }) => {
  // An embedded database has one connection: with a lock held on it, everything waits.
  if (kind === 'postgres') {
    test('takes along who was about to follow it', async () => {
      const server = await open();
      const ann = await server.register('Ann');
      const chat = await createGroup(server, ann);
      const [early, late] = [await server.connect(ann), await server.connect(ann)];
      await early.subscribe(chat.topic);
      const release = await holdTable(server.db, 'chat_participants'); // where the right to follow is looked up
      const pending = late.request('subscribe', {}, { topic: chat.topic });
      await untilWaiting(server.db, 1);
      await loseEvents(server.db, chat.topic);
      expect((await early.closed).code).toBe(1012);
      await release();
      expect((await pending).error).toMatchObject({ code: 'unavailable', retryAfterMs: expect.any(Number) });

      expect(await late.subscribe(chat.topic)).toMatchObject({ seq: 6 });
      await sendMessage(late, chat, 'from here on');
      await reach(late, chat.topic, 7);
      late.close();
    });
  }

  test('[H5] closes the connections of a user whose revocation it may have been', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    await client.request('ping'); // it follows nothing, but for the server's own sake
    await loseEvents(server.db, `user:${ann.id}`);
    expect((await client.closed).code).toBe(1012);
  });
});
