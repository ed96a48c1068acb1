// The state of a chat as its subscribers see it, and how each event changes it. Pure and browser-safe.
// The law: apply over the events between two snapshots turns the first snapshot into the second.

import type { EventFrame } from '../../protocol/envelope.ts';
import { compare } from '../../protocol/order.ts';
import { maxNamedUsers, snapshotMessages } from './bounds.ts';
import type { ChatEvent, ChatState, Member, Message, Reaction } from './contract.ts';

export type { ChatState };

/** The state behind the event; the given state is left as it is. Other events on the topic change nothing here. */
export function apply(state: ChatState, frame: Pick<EventFrame, 'type' | 'payload'>): ChatState {
  const event = frame as ChatEvent; // the server's contract; whatever else comes falls through the switch
  switch (event.type) {
    case 'message.created': {
      const created = event.payload;
      const { messages } = withMessage(state, created.replyTo, (original) => ({
        ...original,
        replyCount: original.replyCount + 1,
      }));
      return { ...state, messages: [...messages, created].slice(-snapshotMessages) };
    }
    case 'message.edited': {
      const edited = event.payload;
      // Of an edit that was followed by another change the log has no more than its place: that one says it all. [O5]
      return edited.content === null ? state : withMessage(state, edited.id, () => edited);
    }
    case 'message.deleted': {
      const changed = event.payload;
      return withMessage(state, changed.id, () => changed);
    }
    case 'message.reacted': {
      const reacted = event.payload;
      return withMessage(state, reacted.messageId, (message) => ({
        ...message,
        reactions: react(message.reactions, reacted),
      }));
    }
    case 'message.read':
      return { ...state, readPositions: { ...state.readPositions, ...event.payload.positions } };
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

function withMessage(
  state: ChatState,
  messageId: string | null,
  change: (message: Message) => Message,
): ChatState {
  const messages = state.messages.map((message) => (message.id === messageId ? change(message) : message));
  return { ...state, messages };
}

type Reacted = Extract<ChatEvent, { type: 'message.reacted' }>['payload'];

/** Emojis stay where they came, and so do the users that they name; one that came when all places were taken has none. */
function react(reactions: readonly Reaction[], { emoji, userId, removed, count }: Reacted): Reaction[] {
  if (count === 0) return reactions.filter((reaction) => reaction.emoji !== emoji);
  const known = reactions.find((reaction) => reaction.emoji === emoji);
  const others = (known?.userIds ?? []).filter((id) => id !== userId);
  const userIds = removed || others.length === maxNamedUsers ? others : [...others, userId];
  const changed = { emoji, count, userIds };
  if (known === undefined) return [...reactions, changed];
  return reactions.map((reaction) => (reaction === known ? changed : reaction));
}

function withReadPosition(state: ChatState, userId: string, seq: number): ChatState {
  return { ...state, readPositions: { ...state.readPositions, [userId]: seq } };
}

type Joined = Pick<Member, 'userId' | 'joinedAt'>;

/** The order of the members in a snapshot too. Clocks of instances differ, so it is not the order of the events. */
function byJoining(a: Joined, b: Joined): number {
  return compare(a.joinedAt, b.joinedAt) || compare(a.userId, b.userId);
}
