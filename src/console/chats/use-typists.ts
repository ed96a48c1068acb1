// Who is typing. The server says when somebody stops, also where they were cut off; a connection that was lost itself forgets. [P5]

import { useEffect, useState } from 'react';
import { useEvent } from '../../client/react/index.ts';
import { useMe } from '../session/use-session.tsx';

export function useTypists(chatId: string, isLive: boolean): readonly string[] {
  const me = useMe();
  const [typists, setTypists] = useState<readonly string[]>([]);
  useEvent('typing', ({ payload: { chatId: where, userId, active } }) => {
    if (where !== chatId || userId === me.id) return;
    setTypists((known) => [...known.filter((id) => id !== userId), ...(active ? [userId] : [])]);
  });
  useEffect(() => {
    if (!isLive) setTypists([]);
  }, [isLive]);
  return typists;
}
