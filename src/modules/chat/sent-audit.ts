// Who sent what and when, for the audit log: told from the messages. A row for each beside them cost a quarter of all messages
// a second.

import { and, desc, eq, gte, ne, sql } from 'drizzle-orm';
import type { ReadAudit } from '../../realtime/index.ts';
import { messages } from './schema.ts';

/** Without the words. Ids carry their time, and their index is the order. */
export const readSent: ReadAudit = async (db, { userId, since, before, limit }) => {
  const rows = await db
    .select({
      id: messages.id,
      at: messages.createdAt,
      userId: messages.senderId,
      chatId: messages.chatId,
    })
    .from(messages)
    .where(
      and(
        ne(messages.messageType, 'system'),
        userId === undefined ? undefined : eq(messages.senderId, userId),
        since === undefined ? undefined : gte(messages.createdAt, since),
        since === undefined ? undefined : gte(messages.id, firstIdAt(since)),
        before === undefined ? undefined : sql`${messages.id} < ${before.id}::uuid`,
      ),
    )
    .orderBy(desc(messages.id))
    .limit(limit);
  return rows.map(({ chatId, ...row }) => ({ ...row, details: { chatId, messageId: row.id } }));
};

/** No later than any UUIDv7 of this time: a message's id is made just before its time is read. */
function firstIdAt(time: Date): string {
  const ms = Math.max(0, time.getTime() - 1_000)
    .toString(16)
    .padStart(12, '0');
  return `${ms.slice(0, 8)}-${ms.slice(8)}-0000-0000-000000000000`;
}
