// What search knows of messages.

import { eq } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { messageWords } from './schema.ts';

/** Takes the words of a message whose text is another one now, or gone, out of the index. */
export async function forgetWords(tx: Db, messageId: string): Promise<void> {
  await tx.delete(messageWords).where(eq(messageWords.messageId, messageId));
}
