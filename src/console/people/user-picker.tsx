// Finds users by a part of their name.

import { useId, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAnswer } from '../parts/use-answer.ts';
import { useSettled } from '../parts/use-settled.ts';
import { useMe } from '../session/use-session.tsx';
import type { Person } from './people.ts';

interface UserPickerProps {
  readonly label: string;
  /** Who is not offered, beside oneself. */
  readonly without: readonly string[];
  readonly onPick: (person: Person) => void;
}

const shown = 8;
/** Not every letter is a question: searches are limited. */
const settleMs = 200;

export function UserPicker({ label, without, onPick }: UserPickerProps) {
  const id = useId();
  const me = useMe();
  const send = useCommand();
  const [search, setSearch] = useState('');
  const text = useSettled(search.trim(), settleMs);
  const { data, error } = useAnswer(text === '' ? undefined : text, () =>
    send('user.find', { search: text, limit: 20 }),
  );
  const found = data?.items.filter((user) => user.id !== me.id && !without.includes(user.id)).slice(0, shown);
  return (
    <div className="field picker">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="search"
        autoComplete="off"
        maxLength={80}
        placeholder="A part of the name"
        value={search}
        onChange={(event) => setSearch(event.target.value)}
      />
      <Refusal error={error} />
      <ul aria-label="Users found">
        {found?.map((user) => (
          <li key={user.id}>
            <button
              type="button"
              className="row"
              onClick={() => {
                onPick(user);
                setSearch('');
              }}
            >
              <Avatar id={user.id} name={user.name} />
              <span>{user.name}</span>
            </button>
          </li>
        ))}
      </ul>
      <p className="hint" role="status">
        {found?.length === 0 && `Nobody is called “${text}”.`}
      </p>
    </div>
  );
}
