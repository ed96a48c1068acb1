// One chat: its messages, who is here and who is typing, what is read, and what is offered in it.

import { useState } from 'react';
import { useTopic } from '../../client/react/index.ts';
import { OffersDialog } from '../offers/offers-dialog.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { DetailPane } from '../parts/pane.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useNames } from '../people/use-people.tsx';
import { linkTo } from '../route.ts';
import { useMe } from '../session/use-session.tsx';
import { useChatList } from './chat-list-provider.tsx';
import { Composer } from './composer.tsx';
import { MembersDialog } from './members-dialog.tsx';
import { MessageList } from './message-list.tsx';
import type { ShownMessage } from './timeline.ts';
import { useHere } from './use-here.ts';
import { usePending } from './use-pending.ts';
import { useTimeline } from './use-timeline.ts';
import { useTypists } from './use-typists.ts';

type Opened = 'members' | 'offers';

export function ChatView({ chatId, hasOffers }: { chatId: string; hasOffers: boolean }) {
  const me = useMe();
  const nameOf = useNames();
  const { chats } = useChatList();
  const used = useTopic(`chat:${chatId}`);
  const { state, status, error } = used;
  const timeline = useTimeline(chatId, used);
  const here = useHere(`chat:${chatId}`, status === 'live');
  const typists = useTypists(chatId, status === 'live');
  const pending = usePending(chatId);
  const [opened, setOpened] = useState<Opened | undefined>();
  const [replyTo, setReplyTo] = useState<ShownMessage | undefined>();

  const back = linkTo('chats');
  if (status === 'ended') {
    return (
      <DetailPane title="Chat" back={back}>
        <Empty icon="chats" title="This chat is not yours to see">
          <Refusal error={error} />
        </Empty>
      </DetailPane>
    );
  }
  const listed = chats?.find(({ id }) => id === chatId);
  if (state === undefined) {
    return (
      <DetailPane title={listed?.name ?? 'Chat'} back={back}>
        <Loading what="messages" />
      </DetailPane>
    );
  }
  const { chat, members, readPositions, offers = [] } = state;
  const other = members.find(({ userId }) => userId !== me.id);
  const title = chat.name ?? (other === undefined ? (listed?.name ?? 'Chat') : nameOf(other.userId));
  const othersHere = members.filter(({ userId }) => userId !== me.id && here.has(userId));
  const people = members.map(({ userId }) => ({ id: userId, name: nameOf(userId) }));
  return (
    <DetailPane
      title={title}
      subtitle={
        <Presence names={othersHere.map(({ userId }) => nameOf(userId))} memberCount={members.length} />
      }
      back={back}
      actions={
        <>
          {hasOffers && (
            <button type="button" className="quiet" onClick={() => setOpened('offers')}>
              <Icon name="offer" /> <span className="wide">Offers</span>
              {offers.length > 0 && <span className="badge">{offers.length}</span>}
            </button>
          )}
          <button type="button" className="quiet" onClick={() => setOpened('members')}>
            <Icon name="people" /> <span className="wide">Members</span>
          </button>
        </>
      }
    >
      <MessageList
        chatId={chatId}
        timeline={timeline}
        people={people}
        readPositions={readPositions}
        offers={offers}
        pending={pending.messages}
        onReply={setReplyTo}
      />
      <p className="typing" role="status">
        {describeTypists(typists.map(nameOf))}
      </p>
      <Composer
        chatId={chatId}
        people={people.filter(({ id }) => id !== me.id)}
        replyTo={replyTo}
        onEndReply={() => setReplyTo(undefined)}
        onSend={pending.send}
      />
      {opened === 'members' && (
        <MembersDialog state={state} here={here} onClose={() => setOpened(undefined)} />
      )}
      {opened === 'offers' && (
        <OffersDialog
          chatId={chatId}
          isDirect={chat.type === 'direct'}
          people={people.filter(({ id }) => id !== me.id)}
          pending={offers}
          onClose={() => setOpened(undefined)}
        />
      )}
    </DetailPane>
  );
}

function Presence({ names, memberCount }: { names: readonly string[]; memberCount: number }) {
  if (names.length === 0)
    return <>{memberCount > 2 ? `${memberCount} members, nobody else is here` : 'Not here'}</>;
  const shown = names.slice(0, 3).join(', ');
  const rest = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return (
    <span className="presence">
      {shown}
      {rest} {names.length === 1 ? 'is' : 'are'} here
    </span>
  );
}

function describeTypists(names: readonly string[]): string {
  if (names.length === 0) return '';
  if (names.length > 3) return `${names.length} are typing …`;
  return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} typing …`;
}
