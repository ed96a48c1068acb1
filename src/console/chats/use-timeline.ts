// The timeline of a chat that is open, kept by its topic's state and events, and filled up with older messages when asked.

import { useEffect, useState } from 'react';
import { type UsedTopic, useCommand, useEvent } from '../../client/react/index.ts';
import { type Action, useAction } from '../parts/use-action.ts';
import { useMe } from '../session/use-session.tsx';
import {
  emptyTimeline,
  isWhole,
  type Timeline,
  withMessage,
  withOlder,
  withReaction,
  withState,
} from './timeline.ts';

export interface UsedTimeline extends Timeline {
  readonly older: Action<[]>;
}

const pageSize = 50;

export function useTimeline(chatId: string, used: UsedTopic<`chat:${string}`>): UsedTimeline {
  const { id: me } = useMe();
  const send = useCommand();
  const [timeline, setTimeline] = useState(emptyTimeline);
  const { topic, state } = used;

  // What was missed for good leaves a hole in front of the new state. [S4]
  useEffect(
    () =>
      topic?.onJoined(({ reset }) => {
        if (reset) setTimeline(emptyTimeline);
      }),
    [topic],
  );
  const messages = state?.messages;
  useEffect(() => {
    if (messages !== undefined) setTimeline((known) => withState(known, messages, me));
  }, [messages, me]);

  // Beside the state: of many events at once the state shows the newest messages only, and none that is older.
  const takeMessage = ({ payload }: { payload: Parameters<typeof withMessage>[1] }): void => {
    if (payload.chatId === chatId) setTimeline((known) => withMessage(known, payload, me));
  };
  useEvent('message.created', takeMessage);
  useEvent('message.edited', takeMessage);
  useEvent('message.deleted', takeMessage);
  useEvent('message.reacted', ({ payload }) => setTimeline((known) => withReaction(known, payload, me)));

  const older = useAction(async () => {
    const before = timeline.messages[0]?.seq;
    if (before === undefined || isWhole(timeline)) return;
    const page = await send('message.list', { chatId, before, limit: pageSize });
    setTimeline((known) => withOlder(known, page.items));
  });
  return { ...timeline, older };
}
