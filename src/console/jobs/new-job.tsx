// Asks for a job: its type says which workers take it, its payload what they need.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Field, TextField } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

interface NewJobProps {
  readonly onClose: () => void;
  readonly onMade: (jobId: string) => void;
}

export function NewJob({ onClose, onMade }: NewJobProps) {
  const send = useCommand();
  const [type, setType] = useState('count');
  const [text, setText] = useState('{ "to": 20 }');
  const [priority, setPriority] = useState('0');
  const make = useAction(async () => {
    const payload = parseJson(text);
    const job = await send('job.create', { type: type.trim(), payload, priority: Number(priority) });
    onMade(job.id);
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void make.run();
  };
  return (
    <Dialog title="New job" onClose={onClose}>
      <form aria-label="New job" onSubmit={submit}>
        <Field
          label="Type"
          required
          pattern="[a-z0-9._\-]{1,64}"
          value={type}
          onChange={(event) => setType(event.target.value)}
          hint="1 to 64 of a-z 0-9 . _ - ; the demo worker takes “count”."
        />
        <TextField
          label="Payload"
          required
          rows={4}
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
          hint="Any JSON."
        />
        <Field
          label="Priority"
          type="number"
          required
          min={-100}
          max={100}
          value={priority}
          onChange={(event) => setPriority(event.target.value)}
          hint="Higher ones are taken first."
        />
        <Refusal error={make.error} />
        <button type="submit" className="primary" disabled={make.isBusy}>
          Ask for it
        </button>
      </form>
    </Dialog>
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The payload has to be JSON: ${error instanceof Error ? error.message : 'it is not'}`);
  }
}
