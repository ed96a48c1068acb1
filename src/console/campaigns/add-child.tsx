// A place for something new in the tree: a button that becomes a form.

import { type FormEvent, useState } from 'react';
import { Icon } from '../parts/icon.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

interface AddChildProps {
  readonly what: string;
  readonly where: string;
  readonly hasType?: boolean;
  readonly onAdd: (name: string, type: string) => Promise<unknown>;
}

export function AddChild({ what, where, hasType = false, onAdd }: AddChildProps) {
  const [isOpen, setOpen] = useState(false);
  const [name, setName] = useState('');
  const [type, setType] = useState('');
  const add = useAction(async () => {
    await onAdd(name.trim(), type.trim());
    setName('');
    setOpen(false);
  });
  if (!isOpen) {
    return (
      <button
        type="button"
        className="quiet add"
        aria-label={`Add a ${what} to ${where}`}
        onClick={() => setOpen(true)}
      >
        <Icon name="plus" /> {what}
      </button>
    );
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void add.run();
  };
  return (
    <form className="add-form" aria-label={`New ${what}`} onSubmit={submit}>
      <input
        aria-label={`Name of the ${what}`}
        placeholder="Name"
        required
        maxLength={100}
        // biome-ignore lint/a11y/noAutofocus: whoever opened it goes on here
        autoFocus
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      {hasType && (
        <input
          aria-label="Type"
          placeholder="Type, as in temple"
          required
          maxLength={50}
          value={type}
          onChange={(event) => setType(event.target.value)}
        />
      )}
      <button type="submit" className="primary" disabled={add.isBusy}>
        Add
      </button>
      <button type="button" className="quiet" onClick={() => setOpen(false)}>
        Cancel
      </button>
      <Refusal error={add.error} />
    </form>
  );
}
