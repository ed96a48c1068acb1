// How a member's own settings of a chat count now, as parts of a statement: what is hidden, what is muted.

import { type SQL, sql } from 'drizzle-orm';

/** A group stays hidden until it is shown again; a direct chat comes back with its next message. */
export function isHidden(chat: { type: SQL; hiddenAtSeq: SQL; newestSeq: SQL }): SQL {
  return sql`(${chat.hiddenAtSeq} IS NOT NULL AND (${chat.type} = 'group' OR ${chat.newestSeq} <= ${chat.hiddenAtSeq}))`;
}

/** A mute whose time is over is none. By the database's clock: those of instances differ. */
export const isMuteOver = (mutedUntil: SQL): SQL => sql`coalesce(${mutedUntil} <= now(), false)`;
