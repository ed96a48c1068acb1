// Tells the server how far one has read: up to the newest message, when that is in view of somebody who looks.

import { useEffect, useRef, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';

export function useReading(chatId: string, newestSeq: number, readSeq: number, isAtEnd: boolean): void {
  const send = useCommand();
  const isSeen = useIsSeen();
  const [toldSeq, setToldSeq] = useState(0);
  const isTelling = useRef(false);
  useEffect(() => {
    if (!isSeen || !isAtEnd || isTelling.current || newestSeq <= Math.max(readSeq, toldSeq)) return;
    isTelling.current = true; // one at a time: what comes meanwhile is told together
    send('message.read', { chatId, seq: newestSeq }).then(
      () => {
        isTelling.current = false;
        setToldSeq(newestSeq);
      },
      () => {
        isTelling.current = false; // the next message, or the next look, tells it again
      },
    );
  }, [send, chatId, newestSeq, readSeq, toldSeq, isAtEnd, isSeen]);
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
