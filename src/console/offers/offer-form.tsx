// The terms of an offer, new or as a counter.

import { type FormEvent, useState } from 'react';
import type { CounterTerms } from '../../modules/offers/contract.ts';
import { Field, TextField } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

type Terms = Required<Pick<CounterTerms, 'title' | 'currency'>> & CounterTerms;

interface OfferFormProps {
  readonly label: string;
  readonly submitText: string;
  readonly initial: { readonly title: string; readonly amount: string; readonly currency: string };
  readonly onSubmit: (terms: Terms) => Promise<unknown>;
}

export function OfferForm({ label, submitText, initial, onSubmit }: OfferFormProps) {
  const [title, setTitle] = useState(initial.title);
  const [amount, setAmount] = useState(initial.amount);
  const [currency, setCurrency] = useState(initial.currency);
  const [note, setNote] = useState('');
  const make = useAction(() =>
    onSubmit({
      title: title.trim(),
      amount: amount.trim(),
      currency,
      ...(note.trim() !== '' && { note: note.trim() }),
    }),
  );
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void make.run();
  };
  return (
    <form aria-label={label} onSubmit={submit}>
      <Field
        label="What"
        required
        maxLength={200}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <div className="field-pair">
        <Field
          label="Amount"
          required
          inputMode="decimal"
          maxLength={16}
          placeholder="12.50"
          value={amount}
          onChange={(event) => setAmount(event.target.value)}
        />
        <Field
          label="Currency"
          required
          maxLength={3}
          value={currency}
          onChange={(event) => setCurrency(event.target.value.toUpperCase())}
        />
      </div>
      <TextField
        label="Note"
        rows={2}
        maxLength={2_000}
        value={note}
        onChange={(event) => setNote(event.target.value)}
      />
      <Refusal error={make.error} />
      <button type="submit" className="primary" disabled={make.isBusy}>
        {submitText}
      </button>
    </form>
  );
}
