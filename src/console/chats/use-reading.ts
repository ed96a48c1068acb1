// Tells the server how far one has read: up to the newest message, when that is in view of somebody who looks.

import { useEffect, useRef, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';

export function useReading(chatId: string, newestSeq: number, readSeq: number, isAtEnd: boolean): void {
  const send = useCommand();
  const isSeen = useIsSeen();
  const told = useRef(0);
  useEffect(() => {
    if (!isSeen || !isAtEnd || newestSeq <= Math.max(readSeq, told.current)) return;
    told.current = newestSeq;
    send('message.read', { chatId, seq: newestSeq }).catch(() => {
      told.current = 0; // with the next message, or the next look
    });
  }, [send, chatId, newestSeq, readSeq, isAtEnd, isSeen]);
}

/** Whether somebody may look: not where another tab is in front. */
export function useIsSeen(): boolean {
  const [isSeen, setSeen] = useState(() => document.visibilityState === 'visible');
  useEffect(() => {
    const look = (): void => setSeen(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);
  return isSeen;
}
