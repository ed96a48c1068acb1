// Mentions: members whom a message names. Asked for in a statement of their own, which a batch without any does not pay for.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';

type Mentioning = { readonly chatId: string; readonly mentions: readonly string[] };

/** Why messages are refused, each at its place: they mention somebody who is no member of their chat. */
export async function refuseMentions(
  tx: Db,
  drafts: readonly Mentioning[],
): Promise<readonly (AppError | undefined)[]> {
  const asked = drafts.flatMap(({ chatId, mentions }, draft) =>
    mentions.map((userId, place) => ({ draft, place, chat: chatId, mentioned: userId })),
  );
  if (asked.length === 0) return [];
  const strangers = await queryRows<{ draft: number; place: number }>(
    tx,
    // Each is looked up by the primary key, as in `sending.ts`.
    sql`
      SELECT draft, place
      FROM json_to_recordset(${JSON.stringify(asked)}::json) AS a(draft int, place int, chat uuid, mentioned uuid)
      WHERE (SELECT true FROM chat_participants WHERE chat_id = a.chat AND user_id = a.mentioned) IS NOT TRUE
      ORDER BY place`,
  );
  const refusals: (AppError | undefined)[] = [];
  for (const [draft, found] of Map.groupBy(strangers, (stranger) => stranger.draft)) {
    refusals[draft] = new AppError('invalid', 'Only members of the chat can be mentioned in it.', {
      fields: found.map(({ place }) => ({
        path: `/mentions/${place}`,
        message: 'There is no such member in this chat',
      })),
    });
  }
  return refusals;
}
