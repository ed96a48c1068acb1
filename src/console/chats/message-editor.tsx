// Changes the text of one's own message.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

interface MessageEditorProps {
  readonly messageId: string;
  readonly content: string;
  readonly onClose: () => void;
}

export function MessageEditor({ messageId, content, onClose }: MessageEditorProps) {
  const send = useCommand();
  const [text, setText] = useState(content);
  const save = useAction(async () => {
    await send('message.edit', { messageId, content: text.trim() });
    onClose();
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void save.run();
  };
  return (
    <form className="message-editor" aria-label="Edit the message" onSubmit={submit}>
      <textarea
        aria-label="New text"
        // biome-ignore lint/a11y/noAutofocus: whoever chose "Edit" goes on here
        autoFocus
        rows={Math.min(6, text.split('\n').length)}
        maxLength={10_000}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onClose();
        }}
      />
      <Refusal error={save.error} />
      <div className="actions">
        <button type="submit" className="primary" disabled={save.isBusy || text.trim() === ''}>
          Save
        </button>
        <button type="button" className="quiet" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  );
}
