// What the chat suites do all the time: chats, messages, and a look into the log.

import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { readEvents } from '../../../src/realtime/log/event-log.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import type { Frame } from '../../support/client.ts';
import type { TestServer } from '../../support/server.ts';

export const unknownId = '00000000-0000-7000-8000-000000000000';

/** Users one after another, so that their ids have this order: it is the order of members who joined at once. */
export async function registerAll<const Names extends readonly string[]>(
  server: TestServer,
  ...names: Names
): Promise<{ -readonly [Index in keyof Names]: TestUser }> {
  const users: TestUser[] = [];
  for (const name of names) users.push(await server.register(name));
  return users as { -readonly [Index in keyof Names]: TestUser }; // one for each name
}

/** The output of a request of the user, without its `events`; throws on a refusal, so that a test sees the reason. */
export async function must(
  server: TestServer,
  user: TestUser,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer['body']> {
  const answer = await attempt(server, user, method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return outputOf(answer.body);
}

/** What a change answered, without the `events` beside it. [O3] */
export function outputOf({ events: _, ...output }: Answer['body']): Answer['body'] {
  return output;
}

export function attempt(
  server: TestServer,
  user: TestUser,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return server.request(method, `/v1${path}`, { token: user.accessToken, body, headers });
}

export function createGroup(server: TestServer, creator: TestUser, ...others: TestUser[]) {
  const participantIds = others.map(({ id }) => id);
  return must(server, creator, 'POST', '/chats', { type: 'group', name: 'Book club', participantIds });
}

export function createDirect(server: TestServer, creator: TestUser, other: TestUser) {
  return must(server, creator, 'POST', '/chats', { type: 'direct', participantIds: [other.id] });
}

export function send(server: TestServer, sender: TestUser, chatId: string, content: string) {
  return must(server, sender, 'POST', `/chats/${chatId}/messages`, { content });
}

/** The user's list entry of the chat. */
export async function listed(server: TestServer, user: TestUser, chatId: string) {
  const { items } = await must(server, user, 'GET', '/chats?limit=100');
  return items.find((item: { id: string }) => item.id === chatId);
}

/** The events of the topic in the log, as they go over the wire. */
export async function eventsOf(server: TestServer, topic: string, after = 0): Promise<Frame[]> {
  const logged = await readEvents(server.db, topic, after, 10_000);
  return logged.map(({ frame }) => JSON.parse(frame));
}

export const typesOf = (frames: readonly Frame[]): string[] => frames.map(({ type }) => type);

/** Waits until the words of all that was said in the chat are filled in, as the server does by itself. */
export async function untilFilled(server: TestServer, chatId: string): Promise<void> {
  const isFilled = sql`SELECT (SELECT seq FROM chat_words WHERE chat_id = ${chatId})
    = (SELECT max(seq) FROM messages WHERE chat_id = ${chatId}) AS filled`;
  for (;;) {
    const [row] = await queryRows<{ filled: boolean | null }>(server.db, isFilled);
    if (row?.filled) return;
    await Bun.sleep(10);
  }
}

/** Puts users like this one, that nobody will ever log in as, into the chat behind the server's back. */
export async function addCrowd(
  server: TestServer,
  chatId: string,
  like: TestUser,
  count: number,
): Promise<void> {
  await server.db.execute(sql`
    WITH crowd AS (
      INSERT INTO users
      SELECT (jsonb_populate_record(users, jsonb_build_object(
        'id', gen_random_uuid(), 'email', gen_random_uuid() || '@example.com'))).*
      FROM users, generate_series(1, ${count}) WHERE users.id = ${like.id}
      RETURNING id
    )
    INSERT INTO chat_participants (chat_id, user_id, role, last_read_seq, joined_at)
    SELECT ${chatId}, id, 'member', 0, now() FROM crowd`);
}
