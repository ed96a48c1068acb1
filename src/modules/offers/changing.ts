// How the two sides end an offer: the recipient accepts, rejects or counters it, who made it withdraws it. Of two that come
// at once the first one wins, and the other is told how the offer is by then.

import { AppError } from '../../protocol/errors.ts';
import { type CommandContext, command } from '../../realtime/index.ts';
import { blocked, messagesPerMinute, type Notices } from '../chat/index.ts';
import { lockOffer } from './access.ts';
import { ChangeOffer, CounterOffer, type CounterTerms, maxCounters, Offer, UpdateOffer } from './contract.ts';
import { requireTerms } from './creating.ts';
import { addOffer, settleOffer } from './writer.ts';

const declared = {
  tag: 'Offers',
  output: Offer,
  refuses: ['forbidden', 'not_found', 'conflict'],
} as const;

const description = 'A `conflict` has the offer as it is in its `details`.';

export const acceptOffer = command('offer.accept', {
  ...declared,
  summary: 'Accept an offer that was made to me',
  description,
  http: 'POST /offers/:offerId/accept',
  socket: false,
  input: ChangeOffer,
  run: (context, { offerId }) => settle(context, offerId, 'accept'),
});

export const rejectOffer = command('offer.reject', {
  ...declared,
  summary: 'Reject an offer that was made to me',
  description,
  http: 'POST /offers/:offerId/reject',
  socket: false,
  input: ChangeOffer,
  run: (context, { offerId }) => settle(context, offerId, 'reject'),
});

export const withdrawOffer = command('offer.withdraw', {
  ...declared,
  summary: 'Withdraw an offer of mine',
  description,
  http: 'POST /offers/:offerId/withdraw',
  socket: false,
  input: ChangeOffer,
  run: (context, { offerId }) => settle(context, offerId, 'withdraw'),
});

export const counterOffer = (notices: Notices) =>
  command('offer.counter', {
    ...declared,
    summary: 'Counter an offer that was made to me with one of mine',
    description: `The offer is closed, and the new one, which is answered, goes to who made it. At most ${maxCounters} follow each other. ${description}`,
    http: 'POST /offers/:offerId/counter',
    socket: false,
    takesKey: true,
    limit: messagesPerMinute,
    input: CounterOffer,
    check: (terms) => requireTerms(terms),
    run: (context, { offerId, ...terms }) => counter(context, notices, offerId, terms, ''),
  });

export const updateOffer = (notices: Notices) =>
  command('offer.update', {
    ...declared,
    summary: 'Accept, reject, withdraw or counter an offer',
    description: `With \`counter\` the new offer is answered. ${description}`,
    takesKey: true,
    limit: messagesPerMinute,
    isFree: (_, { action }) => action !== 'counter',
    input: UpdateOffer,
    check(input) {
      if (input.action === 'counter') requireTerms(readCounter(input), '/counter');
      else if (input.counter !== undefined) throw invalidCounter('Leave it out: the action is not "counter"');
    },
    run: (context, input) =>
      input.action === 'counter'
        ? counter(context, notices, input.offerId, readCounter(input), '/counter')
        : settle(context, input.offerId, input.action),
  });

/** Throws `invalid`. */
function readCounter({ counter: terms }: UpdateOffer): CounterTerms {
  if (terms === undefined) throw invalidCounter('Expected the terms of the new offer');
  return terms;
}

const invalidCounter = (message: string) =>
  new AppError('invalid', `counter: ${message}.`, { fields: [{ path: '/counter', message }] });

const verdicts = { accept: 'accepted', reject: 'rejected', withdraw: 'withdrawn' } as const;

async function settle(
  { actor, tx, emit }: CommandContext,
  offerId: string,
  action: keyof typeof verdicts,
): Promise<Offer> {
  const { row } = await lockOffer(tx, actor.userId, offerId, action);
  return await settleOffer(tx, emit, row, verdicts[action], actor.userId);
}

/** The new offer goes the other way. `path`: where the terms stand in the request. */
async function counter(
  context: CommandContext,
  notices: Notices,
  offerId: string,
  terms: CounterTerms,
  path: string,
): Promise<Offer> {
  const { actor, tx } = context;
  const { row: parent, isBlocked } = await lockOffer(tx, actor.userId, offerId, 'counter');
  if (isBlocked) throw blocked();
  if (parent.round >= maxCounters) {
    throw new AppError('conflict', `At most ${maxCounters} counters follow each other. Make a new offer.`);
  }
  const { title = parent.title, currency = parent.currency } = terms;
  requireTerms({ ...terms, currency }, path);
  const { chatId, createdBy: recipientId } = parent;
  const { offer, message } = await addOffer(context, {
    chatId,
    createdBy: actor.userId,
    recipientId,
    title,
    currency,
    terms,
    path,
    parent,
  });
  context.afterCommit(() => notices.tell([{ actor, message }]));
  return offer;
}
