// One message, with what was reacted to it, who has read so far, and what can be done with it.

import { useState } from 'react';
import type { Offer } from '../../modules/offers/contract.ts';
import { OfferCard } from '../offers/offer-card.tsx';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Time } from '../parts/time.tsx';
import type { Person } from '../people/people.ts';
import { useNames } from '../people/use-people.tsx';
import { useMe } from '../session/use-session.tsx';
import { MessageActions } from './message-actions.tsx';
import { MessageEditor } from './message-editor.tsx';
import { MessageText } from './message-text.tsx';
import { ReactionBar } from './reaction-bar.tsx';
import type { ShownMessage } from './timeline.ts';

interface MessageRowProps {
  readonly message: ShownMessage;
  readonly previous: ShownMessage | undefined;
  /** What it replies to, where that is known. */
  readonly original: ShownMessage | undefined;
  readonly people: readonly Person[];
  readonly isFirstNew: boolean;
  readonly readBy: readonly string[];
  readonly offers: readonly Offer[];
  readonly onReply: (message: ShownMessage) => void;
}

/** Messages of one author within this time stand together. */
const togetherMs = 5 * 60_000;

export function MessageRow(props: MessageRowProps) {
  const { message, previous, original, people, isFirstNew, readBy, offers, onReply } = props;
  const { id, senderId, content, createdAt, editedAt, deletedAt, messageType, metadata, replyTo } = message;
  const me = useMe();
  const nameOf = useNames();
  const [isOpen, setOpen] = useState(false);
  const [isEditing, setEditing] = useState(false);
  const isMine = senderId === me.id;
  const name = nameOf(senderId);
  const isGrouped =
    previous?.senderId === senderId &&
    previous.messageType !== 'system' &&
    Date.parse(createdAt) - Date.parse(previous.createdAt) < togetherMs;
  const divider = isFirstNew && <li className="divider">New</li>;
  const seen = readBy.length > 0 && <p className="read-by">Read by {readBy.join(', ')}</p>;
  if (messageType === 'system') {
    return (
      <>
        {divider}
        <li className="message system">
          <p>
            {content} · <Time at={createdAt} />
          </p>
          {seen}
        </li>
      </>
    );
  }
  const offerId =
    messageType === 'offer' && typeof metadata?.offerId === 'string' ? metadata.offerId : undefined;
  return (
    <>
      {divider}
      <li className={`message${isMine ? ' mine' : ''}${isGrouped ? ' grouped' : ''}`}>
        {!isMine && (isGrouped ? <span className="avatar-space" /> : <Avatar id={senderId} name={name} />)}
        <div className="bubble">
          {!isGrouped && (
            <p className="meta">
              <b>{isMine ? 'You' : name}</b> <Time at={createdAt} />
            </p>
          )}
          {replyTo !== null && (
            <p className="quote">
              {original === undefined
                ? 'A reply to an older message'
                : `${nameOf(original.senderId)}: ${original.content ?? 'Message deleted'}`}
            </p>
          )}
          {isEditing ? (
            <MessageEditor messageId={id} content={content ?? ''} onClose={() => setEditing(false)} />
          ) : deletedAt !== null ? (
            <p className="content gone">Message deleted</p>
          ) : offerId !== undefined ? (
            <OfferCard offerId={offerId} pending={offers} />
          ) : (
            <p className="content">
              <MessageText text={content ?? ''} people={people} />
              {editedAt !== null && <span className="edited"> (edited)</span>}
            </p>
          )}
          <ReactionBar message={message} isChoosing={isOpen} onChosen={() => setOpen(false)} />
          {isOpen && (
            <MessageActions
              message={message}
              onReply={onReply}
              onEdit={() => setEditing(true)}
              onDone={() => setOpen(false)}
            />
          )}
        </div>
        {deletedAt === null && (
          <button
            type="button"
            className="quiet square more"
            aria-expanded={isOpen}
            aria-label={`What to do with ${isMine ? 'your message' : `the message of ${name}`}`}
            onClick={() => setOpen(!isOpen)}
          >
            <Icon name="more" />
          </button>
        )}
        {seen}
      </li>
    </>
  );
}
