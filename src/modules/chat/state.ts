// The state of a chat as its subscribers see it, and how each event changes it. Pure and browser-safe.
// The law: apply over the events between two snapshots turns the first snapshot into the second.

import type { EventFrame } from '../../protocol/envelope.ts';
import { type ChatEvent, type ChatState, type Member, snapshotMessages } from './contract.ts';

export type { ChatState };

/** The state behind the event; the given state is left as it is. Other events on the topic change nothing here. */
export function apply(state: ChatState, frame: Pick<EventFrame, 'type' | 'payload'>): ChatState {
  const event = frame as ChatEvent; // the server's contract; whatever else comes falls through the switch
  switch (event.type) {
    case 'message.created':
      return { ...state, messages: [...state.messages, event.payload].slice(-snapshotMessages) };
    case 'message.edited':
    case 'message.deleted': {
      const changed = event.payload;
      return {
        ...state,
        messages: state.messages.map((message) => (message.id === changed.id ? changed : message)),
      };
    }
    case 'message.read':
      return withReadPosition(state, event.payload.userId, event.payload.seq);
    case 'member.joined': {
      const { lastReadSeq, ...member } = event.payload;
      return withReadPosition(
        { ...state, members: [...state.members, member].sort(byJoining) },
        member.userId,
        lastReadSeq,
      );
    }
    case 'member.updated': {
      const { userId, role } = event.payload;
      return {
        ...state,
        members: state.members.map((member) => (member.userId === userId ? { ...member, role } : member)),
      };
    }
    case 'member.left': {
      const { [event.payload.userId]: _, ...readPositions } = state.readPositions;
      const members = state.members.filter((member) => member.userId !== event.payload.userId);
      return { ...state, members, readPositions };
    }
    case 'chat.updated':
      return { ...state, chat: event.payload };
    default:
      return state;
  }
}

function withReadPosition(state: ChatState, userId: string, seq: number): ChatState {
  return { ...state, readPositions: { ...state.readPositions, [userId]: seq } };
}

type Joined = Pick<Member, 'userId' | 'joinedAt'>;

/** The order of the members in a snapshot too. Clocks of instances differ, so it is not the order of the events. */
function byJoining(a: Joined, b: Joined): number {
  return compare(a.joinedAt, b.joinedAt) || compare(a.userId, b.userId);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
