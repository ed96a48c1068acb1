// Who follows a topic right now. Asked for with every new connection: it is live alone, and in no event that is kept. [P1]

import { useState } from 'react';
import { useCommand, useEvent } from '../../client/react/index.ts';
import { useAnswer } from '../parts/use-answer.ts';

interface Moves {
  readonly since: object | undefined;
  readonly byUser: ReadonlyMap<string, boolean>;
}

const none: ReadonlyMap<string, boolean> = new Map();

export function useHere(topic: string, isLive: boolean): ReadonlySet<string> {
  const send = useCommand();
  const { data } = useAnswer(isLive ? topic : undefined, () => send('presence.list', {}, { topic }));
  // Who came and went since that answer
  const [moves, setMoves] = useState<Moves>({ since: undefined, byUser: none });
  const note = (event: { topic: string; payload: { userId: string } }, isHere: boolean): void => {
    if (event.topic !== topic) return;
    setMoves((old) => {
      const known = old.since === data ? old.byUser : none;
      return { since: data, byUser: new Map([...known, [event.payload.userId, isHere]]) };
    });
  };
  useEvent('presence.joined', (event) => note(event, true));
  useEvent('presence.left', (event) => note(event, false));
  const here = new Set(data?.users.map(({ userId }) => userId));
  if (moves.since === data) {
    for (const [userId, isHere] of moves.byUser) {
      if (isHere) here.add(userId);
      else here.delete(userId);
    }
  }
  return here;
}
