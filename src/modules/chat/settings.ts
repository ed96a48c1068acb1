// How members set up a chat for themselves: what they are told of, and whether it is in their list. Nobody else learns of it.

import { eq, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { readInstant } from '../../protocol/values.ts';
import { command, readHeads } from '../../realtime/index.ts';
import { isParticipant, noSuchChat } from './access.ts';
import { ChatSettings, type Muted, SetUpChat } from './contract.ts';
import { settingsPerMinute } from './limits.ts';
import { chatParticipants, chats, messages } from './schema.ts';
import { isHidden, isMuteOver } from './shown.ts';
import { chat, user } from './topics.ts';

export const setUpChat = command('chat.configure', {
  summary: 'Mute a chat for me, or hide it from my list',
  description:
    'What is left out stays as it is. Muted, I am told of `mentions` only, or of nothing at `all`: until `mutedUntil`, or for ' +
    'ever. A hidden direct chat is shown again with its next message, a hidden group when I show it.',
  tag: 'Chats',
  http: 'PATCH /chats/:chatId/me',
  limit: settingsPerMinute,
  input: SetUpChat,
  output: ChatSettings,
  refuses: ['not_found'],
  check: ({ muted, mutedUntil }) => readEnd(muted, mutedUntil),
  async run({ actor, tx, emit }, { chatId, muted, mutedUntil, hidden }) {
    const { userId } = actor;
    const before = await lockSettings(tx, chatId, userId);
    await tx
      .update(chatParticipants)
      .set({
        muted,
        mutedUntil: muted && readEnd(muted, mutedUntil),
        hiddenAtSeq: hidden === undefined ? undefined : hidden ? await readHead(tx, chatId) : null,
      })
      .where(isParticipant(chatId, userId));
    const after = await lockSettings(tx, chatId, userId);
    if (!Bun.deepEquals(before, after)) emit(user.on(userId), 'chat.configured', after);
    return after;
  },
});

/** What a row of `chat_participants` says now: a mute that is over is none. */
export const presentlyMuted = sql<Muted>`CASE WHEN ${isMuteOver(sql`muted_until`)} THEN 'none' ELSE muted END`;

/** When the mute ends; null: never. Throws `invalid`. */
function readEnd(muted: Muted | undefined, mutedUntil: string | null | undefined): Date | null {
  if (mutedUntil === undefined) return null;
  if (muted === undefined) throw invalidEnd('Give it together with "muted"');
  if (mutedUntil === null) return null;
  if (muted === 'none') throw invalidEnd('Leave it out where nothing is muted');
  const end = readInstant(mutedUntil);
  if (end === undefined) throw invalidEnd('Expected a date that exists, in the years 0001 to 9999');
  if (end.getTime() <= Date.now()) throw invalidEnd('Expected an instant ahead');
  return end;
}

const invalidEnd = (message: string) =>
  new AppError('invalid', `mutedUntil: ${message}.`, { fields: [{ path: '/mutedUntil', message }] });

/** As they are until COMMIT. Throws `not_found` for everyone but members. */
async function lockSettings(tx: Db, chatId: string, userId: string): Promise<ChatSettings> {
  const [row] = await tx
    .select({
      muted: presentlyMuted,
      mutedUntil: chatParticipants.mutedUntil,
      hidden: sql<boolean>`${isHidden({
        type: sql`${chats.type}`,
        hiddenAtSeq: sql`${chatParticipants.hiddenAtSeq}`,
        newestSeq: sql`(SELECT max(seq) FROM ${messages} WHERE chat_id = ${chats.id})`,
      })}`,
    })
    .from(chatParticipants)
    .innerJoin(chats, eq(chats.id, chatParticipants.chatId))
    .where(isParticipant(chatId, userId))
    .for('no key update', { of: chatParticipants });
  if (row === undefined) throw noSuchChat();
  const { muted, mutedUntil, hidden } = row;
  return { chatId, muted, mutedUntil: muted === 'none' ? null : (mutedUntil?.toISOString() ?? null), hidden };
}

async function readHead(tx: Db, chatId: string): Promise<number> {
  const { name } = chat.on(chatId);
  return (await readHeads(tx, [name])).get(name) ?? 0;
}
