// Reactions: one for each user and emoji on a message. Locks are taken in the order of `access.ts`: the member, the message,
// and last the topic. So those on one message come one after another, and know their places among each other.

import { and, eq, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { type CommandContext, command } from '../../realtime/index.ts';
import { requireVoice } from './access.ts';
import {
  maxEmojiBytes,
  maxEmojis,
  maxNamedUsers,
  Reacted,
  ReactionPath,
  ReactToMessage,
} from './contract.ts';
import { isEmoji } from './emoji.ts';
import { messagesPerMinute } from './limits.ts';
import { lockMessage } from './messages.ts';
import { messageReactions } from './schema.ts';
import { chat } from './topics.ts';

const declared = {
  tag: 'Messages',
  description: 'There is one for each user and emoji: what is so already is answered, and changes nothing.',
  limit: messagesPerMinute,
  output: Reacted,
  refuses: ['forbidden', 'not_found', 'conflict'],
} as const;

export const reactToMessage = command('message.react', {
  ...declared,
  summary: 'React to a message with an emoji, or take that back',
  input: ReactToMessage,
  check: ({ emoji }) => requireEmoji(emoji, '/payload/emoji'),
  run: (context, input) => react(context, input),
});

export const addReaction = command('reaction.add', {
  ...declared,
  summary: 'React to a message with an emoji',
  http: 'PUT /chats/:chatId/messages/:messageId/reactions/:emoji',
  socket: false,
  input: ReactionPath,
  check: ({ emoji }) => requireEmoji(emoji, '/params/emoji'),
  run: (context, input) => react(context, input),
});

export const removeReaction = command('reaction.remove', {
  ...declared,
  summary: 'Take a reaction of mine back',
  http: 'DELETE /chats/:chatId/messages/:messageId/reactions/:emoji',
  socket: false,
  input: ReactionPath,
  check: ({ emoji }) => requireEmoji(emoji, '/params/emoji'),
  run: (context, input) => react(context, { ...input, remove: true }),
});

/** Throws `invalid`, with where it came in the request. */
function requireEmoji(emoji: string, path: string): void {
  if (Buffer.byteLength(emoji) <= maxEmojiBytes && isEmoji(emoji)) return;
  const message = `Expected one emoji, of up to ${maxEmojiBytes} bytes in UTF-8`;
  throw new AppError('invalid', `${message}.`, { details: [{ path, message }] });
}

async function react(
  { actor, tx, emit }: CommandContext,
  { messageId, chatId, emoji, remove: removed = false }: ReactToMessage,
): Promise<Reacted> {
  const { userId } = actor;
  const { message } = await lockMessage(tx, userId, messageId, chatId);
  await requireVoice(tx, message.chatId, userId);
  if (message.deletedAt !== null) throw new AppError('conflict', 'This message was deleted.');
  const { emojis, count, named, firstSeq, isMine } = await readPlace(tx, messageId, emoji, userId);
  const reacted = { messageId, seq: message.seq, emoji, userId, removed };
  if (removed !== isMine) return { ...reacted, count };
  if (!removed && count === 0 && emojis >= maxEmojis) {
    throw new AppError('conflict', `A message has at most ${maxEmojis} different emojis.`);
  }
  const on = chat.on(message.chatId);
  if (removed) {
    await tx.delete(messageReactions).where(isReaction(messageId, emoji, userId));
  } else {
    const seq = await emit.seqOf(on);
    const isNamed = named < maxNamedUsers;
    const row = { messageId, emoji, userId, seq, firstSeq: firstSeq ?? seq, isNamed };
    await tx.insert(messageReactions).values(row);
  }
  const changed = { ...reacted, count: removed ? count - 1 : count + 1 };
  emit(on, 'message.reacted', changed);
  return changed;
}

interface Place {
  /** How many different ones are on the message. */
  readonly emojis: number;
  /** Of this one: how many reacted so, how many of them have a name in snapshots, and since when it is there. */
  readonly count: number;
  readonly named: number;
  readonly firstSeq: number | undefined;
  readonly isMine: boolean;
}

async function readPlace(tx: Db, messageId: string, emoji: string, userId: string): Promise<Place> {
  const isIt = sql`FILTER (WHERE emoji = ${emoji})`;
  const [row] = await queryRows<{
    emojis: number;
    count: number;
    named: number;
    first_seq: number | string | null;
    is_mine: boolean;
  }>(
    tx,
    sql`
      SELECT count(DISTINCT emoji)::int AS emojis, (count(*) ${isIt})::int AS count,
        (count(*) FILTER (WHERE emoji = ${emoji} AND is_named))::int AS named, min(first_seq) ${isIt} AS first_seq,
        coalesce(bool_or(user_id = ${userId}) ${isIt}, false) AS is_mine
      FROM message_reactions WHERE message_id = ${messageId}`,
  );
  if (row === undefined) throw new Error('A count answered no row.');
  const { emojis, count, named, first_seq, is_mine } = row;
  return {
    emojis,
    count,
    named,
    firstSeq: first_seq === null ? undefined : Number(first_seq),
    isMine: is_mine,
  };
}

const isReaction = (messageId: string, emoji: string, userId: string) =>
  and(
    eq(messageReactions.messageId, messageId),
    eq(messageReactions.emoji, emoji),
    eq(messageReactions.userId, userId),
  );
