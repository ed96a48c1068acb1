// Begins a chat with one user, or a group of several.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import type { Person } from '../people/people.ts';
import { UserPicker } from '../people/user-picker.tsx';

interface NewChatProps {
  readonly onClose: () => void;
  readonly onMade: (chatId: string) => void;
}

export function NewChat({ onClose, onMade }: NewChatProps) {
  const send = useCommand();
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [isGroup, setGroup] = useState(false);
  const [name, setName] = useState('');
  const begin = useAction(async () => {
    const participantIds = people.map(({ id }) => id);
    const chat = await send(
      'chat.create',
      isGroup ? { type: 'group', name: name.trim(), participantIds } : { type: 'direct', participantIds },
    );
    onMade(chat.id);
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void begin.run();
  };
  const canBegin = isGroup ? name.trim() !== '' : people.length === 1;
  return (
    <Dialog title="New chat" onClose={onClose}>
      <form onSubmit={submit} aria-label="New chat">
        <fieldset className="switch">
          <legend className="visually-hidden">Kind of chat</legend>
          <button
            type="button"
            aria-pressed={!isGroup}
            onClick={() => {
              setGroup(false);
              setPeople(people.slice(0, 1));
            }}
          >
            With one
          </button>
          <button type="button" aria-pressed={isGroup} onClick={() => setGroup(true)}>
            Group
          </button>
        </fieldset>
        {isGroup && (
          <Field
            label="Name of the group"
            required
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
        <UserPicker
          label={isGroup ? 'Members' : 'With whom'}
          without={people.map(({ id }) => id)}
          onPick={(person) => setPeople(isGroup ? [...people, person] : [person])}
        />
        <ul className="chips" aria-label="Chosen">
          {people.map((person) => (
            <li key={person.id}>
              <button
                type="button"
                className="chip"
                aria-label={`Do not add ${person.name}`}
                onClick={() => setPeople(people.filter(({ id }) => id !== person.id))}
              >
                {person.name} ×
              </button>
            </li>
          ))}
        </ul>
        <Refusal error={begin.error} />
        <button type="submit" className="primary" disabled={!canBegin || begin.isBusy}>
          Begin
        </button>
      </form>
    </Dialog>
  );
}
