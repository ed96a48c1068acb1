// A frame for each command, in an order in which all of them succeed. The document has no command that is not here, or the
// test that walks it fails.

import type { TestUser } from '../support/api.ts';

/** A frame from Ann, or from Ben. */
export interface Step {
  readonly type: string;
  readonly topic?: string;
  readonly payload?: (made: Made) => object;
  readonly by?: 'ben';
}

export interface Made {
  chatId: string;
  messageId: string;
  pollId: string;
  offerId: string;
  campaignId: string;
  computerId: string;
  targetComputerId: string;
  playerId: string;
  hackId: string;
  kingdomId: string;
  settlementId: string;
  structureId: string;
  jobId: string;
  leaseId: string;
  ann: TestUser;
  ben: TestUser;
  seq: number;
}

const topic = 'app:public.lobby';
const terms = { title: 'A lamp', amount: '5', currency: 'EUR' };
const hack = ({ targetComputerId }: Made) => ({
  targetComputerId,
  type: 'bruteforce',
  tools: ['port-scanner'],
});
const offer = ({ chatId, ben }: Made) => ({ chatId, recipientId: ben.id, ...terms });
const leased = ({ jobId, leaseId }: Made) => ({ jobId, leaseId });
export const steps: readonly Step[] = [
  { type: 'ping' },
  { type: 'auth', payload: ({ ann }) => ({ token: ann.accessToken }) },
  { type: 'subscribe', topic },
  { type: 'presence.list', topic },
  { type: 'publish', topic, payload: () => ({ event: 'cursor.moved', data: { x: 1 } }) },
  { type: 'publish', topic, payload: () => ({ event: 'cursor.kept', data: null, durable: true }) },
  { type: 'topic.events', topic },
  { type: 'unsubscribe', topic },
  { type: 'user.me' },
  { type: 'user.update', payload: () => ({ name: 'Anna' }) },
  { type: 'user.get', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'user.find', payload: ({ ben }) => ({ ids: ben.id }) },
  { type: 'presence.get', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'presence.find', payload: ({ ben }) => ({ users: ben.id }) },
  { type: 'session.list' },
  { type: 'chat.create', payload: () => ({ type: 'group', name: 'Book club', participantIds: [] }) },
  { type: 'subscribe' }, // to the chat
  { type: 'chat.list' },
  { type: 'chat.unread' },
  { type: 'chat.get', payload: ({ chatId }) => ({ chatId }) },
  { type: 'chat.rename', payload: ({ chatId }) => ({ chatId, name: 'Film club' }) },
  { type: 'member.add', payload: ({ chatId, ben }) => ({ chatId, userId: ben.id }) },
  { type: 'member.update', payload: ({ chatId, ben }) => ({ chatId, userId: ben.id, role: 'admin' }) },
  { type: 'message.send', payload: ({ chatId }) => ({ chatId, content: 'Hello!', metadata: { a: 1 } }) },
  { type: 'message.react', payload: ({ messageId }) => ({ messageId, emoji: '👍' }) },
  { type: 'chat.configure', payload: ({ chatId }) => ({ chatId, muted: 'mentions' }) },
  { type: 'block.add', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'block.list' },
  { type: 'block.remove', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'message.list', payload: ({ chatId }) => ({ chatId, limit: 5 }) },
  { type: 'message.get', payload: ({ chatId, messageId }) => ({ chatId, messageId }) },
  { type: 'message.search', payload: ({ chatId }) => ({ q: 'hello', chat: chatId }) },
  { type: 'message.edit', payload: ({ messageId }) => ({ messageId, content: 'Hello' }) },
  { type: 'message.read', payload: ({ chatId, seq }) => ({ chatId, seq }) },
  { type: 'campaign.create', payload: () => ({ name: 'The long winter' }) },
  { type: 'user.update', payload: () => ({ name: 'Annabel' }) }, // in a chat and a campaign by now
  { type: 'typing', payload: ({ chatId }) => ({ chatId, active: true }) },
  { type: 'message.delete', payload: ({ messageId }) => ({ messageId }) },
  { type: 'offer.create', payload: offer },
  { type: 'offer.get', payload: ({ offerId }) => ({ offerId }) },
  {
    type: 'offer.update',
    by: 'ben',
    payload: ({ offerId }) => ({ offerId, action: 'counter', counter: { amount: '4' } }),
  },
  { type: 'offer.update', payload: ({ offerId }) => ({ offerId, action: 'accept' }) },
  { type: 'offer.create', payload: offer },
  { type: 'offer.update', by: 'ben', payload: ({ offerId }) => ({ offerId, action: 'reject' }) },
  { type: 'offer.create', payload: offer },
  { type: 'offer.update', payload: ({ offerId }) => ({ offerId, action: 'withdraw' }) },
  { type: 'offer.list', payload: ({ chatId }) => ({ chatId }) },
  { type: 'offer.mine', payload: () => ({ status: 'accepted' }) },
  { type: 'offer.create', payload: offer }, // which expires
  { type: 'member.remove', payload: ({ chatId, ben }) => ({ chatId, userId: ben.id }) },
  { type: 'campaign.list' },
  { type: 'campaign.get', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'campaign.update', payload: ({ campaignId }) => ({ campaignId, version: 1, description: 'Cold' }) },
  { type: 'campaign.time.advance', payload: ({ campaignId }) => ({ campaignId, advanceSeconds: 60 }) },
  { type: 'campaign.member.add', payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id }) },
  { type: 'campaign.member.list', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'campaign.member.get', payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id }) },
  {
    type: 'campaign.member.update',
    payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id, role: 'editor' }),
  },
  { type: 'campaign.member.remove', payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id }) },
  { type: 'kingdom.create', payload: ({ campaignId }) => ({ campaignId, name: 'Northmark' }) },
  { type: 'kingdom.list', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'kingdom.get', payload: ({ kingdomId }) => ({ kingdomId }) },
  { type: 'kingdom.update', payload: ({ kingdomId }) => ({ kingdomId, version: 1, name: 'Southmark' }) },
  {
    type: 'settlement.create',
    payload: ({ kingdomId }) => ({
      kingdomId,
      name: 'Harrow',
      variables: { mayor: 'Ada' },
      variableSchemas: [
        { name: 'mayor', type: 'enum', options: ['Ada', 'Bo'] },
        { name: 'population', type: 'number', min: 0 },
      ],
    }),
  },
  { type: 'settlement.list', payload: ({ kingdomId }) => ({ kingdomId }) },
  { type: 'settlement.get', payload: ({ settlementId }) => ({ settlementId }) },
  {
    type: 'settlement.update',
    payload: ({ settlementId }) => ({ settlementId, version: 1, variables: { population: 90.5 } }),
  },
  { type: 'structure.create', payload: ({ settlementId }) => ({ settlementId, name: 'Keep', type: 'keep' }) },
  { type: 'structure.list', payload: ({ settlementId }) => ({ settlementId }) },
  { type: 'structure.get', payload: ({ structureId }) => ({ structureId }) },
  { type: 'structure.update', payload: ({ structureId }) => ({ structureId, version: 1, level: 3 }) },
  { type: 'campaign.tree', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'structure.delete', payload: ({ structureId }) => ({ structureId }) },
  { type: 'settlement.delete', payload: ({ settlementId }) => ({ settlementId }) },
  { type: 'kingdom.delete', payload: ({ kingdomId }) => ({ kingdomId }) },
  { type: 'campaign.owner.change', payload: ({ campaignId, ann }) => ({ campaignId, userId: ann.id }) },
  { type: 'campaign.delete', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'player.create', by: 'ben', payload: () => ({ handle: 'ben' }) },
  { type: 'player.create', payload: () => ({ handle: 'ann' }) },
  { type: 'player.state' },
  { type: 'player.list', payload: () => ({ sort: 'xp' }) },
  { type: 'player.get', payload: ({ playerId }) => ({ playerId }) },
  { type: 'computer.scan' },
  { type: 'computer.buy', payload: () => ({ name: 'Garage' }) },
  { type: 'computer.get', payload: ({ targetComputerId }) => ({ computerId: targetComputerId }) },
  { type: 'defense.install', payload: ({ computerId }) => ({ computerId, type: 'ids' }) },
  { type: 'unlock.list' },
  { type: 'unlock.buy', payload: () => ({ key: 'networking' }) },
  { type: 'hack.start', payload: hack },
  { type: 'hack.list', payload: () => ({ role: 'attacker' }) },
  { type: 'hack.get', payload: ({ hackId }) => ({ hackId }) },
  { type: 'hack.abort', payload: ({ hackId }) => ({ hackId }) },
  { type: 'hack.start', payload: hack }, // which succeeds
  {
    type: 'hack.start',
    by: 'ben',
    payload: ({ computerId }) => ({ targetComputerId: computerId, type: 'ddos' }),
  }, // fails
  { type: 'job.create', payload: () => ({ type: 'a', payload: { n: [1] } }) },
  { type: 'job.list', payload: () => ({ status: 'queued', type: 'a' }) },
  { type: 'job.get', payload: ({ jobId }) => ({ jobId }) },
  { type: 'job.progress', payload: (made) => ({ ...leased(made), current: 1, total: 2, message: 'Half' }) },
  { type: 'job.complete', payload: (made) => ({ ...leased(made), result: 'done' }) },
  { type: 'job.create', payload: () => ({ type: 'a', payload: null }) },
  { type: 'job.fail', payload: (made) => ({ ...leased(made), error: 'No.' }) },
  { type: 'job.cancel', payload: ({ jobId }) => ({ jobId }) },
  { type: 'job.retry', payload: ({ jobId }) => ({ jobId }) },
  { type: 'admin.job.list', payload: () => ({ type: 'a' }) },
  { type: 'poll.create', payload: () => ({ question: 'Tea?', options: ['Yes', 'No'] }) },
  { type: 'poll.vote', payload: ({ pollId }) => ({ pollId, option: 0 }) },
  { type: 'poll.get', payload: ({ pollId }) => ({ pollId }) },
  { type: 'admin.user.list' },
  { type: 'admin.audit.list', payload: () => ({ limit: 1 }) },
  { type: 'admin.user.update', payload: ({ ben }) => ({ userId: ben.id, role: 'worker', disabled: true }) },
  { type: 'session.revoke', payload: ({ ann }) => ({ sessionId: ann.sessionId }) },
  { type: 'session.logout' },
];
