// Messages as a member reads them: one, or a page of a chat or of the replies to one of its messages.
// Membership is asked behind each reading: asked before it, a member who is removed in between would read what was said later.

import { and, asc, desc, eq, gt, gte, lt, type SQL } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize } from '../../protocol/paging.ts';
import { query } from '../../realtime/index.ts';
import { isMember, noSuchMessage, requireMember } from './access.ts';
import { GetMessage, ListedMessage, ListMessages, MessagePage } from './contract.ts';
import { type MessageRow, viewMessagesFor } from './message-rows.ts';
import { messages } from './schema.ts';

const tag = 'Messages';

export const getMessage = query('message.get', {
  summary: 'A message of a chat',
  tag,
  http: 'GET /chats/:chatId/messages/:messageId',
  input: GetMessage,
  output: ListedMessage,
  refuses: ['not_found'],
  async run({ actor, db }, { chatId, messageId }) {
    const rows = await db
      .select()
      .from(messages)
      .where(and(eq(messages.id, messageId), eq(messages.chatId, chatId)));
    const [message] = await viewMessagesFor(db, actor.userId, rows);
    if (message === undefined || !(await isMember(db, chatId, actor.userId))) throw noSuchMessage();
    return message;
  },
});

export const listMessages = query('message.list', {
  summary: 'Messages of a chat, ascending by seq',
  description:
    'The newest ones; with `before`, the newest of those with a lower seq; with `after`, the oldest of those with a higher ' +
    'seq. `nextCursor` is the `after` of the next page where that was given, otherwise its `before`; it is null where there ' +
    'are no more.\n\n' +
    'With `around`, half of `limit` comes from below this seq, and the rest from it on, so that one can begin at a message ' +
    'that a search found or a reply names. From there `nextCursor` is the `before` of what is older, and the seq of the last ' +
    'item the `after` of what is newer. It goes with neither `before` nor `after`.\n\n' +
    'With `replyTo`, only the replies to that message: the oldest ones, with `nextCursor` as the next `after`, unless ' +
    '`before` or `around` says otherwise.',
  tag,
  http: 'GET /chats/:chatId/messages',
  input: ListMessages,
  output: MessagePage,
  refuses: ['not_found'],
  check({ before, after, around }) {
    if (around !== undefined && (before !== undefined || after !== undefined)) {
      throw new AppError('invalid', '"around" is a place of its own: leave out "before" and "after".');
    }
  },
  async run({ actor, db }, { chatId, replyTo, around, limit = defaultPageSize, ...range }) {
    // Replies are found by their own index alone: the planner might walk along the whole chat to meet them. They are in
    // the chat of what they reply to, so one of them that is elsewhere says that all are.
    const isOne = replyTo === undefined ? eq(messages.chatId, chatId) : eq(messages.replyTo, replyTo);
    const found =
      around === undefined
        ? await readRange(db, isOne, { ...range, limit, isForward: isForward(replyTo, range) })
        : await readAround(db, isOne, around, limit);
    const rows = found.rows.filter((row) => row.chatId === chatId);
    const items = await viewMessagesFor(db, actor.userId, rows);
    await requireMember(db, chatId, actor.userId);
    const edge = found.isForward ? items.at(-1) : items[0];
    return { items, nextCursor: found.hasMore && edge !== undefined ? String(edge.seq) : null };
  },
});

interface Range {
  readonly before?: number;
  readonly after?: number;
}

interface Found {
  /** Ascending. */
  readonly rows: readonly MessageRow[];
  /** Pages go on with `after`, not with `before`. */
  readonly isForward: boolean;
  readonly hasMore: boolean;
}

const isForward = (replyTo: string | undefined, { before, after }: Range): boolean =>
  after !== undefined || (replyTo !== undefined && before === undefined);

async function readRange(
  db: Db,
  isOne: SQL,
  { before, after, limit, isForward }: Range & { readonly limit: number; readonly isForward: boolean },
): Promise<Found> {
  const rows = await db
    .select()
    .from(messages)
    .where(
      and(
        isOne,
        before === undefined ? undefined : lt(messages.seq, before),
        after === undefined ? undefined : gt(messages.seq, after),
      ),
    )
    .orderBy(isForward ? asc(messages.seq) : desc(messages.seq))
    .limit(limit + 1);
  const page = rows.slice(0, limit);
  return { rows: isForward ? page : page.reverse(), isForward, hasMore: rows.length > limit };
}

/** In two readings: what is said in between is newer than all of the first, and may be in the second. */
async function readAround(db: Db, isOne: SQL, seq: number, limit: number): Promise<Found> {
  const half = Math.floor(limit / 2);
  const older = await readRange(db, isOne, { before: seq, limit: half, isForward: false });
  const from = await db
    .select()
    .from(messages)
    .where(and(isOne, gte(messages.seq, seq)))
    .orderBy(asc(messages.seq))
    .limit(limit - half);
  return { rows: [...older.rows, ...from], isForward: false, hasMore: older.hasMore };
}
