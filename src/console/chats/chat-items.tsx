// The list of chats: the one with the newest message first, with what is unread in each.

import type { ChatListItem } from '../../modules/chat/contract.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { Time } from '../parts/time.tsx';
import { linkTo } from '../route.ts';
import { useMe } from '../session/use-session.tsx';
import { useChatList } from './chat-list-provider.tsx';

export function ChatItems({ openId }: { openId: string | undefined }) {
  const { chats, error, showMore } = useChatList();
  if (chats === undefined) return error === undefined ? <Loading what="chats" /> : <Refusal error={error} />;
  if (chats.length === 0) {
    return (
      <Empty icon="chats" title="No chats yet">
        <p>Begin one with “New chat”. To try it alone, sign up a second time in a private window.</p>
      </Empty>
    );
  }
  return (
    <>
      <ul className="items">
        {chats.map((chat) => (
          <li key={chat.id}>
            <ChatItem chat={chat} isOpen={chat.id === openId} />
          </li>
        ))}
      </ul>
      {showMore !== undefined && (
        <button type="button" className="quiet" onClick={showMore}>
          Show more chats
        </button>
      )}
    </>
  );
}

function ChatItem({ chat, isOpen }: { chat: ChatListItem; isOpen: boolean }) {
  const me = useMe();
  const { id, name, otherUser, lastMessage, unreadCount, mentions, type } = chat;
  const title = name ?? 'Chat';
  const author = lastMessage.senderId === me.id ? 'You' : lastMessage.senderName;
  return (
    <a className="item" href={linkTo('chats', id)} aria-current={isOpen ? 'true' : undefined}>
      <Avatar id={otherUser?.id ?? id} name={title} />
      <span className="item-text">
        <span className="item-line">
          <b className="item-name">{title}</b>
          <Time at={lastMessage.createdAt} />
        </span>
        <span className="item-line">
          <span className="preview">
            {lastMessage.messageType !== 'system' && type === 'group' && `${author}: `}
            {lastMessage.preview ?? 'Message deleted'}
          </span>
          {unreadCount > 0 && (
            <span className="badge">
              {mentions > 0 && '@ '}
              {unreadCount}
              <span className="visually-hidden"> unread{mentions > 0 && ', you are mentioned'}</span>
            </span>
          )}
        </span>
      </span>
    </a>
  );
}
