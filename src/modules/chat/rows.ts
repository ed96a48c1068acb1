// From rows to what goes over the wire.

import type { ChatFace, Member, Message } from './contract.ts';
import type { chatParticipants, chats, messages } from './schema.ts';

export function toFace(row: typeof chats.$inferSelect): ChatFace {
  return {
    id: row.id,
    type: row.type,
    name: row.name,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

export function toMember(row: typeof chatParticipants.$inferSelect): Member {
  return {
    userId: row.userId,
    role: row.role,
    joinedAt: row.joinedAt.toISOString(),
    lastReadSeq: row.lastReadSeq,
  };
}

export function toMessage(row: typeof messages.$inferSelect): Message {
  return {
    ...row,
    createdAt: row.createdAt.toISOString(),
    editedAt: row.editedAt?.toISOString() ?? null,
    deletedAt: row.deletedAt?.toISOString() ?? null,
  };
}
