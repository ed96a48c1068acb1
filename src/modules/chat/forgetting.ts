// What is gone is gone: an edit or a deletion takes the former text of a message away wherever it is kept, in its own
// transaction. In the log it stands in `message.created` and in the newest `message.edited`: each edit empties the one before
// it, so that however often a message was edited, two events are all there is to rewrite. [O5]

import type { Db } from '../../db/database.ts';
import { type Rewrite, readEvents, rewriteResult } from '../../realtime/index.ts';
import type { Message } from './contract.ts';
import { type MessageRow, viewAsCreated } from './message-rows.ts';

/** In what the sender is answered again. Call it before the lock of the chat's topic, for which all who write wait. */
export async function forgetResult(tx: Db, changed: MessageRow): Promise<void> {
  const request = { userId: changed.senderId, operation: 'message.send' };
  await rewriteResult(tx, request, viewAsCreated(changed));
}

/**
 * What the message's earlier events say from now on; `editSeq` is that of its newest edit before. `message.created` has the
 * present content, or none, so that whoever comes later sees no more of the message than that. The edit says nothing any more.
 */
export async function rewritesOf(
  tx: Db,
  topic: string,
  changed: MessageRow,
  editSeq: number | null,
): Promise<Rewrite<Message>[]> {
  const created = { seq: changed.seq, payload: viewAsCreated(changed) };
  if (editSeq === null) return [created];
  const [edit] = await readEvents(tx, topic, editSeq - 1, 1);
  if (edit?.seq !== editSeq) return [created]; // it was pruned, and so was all before it
  const said: { payload: Message } = JSON.parse(edit.frame);
  return [created, { seq: editSeq, payload: { ...said.payload, content: null, metadata: null } }];
}
