// The messages of one chat as far as they are known: those of the topic's state, older ones that were loaded, and those that
// have left the state since. Pure. One place for each message, ascending by seq, without a hole between the first and the last.

import type { ListedMessage, Message, Reacted, Reaction } from '../../modules/chat/contract.ts';

export interface ShownReaction {
  readonly emoji: string;
  readonly count: number;
  readonly isMine: boolean;
}

export type ShownMessage = Omit<Message, 'reactions'> & { readonly reactions: readonly ShownReaction[] };

export interface Timeline {
  readonly messages: readonly ShownMessage[];
}

export const emptyTimeline: Timeline = { messages: [] };

/** A chat begins with a message of the system, the first event of its topic. */
export const isWhole = ({ messages }: Timeline): boolean => messages[0]?.seq === 1;

/** The newest messages as the topic's state has them. */
export function withState(timeline: Timeline, messages: readonly Message[], me: string): Timeline {
  return {
    messages: merge(
      timeline.messages,
      messages.map((message) => fromEvent(message, me)),
    ),
  };
}

/** A page of older ones. */
export function withOlder(timeline: Timeline, page: readonly ListedMessage[]): Timeline {
  return { messages: merge(page.map(fromList), timeline.messages) };
}

/** A message that was created, edited or deleted. */
export function withMessage(timeline: Timeline, message: Message, me: string): Timeline {
  const { messages } = timeline;
  const known = messages.find(({ id }) => id === message.id);
  const newest = messages.at(-1);
  if (known === undefined) {
    const isNext = newest === undefined || message.seq > newest.seq;
    return isNext ? { messages: [...countReply(messages, message), fromEvent(message, me)] } : timeline;
  }
  // Of an edit that was followed by another change the log has no more than its place. [O5]
  if (message.content === null && message.deletedAt === null) return timeline;
  return replace(timeline, message.id, () => fromEvent(message, me));
}

export function withReaction(timeline: Timeline, reacted: Reacted, me: string): Timeline {
  const { messageId, emoji, userId, removed, count } = reacted;
  return replace(timeline, messageId, (message) => {
    const known = message.reactions.find((reaction) => reaction.emoji === emoji);
    const isMine = userId === me ? !removed : (known?.isMine ?? false);
    const changed = { emoji, count, isMine };
    if (count === 0) {
      return { ...message, reactions: message.reactions.filter((reaction) => reaction !== known) };
    }
    const reactions =
      known === undefined
        ? [...message.reactions, changed]
        : message.reactions.map((reaction) => (reaction === known ? changed : reaction));
    return { ...message, reactions };
  });
}

/** Of two versions of a message the second one counts. */
function merge(first: readonly ShownMessage[], second: readonly ShownMessage[]): ShownMessage[] {
  const bySeq = new Map([...first, ...second].map((message) => [message.seq, message]));
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

function replace(timeline: Timeline, id: string, change: (message: ShownMessage) => ShownMessage): Timeline {
  const messages = timeline.messages.map((message) => (message.id === id ? change(message) : message));
  return { messages };
}

const countReply = (messages: readonly ShownMessage[], { replyTo }: Message): readonly ShownMessage[] =>
  replyTo === null
    ? messages
    : messages.map((message) =>
        message.id === replyTo ? { ...message, replyCount: message.replyCount + 1 } : message,
      );

function fromEvent(message: Message, me: string): ShownMessage {
  return { ...message, reactions: message.reactions.map((reaction) => fromReaction(reaction, me)) };
}

const fromReaction = ({ emoji, count, userIds }: Reaction, me: string): ShownReaction => ({
  emoji,
  count,
  isMine: userIds.includes(me),
});

function fromList(message: ListedMessage): ShownMessage {
  const reactions = message.reactions.map(({ emoji, count, mine }) => ({ emoji, count, isMine: mine }));
  return { ...message, reactions };
}
