// Where a message is written: Enter sends it, Shift and Enter begins a new line, @ names somebody. Others see that one is typing.

import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useCommand, useConnection } from '../../client/react/index.ts';
import { Icon } from '../parts/icon.tsx';
import type { Person } from '../people/people.ts';
import { useNames } from '../people/use-people.tsx';
import { completeMention, findMentionAt, listMentions } from './mentions.ts';
import type { ShownMessage } from './timeline.ts';
import type { Pending } from './use-pending.ts';

interface ComposerProps {
  readonly chatId: string;
  /** Who may be named. */
  readonly people: readonly Person[];
  readonly replyTo: ShownMessage | undefined;
  readonly onEndReply: () => void;
  readonly onSend: Pending['send'];
}

const suggested = 5;

export function Composer({ chatId, people, replyTo, onEndReply, onSend }: ComposerProps) {
  const nameOf = useNames();
  const [text, setText] = useState('');
  const [cursor, setCursor] = useState(0);
  const area = useRef<HTMLTextAreaElement>(null);
  const tellTyping = useTypingSignal(chatId);
  useEffect(() => {
    if (replyTo !== undefined) area.current?.focus();
  }, [replyTo]);

  const submit = (): void => {
    const content = text.trim();
    if (content === '') return;
    const mentions = listMentions(content, people);
    onSend({ content, ...(mentions.length > 0 && { mentions }), ...(replyTo && { replyTo: replyTo.id }) });
    setText('');
    tellTyping(false);
    onEndReply();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // While an input method composes, Enter belongs to it.
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape' && replyTo !== undefined) onEndReply();
  };
  const beginning = findMentionAt(text, cursor)?.toLowerCase();
  const matches =
    beginning === undefined
      ? []
      : people.filter(({ name }) => name.toLowerCase().startsWith(beginning)).slice(0, suggested);
  return (
    <form
      className="composer"
      aria-label="Write a message"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {replyTo !== undefined && (
        <p className="replying">
          <span>
            To {nameOf(replyTo.senderId)}: {replyTo.content}
          </span>
          <button type="button" className="quiet square" aria-label="Do not reply" onClick={onEndReply}>
            <Icon name="close" />
          </button>
        </p>
      )}
      {matches.length > 0 && (
        <ul className="chips" aria-label="Members to name">
          {matches.map(({ id, name }) => (
            <li key={id}>
              <button
                type="button"
                className="chip"
                onClick={() => {
                  setText(completeMention(text, cursor, name));
                  area.current?.focus();
                }}
              >
                @{name}
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className="composer-line">
        <textarea
          ref={area}
          aria-label="Message"
          placeholder="Write a message"
          rows={Math.min(6, text.split('\n').length)}
          maxLength={10_000}
          value={text}
          onKeyDown={onKeyDown}
          onSelect={(event) => setCursor(event.currentTarget.selectionStart)}
          onChange={(event) => {
            setText(event.target.value);
            setCursor(event.target.selectionStart);
            tellTyping(event.target.value.trim() !== '');
          }}
        />
        <button type="submit" className="primary square" aria-label="Send" disabled={text.trim() === ''}>
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}

/** The server forgets who types after 6 s, and passes on one signal a second. [P5] */
const repeatMs = 3_000;

/** Says it while it goes on, and says its end. Nothing of it waits for a connection. */
function useTypingSignal(chatId: string): (isTyping: boolean) => void {
  const send = useCommand();
  const { state } = useConnection();
  const saidAt = useRef(0); // 0: that nobody types
  const isConnected = state.name === 'connected';
  const tell = (active: boolean): void => {
    if (!isConnected) return;
    const now = performance.now();
    if (active ? saidAt.current > 0 && now - saidAt.current < repeatMs : saidAt.current === 0) return;
    saidAt.current = active ? now : 0;
    send('typing', { chatId, active }).catch(() => {}); // nobody misses it
  };
  const last = useRef(tell);
  last.current = tell;
  useEffect(() => () => last.current(false), []);
  return tell;
}
