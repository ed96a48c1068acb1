// The offers of a chat that are pending, and a new one.

import { useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import type { Offer } from '../../modules/offers/contract.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ChoiceField } from '../parts/field.tsx';
import type { Person } from '../people/people.ts';
import { OfferFace } from './offer-card.tsx';
import { OfferForm } from './offer-form.tsx';

interface OffersDialogProps {
  readonly chatId: string;
  readonly isDirect: boolean;
  /** To whom one may offer something. */
  readonly people: readonly Person[];
  readonly pending: readonly Offer[];
  readonly onClose: () => void;
}

export function OffersDialog({ chatId, isDirect, people, pending, onClose }: OffersDialogProps) {
  const send = useCommand();
  const [recipientId, setRecipientId] = useState(people[0]?.id ?? '');
  return (
    <Dialog title="Offers" onClose={onClose}>
      {pending.length === 0 && <p className="hint">Nothing is on offer here.</p>}
      {pending.map((offer) => (
        <OfferFace key={offer.id} offer={offer} />
      ))}
      <h3>New offer</h3>
      {!isDirect && (
        <ChoiceField
          label="To whom"
          value={recipientId}
          onChange={(event) => setRecipientId(event.target.value)}
        >
          {people.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </ChoiceField>
      )}
      <OfferForm
        label="New offer"
        submitText="Make the offer"
        initial={{ title: '', amount: '', currency: 'EUR' }}
        onSubmit={async (terms) => {
          await send('offer.create', { chatId, recipientId, ...terms });
          onClose();
        }}
      />
    </Dialog>
  );
}
