// The text of a message: text, whatever is written in it, with the names in it marked.

import type { Person } from '../people/people.ts';
import { useMe } from '../session/use-session.tsx';
import { splitMentions } from './mentions.ts';

export function MessageText({ text, people }: { text: string; people: readonly Person[] }) {
  const me = useMe();
  let at = 0;
  return splitMentions(text, people).map((part) => {
    const key = at;
    at += part.text.length;
    if (part.person === undefined) return part.text;
    return (
      <mark key={key} className={part.person.id === me.id ? 'mention me' : 'mention'}>
        {part.text}
      </mark>
    );
  });
}
