// One offer, as it is now, with what the reader may do about it.

import { useState } from 'react';
import { useCommand, useEvent } from '../../client/react/index.ts';
import type { Offer, OfferAction } from '../../modules/offers/contract.ts';
import { Refusal } from '../parts/refusal.tsx';
import { Time } from '../parts/time.tsx';
import { useAction } from '../parts/use-action.ts';
import { useAnswer } from '../parts/use-answer.ts';
import { useNames } from '../people/use-people.tsx';
import { useMe } from '../session/use-session.tsx';
import { OfferForm } from './offer-form.tsx';

interface OfferCardProps {
  readonly offerId: string;
  /** Those of the chat's state: what is not among them has ended, or found no room there. */
  readonly pending: readonly Offer[];
}

export function OfferCard({ offerId, pending }: OfferCardProps) {
  const send = useCommand();
  const live = pending.find(({ id }) => id === offerId);
  const { data, error, reload } = useAnswer(live === undefined ? offerId : undefined, () =>
    send('offer.get', { offerId }),
  );
  useEvent('offer.updated', ({ payload }) => {
    if (payload.offer.id === offerId) reload();
  });
  const offer = live ?? data;
  if (offer === undefined) return <Refusal error={error} />;
  return <OfferFace offer={offer} />;
}

export function OfferFace({ offer }: { offer: Offer }) {
  const me = useMe();
  const nameOf = useNames();
  const send = useCommand();
  const [isCountering, setCountering] = useState(false);
  const { id, createdBy, recipientId, title, amount, currency, note, status, expiresAt } = offer;
  const change = useAction((action: Exclude<OfferAction, 'counter'>) =>
    send('offer.update', { offerId: id, action }),
  );
  const isPending = status === 'pending';
  return (
    <section className={`offer ${status}`} aria-label={`Offer: ${title}`}>
      <p className="offer-head">
        <b>{title}</b>
        <span className={`tag ${status}`}>{status}</span>
      </p>
      <p className="amount">
        {amount} {currency}
      </p>
      {note !== null && <p className="note">{note}</p>}
      <p className="subtitle">
        {createdBy === me.id ? 'You' : nameOf(createdBy)} to{' '}
        {recipientId === me.id ? 'you' : nameOf(recipientId)}
        {isPending && (
          <>
            , until <Time at={expiresAt} />
          </>
        )}
      </p>
      {isPending && (
        <div className="actions">
          {recipientId === me.id && (
            <>
              <button
                type="button"
                className="primary"
                disabled={change.isBusy}
                onClick={() => void change.run('accept')}
              >
                Accept
              </button>
              <button type="button" disabled={change.isBusy} onClick={() => void change.run('reject')}>
                Reject
              </button>
              <button type="button" aria-expanded={isCountering} onClick={() => setCountering(!isCountering)}>
                Counter
              </button>
            </>
          )}
          {createdBy === me.id && (
            <button type="button" disabled={change.isBusy} onClick={() => void change.run('withdraw')}>
              Withdraw
            </button>
          )}
        </div>
      )}
      <Refusal error={change.error} />
      {isPending && isCountering && (
        <OfferForm
          label="Counter this offer"
          submitText="Send the counter"
          initial={{ title, amount, currency }}
          onSubmit={async (counter) => {
            await send('offer.update', { offerId: id, action: 'counter', counter });
            setCountering(false);
          }}
        />
      )}
    </section>
  );
}
