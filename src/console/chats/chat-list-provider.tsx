// My chats, as the server lists them: asked again whenever an event says that something of it has changed.

import { createContext, type ReactNode, useContext, useMemo } from 'react';
import { useCommand, useEvent } from '../../client/react/index.ts';
import type { ChatListItem } from '../../modules/chat/contract.ts';
import { useAnswer } from '../parts/use-answer.ts';
import { useRoute } from '../route.ts';
import { useMe } from '../session/use-session.tsx';
import { useIsSeen } from './use-reading.ts';

export interface ChatList {
  /** Undefined as long as they are not known. */
  readonly chats: readonly ChatListItem[] | undefined;
  readonly error: unknown;
  readonly unread: number;
  reload(): void;
}

const ChatListContext = createContext<ChatList>({
  chats: undefined,
  error: undefined,
  unread: 0,
  reload() {},
});

export const useChatList = (): ChatList => useContext(ChatListContext);

export function ChatListProvider({ isOn, children }: { isOn: boolean; children: ReactNode }) {
  const send = useCommand();
  const me = useMe();
  const { data, error, reload } = useAnswer(isOn ? 'chats' : undefined, () =>
    send('chat.list', { limit: 100 }),
  );
  // Of the chat that is open
  useEvent('message.created', reload);
  useEvent('message.edited', reload);
  useEvent('message.deleted', reload);
  useEvent('chat.updated', reload);
  useEvent('message.read', ({ payload }) => {
    if (me.id in payload.positions) reload();
  });
  useEvent('profile.updated', reload);
  // Of the others, on the user's own topic
  useEvent('message.notified', reload);
  useEvent('chat.read', reload);
  useEvent('chat.added', reload);
  useEvent('chat.removed', reload);
  useEvent('chat.configured', reload);
  const [section, chatId] = useRoute();
  const isSeen = useIsSeen();
  const openId = section === 'chats' && isSeen ? chatId : undefined;
  const list = useMemo(() => {
    // What is being looked at is not unread, though the server learns of that a moment later.
    const chats = data?.items.map((chat) => (chat.id === openId ? { ...chat, unreadCount: 0 } : chat));
    const unread = chats?.reduce((sum, { unreadCount }) => sum + unreadCount, 0) ?? 0;
    return { chats, error, unread, reload };
  }, [data, error, reload, openId]);
  return <ChatListContext value={list}>{children}</ChatListContext>;
}
