// The emojis on a message, each a switch of one's own; and a few more to choose from.

import { useCommand } from '../../client/react/index.ts';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import type { ShownMessage } from './timeline.ts';

interface ReactionBarProps {
  readonly message: ShownMessage;
  readonly isChoosing: boolean;
  readonly onChosen: () => void;
}

const choice = [
  ['👍', 'thumbs up'],
  ['❤️', 'heart'],
  ['😂', 'laughing'],
  ['🎉', 'party'],
  ['😮', 'astonished'],
  ['✅', 'done'],
] as const;

export function ReactionBar({ message: { id, reactions }, isChoosing, onChosen }: ReactionBarProps) {
  const send = useCommand();
  const react = useAction((emoji: string, remove: boolean) =>
    send('message.react', { messageId: id, emoji, ...(remove && { remove }) }),
  );
  if (reactions.length === 0 && !isChoosing && react.error === undefined) return null;
  return (
    <div className="reactions">
      {reactions.map(({ emoji, count, isMine }) => (
        <button
          key={emoji}
          type="button"
          className="chip"
          aria-pressed={isMine}
          aria-label={`${emoji} ${count}`}
          onClick={() => void react.run(emoji, isMine)}
        >
          {emoji} {count}
        </button>
      ))}
      {isChoosing &&
        choice
          .filter(([emoji]) => !reactions.some((reaction) => reaction.emoji === emoji))
          .map(([emoji, name]) => (
            <button
              key={emoji}
              type="button"
              className="chip"
              aria-label={`React with ${name}`}
              onClick={() => {
                void react.run(emoji, false);
                onChosen();
              }}
            >
              {emoji}
            </button>
          ))}
      <Refusal error={react.error} />
    </div>
  );
}
