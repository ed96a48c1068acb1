// The timeline of a chat: one place for each message, whichever way it came.

import { expect, test } from 'bun:test';
import {
  emptyTimeline,
  isWhole,
  type Timeline,
  withMessage,
  withOlder,
  withReaction,
  withState,
} from '../../src/console/chats/timeline.ts';
import type { Message } from '../../src/modules/chat/contract.ts';

const me = 'ann';
const at = '2026-11-21T12:00:00.000Z';

const message = (seq: number, change: Partial<Message> = {}): Message => ({
  id: `m${seq}`,
  chatId: 'c',
  seq,
  senderId: 'ben',
  content: `text ${seq}`,
  messageType: 'text',
  metadata: null,
  replyTo: null,
  mentions: [],
  replyCount: 0,
  createdAt: at,
  editedAt: null,
  deletedAt: null,
  reactions: [],
  ...change,
});
const listed = (seq: number) => ({ ...message(seq), reactions: [] });
const seqsOf = ({ messages }: Timeline) => messages.map(({ seq }) => seq);
const textOf = ({ messages }: Timeline, seq: number) => messages.find((one) => one.seq === seq)?.content;

test('messages of the state and older pages stand once each, ascending', () => {
  const begun = withState(emptyTimeline, [message(7), message(9)], me);
  expect(seqsOf(begun)).toEqual([7, 9]);
  expect(isWhole(begun)).toBe(false);
  const filled = withOlder(begun, [listed(1), listed(4), listed(7)]);
  expect(seqsOf(filled)).toEqual([1, 4, 7, 9]);
  expect(isWhole(filled)).toBe(true);
});

test('an event and the state that it led to are one message', () => {
  const begun = withState(emptyTimeline, [message(1)], me);
  const heard = withMessage(begun, message(2), me);
  expect(seqsOf(withState(heard, [message(1), message(2)], me))).toEqual([1, 2]);
  expect(seqsOf(withMessage(heard, message(2), me))).toEqual([1, 2]);
});

test('what has left the state stays, and goes on to be edited and deleted', () => {
  const begun = withState(emptyTimeline, [message(1), message(2)], me);
  const moved = withState(begun, [message(2), message(3)], me);
  expect(seqsOf(moved)).toEqual([1, 2, 3]);
  const edited = withMessage(moved, message(1, { content: 'better', editedAt: at }), me);
  expect(textOf(edited, 1)).toBe('better');
  const deleted = withMessage(edited, message(1, { content: null, deletedAt: at }), me);
  expect(textOf(deleted, 1)).toBeNull();
});

test('an edit whose text is gone from the log changes nothing', () => {
  const begun = withState(emptyTimeline, [message(1)], me);
  expect(textOf(withMessage(begun, message(1, { content: null, editedAt: at }), me), 1)).toBe('text 1');
});

test('a change of a message that is not known brings none', () => {
  const begun = withState(emptyTimeline, [message(5)], me);
  expect(seqsOf(withMessage(begun, message(3, { content: 'x', editedAt: at }), me))).toEqual([5]);
});

test('a reply is counted with the message that it replies to', () => {
  const begun = withState(emptyTimeline, [message(1)], me);
  const replied = withMessage(begun, message(2, { replyTo: 'm1' }), me);
  expect(replied.messages[0]?.replyCount).toBe(1);
});

test('reactions come, are one’s own, and go', () => {
  const reacted = { messageId: 'm1', seq: 1, emoji: '👍', removed: false };
  const begun = withState(emptyTimeline, [message(1)], me);
  const one = withReaction(begun, { ...reacted, userId: 'ben', count: 1 }, me);
  const two = withReaction(one, { ...reacted, userId: me, count: 2 }, me);
  const third = withReaction(two, { ...reacted, userId: 'cat', count: 3 }, me);
  expect(third.messages[0]?.reactions).toEqual([{ emoji: '👍', count: 3, isMine: true }]);
  const left = withReaction(third, { ...reacted, userId: me, removed: true, count: 2 }, me);
  expect(left.messages[0]?.reactions).toEqual([{ emoji: '👍', count: 2, isMine: false }]);
  const none = withReaction(left, { ...reacted, userId: 'ben', removed: true, count: 0 }, me);
  expect(none.messages[0]?.reactions).toEqual([]);
});
