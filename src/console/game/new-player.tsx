// Begins to play.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { Field } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

export function NewPlayer({ onMade }: { onMade: () => void }) {
  const send = useCommand();
  const [handle, setHandle] = useState('');
  const make = useAction(async () => {
    await send('player.create', { handle });
    onMade();
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void make.run();
  };
  return (
    <form className="card" aria-label="New player" onSubmit={submit}>
      <h3>Choose a handle</h3>
      <p>
        You get a computer, some money and energy. Break into the computers of others, protect your own, and
        open better tools with what you learn.
      </p>
      <Field
        label="Handle"
        required
        minLength={3}
        maxLength={20}
        pattern="[a-z0-9_]+"
        autoComplete="off"
        value={handle}
        onChange={(event) => setHandle(event.target.value.toLowerCase())}
        hint="3 to 20 of a-z 0-9 _"
      />
      <Refusal error={make.error} />
      <button type="submit" className="primary" disabled={make.isBusy}>
        Begin to play
      </button>
    </form>
  );
}
