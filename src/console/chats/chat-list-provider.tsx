// My chats, as the server lists them: asked again whenever an event says that something of it has changed.

import { createContext, type ReactNode, useContext, useMemo, useState } from 'react';
import type { Send } from '../../client/index.ts';
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
  /** Shows further ones; undefined: these are all. */
  readonly showMore: (() => void) | undefined;
  reload(): void;
}

const ChatListContext = createContext<ChatList>({
  chats: undefined,
  error: undefined,
  unread: 0,
  showMore: undefined,
  reload() {},
});

export const useChatList = (): ChatList => useContext(ChatListContext);

export function ChatListProvider({ isOn, children }: { isOn: boolean; children: ReactNode }) {
  const send = useCommand();
  const me = useMe();
  const [pages, setPages] = useState(1);
  const { data, error, reload } = useAnswer(isOn ? 'chats' : undefined, () => listChats(send, pages));
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
    const showMore = (): void => {
      setPages((shown) => shown + 1);
      reload(); // in a moment: with one more page
    };
    return { chats, error, unread, reload, showMore: data?.hasMore ? showMore : undefined };
  }, [data, error, reload, openId]);
  return <ChatListContext value={list}>{children}</ChatListContext>;
}

const pageSize = 50;

async function listChats(send: Send, pages: number): Promise<{ items: ChatListItem[]; hasMore: boolean }> {
  const items: ChatListItem[] = [];
  let cursor: string | null | undefined;
  for (let page = 0; page < pages && cursor !== null; page += 1) {
    const answer = await send('chat.list', { limit: pageSize, cursor });
    items.push(...answer.items);
    cursor = answer.nextCursor;
  }
  return { items, hasMore: cursor !== null };
}
