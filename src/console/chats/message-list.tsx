// The messages of a chat: older ones are loaded at the top, new ones stay in view as long as the reader is at the bottom. What
// has been in view is read.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Offer } from '../../modules/offers/contract.ts';
import { Icon } from '../parts/icon.tsx';
import { Refusal } from '../parts/refusal.tsx';
import type { Person } from '../people/people.ts';
import { useMe } from '../session/use-session.tsx';
import { Announcer } from './announcer.tsx';
import { MessageRow } from './message-row.tsx';
import { PendingRow } from './pending-row.tsx';
import { listReaders } from './readers.ts';
import { isWhole, type ShownMessage } from './timeline.ts';
import type { PendingMessage } from './use-pending.ts';
import { useReading } from './use-reading.ts';
import type { UsedTimeline } from './use-timeline.ts';

interface MessageListProps {
  readonly chatId: string;
  readonly timeline: UsedTimeline;
  readonly people: readonly Person[];
  readonly readPositions: Readonly<Record<string, number>>;
  readonly offers: readonly Offer[];
  readonly pending: readonly PendingMessage[];
  readonly onReply: (message: ShownMessage) => void;
}

/** Nearer to the end than this counts as there. */
const slackPx = 80;

export function MessageList(props: MessageListProps) {
  const { chatId, timeline, people, readPositions, offers, pending, onReply } = props;
  const { messages, older } = timeline;
  const me = useMe();
  const box = useRef<HTMLDivElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const newestSeq = messages.at(-1)?.seq ?? 0;
  // Where the reader stood when the chat was opened: what is behind that is new.
  const [openedAt] = useState(() => readPositions[me.id] ?? 0);
  useReading(chatId, newestSeq, readPositions[me.id] ?? 0, isAtEnd);
  useSteadyScroll(box, messages[0]?.seq, isAtEnd, `${newestSeq} ${pending.length}`);

  const toEnd = useCallback(() => box.current?.scrollTo({ top: box.current.scrollHeight }), []);
  const readers = listReaders(messages, readPositions, me.id);
  const firstNew = messages.find(({ seq, senderId }) => seq > openedAt && senderId !== me.id)?.seq;
  const hasDivider = openedAt > 0 && firstNew !== undefined && firstNew !== messages[0]?.seq;
  const nameById = new Map(people.map(({ id, name }) => [id, name]));
  return (
    <div className="messages-frame">
      <section
        className="messages"
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard has to reach it for that
        tabIndex={0}
        aria-label="Messages"
        onScroll={() => {
          const element = box.current;
          if (element === null) return;
          setAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight < slackPx);
          if (element.scrollTop === 0 && !older.isBusy && older.error === undefined) void older.run();
        }}
      >
        <div className="older">
          {messages.length > 0 && !isWhole(timeline) && (
            <button type="button" className="quiet" disabled={older.isBusy} onClick={() => void older.run()}>
              {older.isBusy ? 'Loading …' : 'Load older messages'}
            </button>
          )}
          <Refusal error={older.error} />
        </div>
        <ol>
          {messages.map((message, index) => (
            <MessageRow
              key={message.id}
              message={message}
              previous={messages[index - 1]}
              original={messages.find(({ id }) => id === message.replyTo)}
              people={people}
              isFirstNew={hasDivider && message.seq === firstNew}
              readBy={(readers.get(message.seq) ?? []).map((id) => nameById.get(id) ?? '–')}
              offers={offers}
              onReply={onReply}
            />
          ))}
          {pending.map((message) => (
            <PendingRow key={message.key} message={message} />
          ))}
        </ol>
      </section>
      {!isAtEnd && (
        <button type="button" className="to-end" onClick={toEnd}>
          <Icon name="down" /> To the newest
        </button>
      )}
      <Announcer messages={messages} nameOf={(id) => nameById.get(id) ?? 'Somebody'} />
    </div>
  );
}

/** What comes at the end is followed by who is there; what comes at the top moves nothing that is in view. */
function useSteadyScroll(
  box: React.RefObject<HTMLElement | null>,
  firstSeq: number | undefined,
  isAtEnd: boolean,
  end: string,
): void {
  const before = useRef({ firstSeq, height: 0 });
  const wasAtEnd = useRef(isAtEnd);
  wasAtEnd.current = isAtEnd;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `end` says that there is something new to scroll to
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const { firstSeq: oldFirst, height } = before.current;
    const hasOlder = oldFirst !== undefined && firstSeq !== undefined && firstSeq < oldFirst;
    if (hasOlder) element.scrollTop += element.scrollHeight - height;
    else if (wasAtEnd.current) element.scrollTop = element.scrollHeight;
    before.current = { firstSeq, height: element.scrollHeight };
  }, [box, firstSeq, end]);
  // A keyboard on a phone, a form that opens in a message: whoever was at the end stays there.
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      if (wasAtEnd.current) element.scrollTop = element.scrollHeight;
    });
    for (const changing of [element, ...element.children]) observer.observe(changing);
    return () => observer.disconnect();
  }, [box]);
}
