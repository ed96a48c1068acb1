// Chats: the list, and the one that is open.

import { useState } from 'react';
import { Empty } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { ListPane } from '../parts/pane.tsx';
import { goTo, useRoute } from '../route.ts';
import { ChatItems } from './chat-items.tsx';
import { ChatView } from './chat-view.tsx';
import { NewChat } from './new-chat.tsx';

export function ChatsSection({ hasOffers }: { hasOffers: boolean }) {
  const [, chatId] = useRoute();
  const [isNew, setNew] = useState(false);
  const begin = (
    <button type="button" className="primary" onClick={() => setNew(true)}>
      <Icon name="plus" /> New chat
    </button>
  );
  return (
    <>
      <ListPane title="Chats" actions={begin}>
        <ChatItems openId={chatId} />
      </ListPane>
      {chatId === undefined ? (
        <section className="pane detail-pane">
          <Empty icon="chats" title="No chat is open">
            <p>Choose one from the list, or begin a new one with anybody who has an account here.</p>
          </Empty>
        </section>
      ) : (
        <ChatView key={chatId} chatId={chatId} hasOffers={hasOffers} />
      )}
      {isNew && (
        <NewChat
          onClose={() => setNew(false)}
          onMade={(id) => {
            setNew(false);
            goTo('chats', id);
          }}
        />
      )}
    </>
  );
}
