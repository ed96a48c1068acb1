// From rows to what goes over the wire.

import type { ChatFace, Member } from './contract.ts';
import type { chatParticipants, chats } from './schema.ts';

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

type MemberRow = Pick<typeof chatParticipants.$inferSelect, keyof Member>;

export function toMember(row: MemberRow): Member {
  return {
    userId: row.userId,
    role: row.role,
    joinedAt: row.joinedAt.toISOString(),
    lastReadSeq: row.lastReadSeq,
  };
}
