// Reads new messages of others to who cannot see them: those that came since the chat was opened, each once.

import { useState } from 'react';
import { useMe } from '../session/use-session.tsx';
import type { ShownMessage } from './timeline.ts';

interface AnnouncerProps {
  readonly messages: readonly ShownMessage[];
  readonly nameOf: (id: string) => string;
}

export function Announcer({ messages, nameOf }: AnnouncerProps) {
  const me = useMe();
  const newest = messages.at(-1);
  const [openedAt, setOpenedAt] = useState<number | undefined>(newest?.seq);
  if (openedAt === undefined && newest !== undefined) setOpenedAt(newest.seq);
  const isNews =
    newest !== undefined && openedAt !== undefined && newest.seq > openedAt && newest.senderId !== me.id;
  return (
    <p className="visually-hidden" aria-live="polite">
      {isNews && newest.content !== null && `${nameOf(newest.senderId)}: ${newest.content}`}
    </p>
  );
}
