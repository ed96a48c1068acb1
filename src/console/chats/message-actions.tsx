// What can be done with a message, beside reacting to it: everybody replies, and who wrote it edits and deletes.

import { useCommand } from '../../client/react/index.ts';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import { useMe } from '../session/use-session.tsx';
import type { ShownMessage } from './timeline.ts';

interface MessageActionsProps {
  readonly message: ShownMessage;
  readonly onReply: (message: ShownMessage) => void;
  readonly onEdit: () => void;
  readonly onDone: () => void;
}

export function MessageActions({ message, onReply, onEdit, onDone }: MessageActionsProps) {
  const me = useMe();
  const send = useCommand();
  const remove = useAction(async () => {
    await send('message.delete', { messageId: message.id });
    onDone();
  });
  const mayChange = message.senderId === me.id && message.messageType === 'text';
  return (
    <div className="message-actions">
      <button
        type="button"
        className="quiet"
        onClick={() => {
          onReply(message);
          onDone();
        }}
      >
        Reply
      </button>
      {mayChange && (
        <>
          <button
            type="button"
            className="quiet"
            onClick={() => {
              onEdit();
              onDone();
            }}
          >
            Edit
          </button>
          <button
            type="button"
            className="quiet danger"
            disabled={remove.isBusy}
            onClick={() => void remove.run()}
          >
            Delete
          </button>
        </>
      )}
      <Refusal error={remove.error} />
    </div>
  );
}
