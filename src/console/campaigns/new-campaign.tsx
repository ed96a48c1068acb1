// Begins a campaign.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Field, TextField } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

interface NewCampaignProps {
  readonly onClose: () => void;
  readonly onMade: (campaignId: string) => void;
}

export function NewCampaign({ onClose, onMade }: NewCampaignProps) {
  const send = useCommand();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const make = useAction(async () => {
    const campaign = await send('campaign.create', { name: name.trim(), description: description.trim() });
    onMade(campaign.id);
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void make.run();
  };
  return (
    <Dialog title="New world" onClose={onClose}>
      <form aria-label="New world" onSubmit={submit}>
        <Field
          label="Name"
          required
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label="Description"
          rows={3}
          maxLength={2_000}
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
        <Refusal error={make.error} />
        <button type="submit" className="primary" disabled={make.isBusy}>
          Begin it
        </button>
      </form>
    </Dialog>
  );
}
