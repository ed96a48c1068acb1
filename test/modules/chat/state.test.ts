// `apply`, event by event. That it agrees with the server is the law, in law.test.ts.

import { expect, test } from 'bun:test';
import type { Message } from '../../../src/modules/chat/contract.ts';
import { apply, type ChatState } from '../../../src/modules/chat/state.ts';

const at = (second: number) => `2026-11-21T09:30:${String(second).padStart(2, '0')}.000Z`;

const message = (seq: number, change: Partial<Message> = {}): Message => ({
  id: `message ${seq}`,
  chatId: 'chat',
  seq,
  senderId: 'ann',
  content: `content ${seq}`,
  messageType: 'text',
  metadata: null,
  replyTo: null,
  mentions: [],
  replyCount: 0,
  reactions: [],
  createdAt: at(seq),
  editedAt: null,
  deletedAt: null,
  ...change,
});

const state: ChatState = {
  chat: { id: 'chat', type: 'group', name: 'Club', createdBy: 'ann', createdAt: at(1), updatedAt: at(1) },
  members: [
    { userId: 'ann', role: 'admin', joinedAt: at(1) },
    { userId: 'cid', role: 'member', joinedAt: at(3) },
  ],
  messages: [message(1), message(2)],
  readPositions: { ann: 2, cid: 0 },
};

test('a new message comes behind the others', () => {
  const next = apply(state, { type: 'message.created', payload: message(4) });
  expect(next).toEqual({ ...state, messages: [message(1), message(2), message(4)] });
});

test('only the newest 50 messages are kept', () => {
  let next = state;
  for (let seq = 3; seq <= 60; seq += 1)
    next = apply(next, { type: 'message.created', payload: message(seq) });
  expect(next.messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, n) => n + 11));
});

test.each(['message.edited', 'message.deleted'])('%s changes the message in its place', (type) => {
  const changed = message(1, { content: 'other', metadata: { a: 1 }, editedAt: at(9) });
  expect(apply(state, { type, payload: changed })).toEqual({ ...state, messages: [changed, message(2)] });
});

test('an edit that another change followed changes nothing: that one says it all', () => {
  expect(apply(state, { type: 'message.edited', payload: message(1, { content: null }) })).toBe(state);
});

test('a change of a message that is no longer kept changes nothing', () => {
  expect(apply(state, { type: 'message.edited', payload: message(0) })).toEqual(state);
});

test('a read position is that user’s', () => {
  const next = apply(state, { type: 'message.read', payload: { positions: { cid: 2 } } });
  expect(next).toEqual({ ...state, readPositions: { ann: 2, cid: 2 } });
});

test('who joins is placed by the time of joining, then by id, as clocks differ between instances', () => {
  const join = (userId: string, second: number) =>
    apply(state, {
      type: 'member.joined',
      payload: { userId, role: 'member', joinedAt: at(second), lastReadSeq: 7 },
    });
  expect(join('bob', 5).members.map(({ userId }) => userId)).toEqual(['ann', 'cid', 'bob']);
  expect(join('bob', 2).members.map(({ userId }) => userId)).toEqual(['ann', 'bob', 'cid']);
  expect(join('bob', 3).members.map(({ userId }) => userId)).toEqual(['ann', 'bob', 'cid']);
  expect(join('bob', 5).members.at(-1)).toEqual({ userId: 'bob', role: 'member', joinedAt: at(5) });
  expect(join('bob', 5).readPositions).toEqual({ ann: 2, cid: 0, bob: 7 });
});

test('a role changes in place', () => {
  const next = apply(state, { type: 'member.updated', payload: { userId: 'cid', role: 'admin' } });
  expect(next.members).toEqual([
    { userId: 'ann', role: 'admin', joinedAt: at(1) },
    { userId: 'cid', role: 'admin', joinedAt: at(3) },
  ]);
});

test('who left is neither a member nor has a read position', () => {
  const next = apply(state, { type: 'member.left', payload: { userId: 'ann', removedBy: null } });
  expect(next.members).toEqual([{ userId: 'cid', role: 'member', joinedAt: at(3) }]);
  expect(next.readPositions).toEqual({ cid: 0 });
});

test('a renamed chat has its new name', () => {
  const chat = { ...state.chat, name: 'Film club', updatedAt: at(9) };
  expect(apply(state, { type: 'chat.updated', payload: chat })).toEqual({ ...state, chat });
});

test.each(['typing', 'presence.joined', 'offer.created', 'unheard.of', '__proto__'])(
  '%s changes nothing',
  (type) => {
    expect(apply(state, { type, payload: { userId: 'ann' } })).toBe(state);
  },
);
