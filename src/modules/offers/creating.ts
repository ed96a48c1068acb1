// New offers, from one member of a chat to another.

import { AppError } from '../../protocol/errors.ts';
import { type CommandContext, command } from '../../realtime/index.ts';
import {
  blocked,
  keepMembers,
  messagesPerMinute,
  type Notices,
  noSuchChat,
  readChat,
} from '../chat/index.ts';
import { CreateOffer, Offer } from './contract.ts';
import { findProblem } from './rules.ts';
import { addOffer } from './writer.ts';

export const createOffer = (notices: Notices) =>
  command('offer.create', {
    summary: 'Make an offer to another member of a chat',
    description:
      'It is a message of the type `offer` in the chat, too: unread, notified, and neither edited nor deleted. In a direct ' +
      'chat it goes to the other one; in a group `recipientId` says to whom.',
    tag: 'Offers',
    http: 'POST /chats/:chatId/offers',
    takesKey: true,
    limit: messagesPerMinute,
    input: CreateOffer,
    output: Offer,
    refuses: ['forbidden', 'not_found', 'conflict'],
    check: (input) => requireTerms(input),
    async run(context, input) {
      const { actor, tx } = context;
      const { chatId, title, currency } = input;
      const { userId } = actor;
      const recipientId = input.recipientId ?? (await findOther(context, chatId));
      const members = await keepMembers(tx, chatId, [userId, recipientId]);
      const member = members.get(userId);
      if (member === undefined) throw noSuchChat();
      if (recipientId === userId || !members.has(recipientId))
        throw invalidRecipient('Expected another member');
      if (member.isBlocked) throw blocked();
      const draft = { chatId, createdBy: userId, recipientId, title, currency, terms: input, path: '' };
      const { offer, message } = await addOffer(context, draft);
      context.afterCommit(() => notices.tell([{ actor, message }]));
      return offer;
    },
  });

/** Throws `invalid`. `path`: where the terms stand in the request. */
export function requireTerms(terms: Parameters<typeof findProblem>[0], path = ''): void {
  const problem = findProblem(terms, path);
  if (problem === undefined) return;
  throw new AppError('invalid', `The offer cannot be made. ${problem.message}.`, { fields: [problem] });
}

/** In a direct chat, whose members are the same for ever. */
async function findOther({ actor, tx }: CommandContext, chatId: string): Promise<string> {
  const found = await readChat(tx, chatId);
  if (!found?.members.some(({ userId }) => userId === actor.userId)) throw noSuchChat();
  const other = found.members.find(({ userId }) => userId !== actor.userId);
  if (found.type === 'group' || other === undefined)
    throw invalidRecipient('Say to which member of the group');
  return other.userId;
}

const invalidRecipient = (message: string) =>
  new AppError('invalid', 'An offer is made to another member of the chat.', {
    fields: [{ path: '/recipientId', message }],
  });
