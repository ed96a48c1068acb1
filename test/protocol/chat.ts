// The chat module as the example of a module: what the tests of the protocol do with it.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import { appendEvents } from '../../src/realtime/log/event-log.ts';
import type { Api, TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { until } from '../support/until.ts';

export interface TestChat {
  readonly id: string;
  readonly topic: string;
}

/** A group; its topic begins with the one event of its creation. */
export async function createGroup(server: Api, owner: TestUser, members: TestUser[] = []): Promise<TestChat> {
  const { status, body } = await server.request('POST', '/v1/chats', {
    token: owner.accessToken,
    body: { type: 'group', name: 'A group', participantIds: members.map(({ id }) => id) },
  });
  if (status !== 201) throw new Error(`creating a chat: ${status} ${JSON.stringify(body)}`);
  return { id: body.id, topic: `chat:${body.id}` };
}

/** Sends a message and answers the ok; throws on an error frame. */
export async function sendMessage(client: TestClient, chat: TestChat, content: string): Promise<Frame> {
  const reply = await client.request('message.send', { chatId: chat.id, content });
  if (reply.type !== 'ok') throw new Error(`message.send: ${JSON.stringify(reply.error)}`);
  return reply;
}

export async function removeMember(
  server: Api,
  chat: TestChat,
  admin: TestUser,
  member: TestUser,
): Promise<void> {
  const path = `/v1/chats/${chat.id}/members/${member.id}`;
  const { status, body } = await server.request('DELETE', path, { token: admin.accessToken });
  if (status !== 200) throw new Error(`removing a member: ${status} ${JSON.stringify(body)}`);
}

/** Puts events into the log behind the server's back, as if another instance had written them. */
export async function fillLog(db: Db, topic: string, count: number, bytes = 10): Promise<void> {
  const event = { topic, type: 'test.filled', payload: { filler: 'x'.repeat(bytes) } };
  const caused = { event, meta: { source: 'system' as const } };
  for (let left = count; left > 0; left -= 500) {
    const page = Array.from({ length: Math.min(left, 500) }, () => caused);
    await db.transaction((tx) => appendEvents(tx, page));
  }
}

/** As retention does it. */
export async function pruneLog(db: Db, topic: string, upTo: number): Promise<void> {
  await db.execute(sql`DELETE FROM events WHERE topic = ${topic} AND seq <= ${upTo}`);
}

/** Seq and type of every event on the topic. */
export async function readLog(db: Db, topic: string): Promise<{ seq: number; type: string; id: string }[]> {
  const rows = await queryRows<{ seq: number | string; type: string; id: string }>(
    db,
    sql`SELECT seq, type, id FROM events WHERE topic = ${topic} ORDER BY seq`,
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}

/** The seqs of the durable events that came on the topic, in the order of their coming. */
export function seqsOf(client: TestClient, topic: string): number[] {
  return client.frames.flatMap((frame) =>
    frame.topic === topic && frame.seq !== undefined ? [frame.seq] : [],
  );
}

/** Waits until the event with that seq has come on the topic. */
export async function reach(client: TestClient, topic: string, seq: number): Promise<void> {
  if (seqsOf(client, topic).includes(seq)) return;
  await client.next((frame) => frame.topic === topic && frame.seq === seq);
}

export const range = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);

/**
 * Keeps commands that write to the chat waiting, until it is called: a lock on its members, of a transaction like any
 * other. (The embedded database has one connection: there everything waits.)
 */
export const holdChat = (db: Db, chat: TestChat): Promise<() => Promise<void>> =>
  hold(db, sql`SELECT 1 FROM chat_participants WHERE chat_id = ${chat.id} FOR UPDATE`);

/** Keeps whoever writes on the chat's topic waiting, until it is called. */
export const holdTopic = (db: Db, chat: TestChat): Promise<() => Promise<void>> =>
  hold(db, sql`SELECT 1 FROM topics WHERE name = ${chat.topic} FOR UPDATE`);

/** Keeps whoever reads the table waiting, until it is called. */
export const holdTable = (db: Db, table: string): Promise<() => Promise<void>> =>
  hold(db, sql`LOCK TABLE ${sql.identifier(table)} IN ACCESS EXCLUSIVE MODE`);

/** Holds the transaction that the statement begins open, until it is called. */
export async function hold(db: Db, lock: SQL): Promise<() => Promise<void>> {
  const locked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const transaction = db.transaction(async (tx) => {
    await tx.execute(lock);
    locked.resolve();
    await released.promise;
  });
  await locked.promise;
  return async () => {
    released.resolve();
    await transaction;
  };
}

/** Waits until so many statements wait for a lock of somebody else. */
export const untilWaiting = (db: Db, statements: number): Promise<void> =>
  until(async () => {
    const [row] = await queryRows<{ count: number }>(
      db,
      sql`SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted`,
    );
    return (row?.count ?? 0) >= statements;
  }, `${statements} wait for a lock`);
