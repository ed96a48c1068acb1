// Messages on their way: shown until the server has them. Each has a key, so however often it is sent, it is there once. [K1]

import { useState } from 'react';
import { useCommand, useEvent } from '../../client/react/index.ts';
import type { SendMessage } from '../../modules/chat/contract.ts';
import { useMe } from '../session/use-session.tsx';
import { newKey } from './new-key.ts';

export interface PendingMessage {
  readonly key: string;
  readonly input: SendMessage;
  /** Set: it was refused, or given up. */
  readonly error: unknown;
  retry(): void;
  discard(): void;
}

export interface Pending {
  readonly messages: readonly PendingMessage[];
  send(input: Omit<SendMessage, 'chatId'>): void;
}

interface OnItsWay {
  readonly key: string;
  readonly input: SendMessage;
  readonly error?: unknown;
}

export function usePending(chatId: string): Pending {
  const me = useMe();
  const sendCommand = useCommand();
  const [waiting, setWaiting] = useState<readonly OnItsWay[]>([]);
  const drop = (key: string): void => setWaiting((old) => old.filter((one) => one.key !== key));
  const transmit = (one: OnItsWay): void => {
    sendCommand('message.send', one.input, { key: one.key }).then(
      () => drop(one.key),
      (error: unknown) =>
        setWaiting((old) => old.map((other) => (other.key === one.key ? { ...one, error } : other))),
    );
  };
  // The event may come before the answer: then it would be seen twice for a moment.
  useEvent('message.created', ({ payload }) => {
    if (payload.chatId !== chatId || payload.senderId !== me.id) return;
    setWaiting((old) => {
      const same = old.find(({ input, error }) => error === undefined && input.content === payload.content);
      return same === undefined ? old : old.filter((one) => one !== same);
    });
  });
  return {
    messages: waiting.map(({ key, input, error }) => ({
      key,
      input,
      error,
      retry() {
        setWaiting((old) => old.map((one) => (one.key === key ? { key, input } : one)));
        transmit({ key, input });
      },
      discard: () => drop(key),
    })),
    send(given) {
      const one = { key: newKey(), input: { chatId, ...given } };
      setWaiting((old) => [...old, one]);
      transmit(one);
    },
  };
}
