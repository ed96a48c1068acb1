// The chat's service, by noun: what both doors call, and what other modules may use.

import { type Chats, type ChatsDeps, createChats } from './chats.ts';
import { createMembers, type Members, type MembersDeps } from './members.ts';
import { createMessages, type Messages, type MessagesDeps } from './messages.ts';
import { createNotices, type NoticesDeps } from './notices.ts';
import { createSending, type SendingDeps } from './sending.ts';
import { createTyping, type TypingDeps, type TypingNews } from './typing.ts';

export interface ChatService {
  readonly chats: Chats;
  readonly members: Members;
  readonly messages: Messages;
  readonly typing: TypingNews;
}

export type ChatDeps = Omit<MessagesDeps, 'sending'> &
  Omit<SendingDeps, 'notices'> &
  NoticesDeps &
  ChatsDeps &
  MembersDeps &
  TypingDeps;

export function createChatService(deps: ChatDeps): ChatService {
  const sending = createSending({ ...deps, notices: createNotices(deps) });
  return {
    chats: createChats(deps),
    members: createMembers(deps),
    messages: createMessages({ ...deps, sending }),
    typing: createTyping(deps),
  };
}
