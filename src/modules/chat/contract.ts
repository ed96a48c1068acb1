// What goes over the wire: inputs, outputs, the table of events and the state. Browser-safe.
// Over 400 lines: it is a list, and one file is what a client of the module loads.

import { type Static, Type } from '@sinclair/typebox';
import { type DurableEvent, durable, ephemeral } from '../../protocol/events.ts';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import {
  exampleId,
  Id,
  Instant,
  instantPattern,
  line,
  nullable,
  Profile,
  prosePattern,
} from '../../protocol/values.ts';
import { maxNamedUsers } from './bounds.ts';

export * from './bounds.ts';

/** For whoever cannot load the kind of topic: it names the same. */
export const chatTopic = (chatId: string): string => `chat:${chatId}`;

const strict = { additionalProperties: false };
const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const seqWith = (description: string) => Type.Integer({ ...Seq, description });

export const ChatType = Type.Union([Type.Literal('group'), Type.Literal('direct')]);
export type ChatType = Static<typeof ChatType>;

export const MemberRole = Type.Union([Type.Literal('admin'), Type.Literal('member')]);
export type MemberRole = Static<typeof MemberRole>;

export const MessageType = Type.Union([Type.Literal('text'), Type.Literal('system'), Type.Literal('offer')]);
export type MessageType = Static<typeof MessageType>;

export const maxMetadataBytes = 4_096;
export const Metadata = Type.Record(Type.String(), Type.Unknown(), {
  description: `Any JSON object of up to ${maxMetadataBytes} bytes as JSON in UTF-8`,
});
export type Metadata = Static<typeof Metadata>;

/** What a member is not told of: nothing is muted; all but mentions; all. */
export const Muted = Type.Union([Type.Literal('none'), Type.Literal('mentions'), Type.Literal('all')], {
  description:
    'Of what the member is told outside of the chat: `none` is muted, all but `mentions`, `all` is muted',
});
export type Muted = Static<typeof Muted>;

/** A group of more members than this is no place for a conversation. */
export const maxMembers = 1_000;
/** Above this many members only those who are mentioned are told of messages outside the chat's own topic. */
export const maxNotifiedMembers = 200;
/** How much of a message a preview shows, in characters. */
export const previewLength = 100;
/** How many users one may block. */
export const maxBlocks = 1_000;
/** How many members a message may mention. */
export const maxMentions = 50;

const Name = Type.String({ minLength: 1, maxLength: 100, ...line, examples: ['Book club'] });
const Content = Type.String({
  minLength: 1,
  maxLength: 10_000,
  pattern: prosePattern,
  description:
    'Text, never HTML, kept as written. Its length counts UTF-16 units. Of the control characters only tab, line feed ' +
    'and carriage return are allowed.',
  examples: ['Hello!'],
});

// Outputs

const face = {
  id: Id,
  type: ChatType,
  name: nullable(Type.String({ description: 'Null for a direct chat' })),
  createdBy: Id,
  createdAt: Instant,
  updatedAt: Instant,
};
/** A chat without its members. */
export const ChatFace = Type.Object(face, { title: 'ChatFace' });
export type ChatFace = Static<typeof ChatFace>;

export const Member = Type.Object(
  { userId: Id, role: MemberRole, joinedAt: Instant, lastReadSeq: Seq },
  { title: 'Member' },
);
export type Member = Static<typeof Member>;

/** Members: those who joined first come first. */
export const Chat = Type.Object({ ...face, members: Type.Array(Member) }, { title: 'Chat' });
export type Chat = Static<typeof Chat>;

const message = {
  id: Id,
  chatId: Id,
  seq: Seq,
  senderId: Id,
  content: nullable(
    Type.String({
      description: 'Null once deleted, and in a replayed `message.edited` that another change followed',
    }),
  ),
  messageType: MessageType,
  metadata: nullable(Metadata),
  replyTo: nullable(Id),
  mentions: Type.Array(Id, { description: 'Members whom it names' }),
  replyCount: Type.Integer({
    minimum: 0,
    description: 'How many messages are replies to it, deleted ones too',
  }),
  createdAt: Instant,
  editedAt: nullable(Instant),
  deletedAt: nullable(Instant),
};
const reaction = { emoji: Type.String(), count: Type.Integer({ minimum: 1 }) };

/** An emoji on a message as everyone sees it. */
export const Reaction = Type.Object(
  {
    ...reaction,
    userIds: Type.Array(Id, { description: `Up to ${maxNamedUsers} of those who reacted so` }),
  },
  { title: 'Reaction' },
);
export type Reaction = Static<typeof Reaction>;

/** A message as everyone sees it: in events, in snapshots, and in what changes it. Emojis in the order of their coming. */
export const Message = Type.Object({ ...message, reactions: Type.Array(Reaction) }, { title: 'Message' });
export type Message = Static<typeof Message>;

/** A message as one member sees it: in lists. */
export const ListedMessage = Type.Object(
  {
    ...message,
    reactions: Type.Array(
      Type.Object(
        { ...reaction, mine: Type.Boolean({ description: 'Whether I am among them' }) },
        { title: 'ListedReaction' },
      ),
    ),
  },
  { title: 'ListedMessage' },
);
export type ListedMessage = Static<typeof ListedMessage>;

export const ChatListItem = Type.Object(
  {
    id: Id,
    type: ChatType,
    name: nullable(Type.String({ description: "The other member's name when direct" })),
    otherUser: Type.Union([Profile, Type.Null()], { description: 'Of a direct chat; null for a group' }),
    /** Always there: a chat begins with a message of the system. */
    lastMessage: Type.Object({
      id: Id,
      seq: Seq,
      senderId: Id,
      senderName: Type.String(),
      messageType: MessageType,
      preview: nullable(
        Type.String({ description: `The first ${previewLength} characters; null once deleted` }),
      ),
      createdAt: Instant,
    }),
    lastReadSeq: Seq,
    unreadCount: Type.Integer({ minimum: 0 }),
    mentions: Type.Integer({ minimum: 0, description: 'How many of the unread messages mention me' }),
    memberCount: Type.Integer({ minimum: 0 }),
    muted: Muted,
    mutedUntil: nullable(Instant),
  },
  { title: 'ChatListItem' },
);
export type ChatListItem = Static<typeof ChatListItem>;

export const ChatPage = pageOf(ChatListItem, 'ChatPage');

/** Ascending by seq. `nextCursor` is the next `after` where that was given, else the next `before`; null at the end. */
export const MessagePage = pageOf(ListedMessage);

/** Over all my chats. */
export const UnreadCounts = Type.Object(
  {
    chats: Type.Integer({ minimum: 0, description: 'How many have unread messages' }),
    messages: Type.Integer({ minimum: 0, description: 'How many those are' }),
    mentions: Type.Integer({ minimum: 0, description: 'How many of them mention me' }),
  },
  { title: 'UnreadCounts' },
);
export type UnreadCounts = Static<typeof UnreadCounts>;

export const Reacted = Type.Object(
  {
    messageId: Id,
    seq: seqWith("The message's"),
    emoji: Type.String(),
    userId: Id,
    removed: Type.Boolean(),
    count: Type.Integer({ minimum: 0, description: 'How many have reacted so now' }),
  },
  { title: 'Reacted' },
);
export type Reacted = Static<typeof Reacted>;

/** How a member has set up a chat for themselves. */
export const ChatSettings = Type.Object(
  {
    chatId: Id,
    muted: Muted,
    mutedUntil: nullable(Type.String({ ...Instant, description: 'ISO 8601; null: for ever' })),
    hidden: Type.Boolean(),
  },
  { title: 'ChatSettings' },
);
export type ChatSettings = Static<typeof ChatSettings>;

export const Block = Type.Object({ userId: Id, createdAt: Instant }, { title: 'Block' });
export type Block = Static<typeof Block>;
export const Unblocked = Type.Object({ userId: Id }, { title: 'Unblocked' });
export const BlockPage = pageOf(Block, 'BlockPage');

export const ReadPosition = Type.Object(
  { chatId: Id, userId: Id, lastReadSeq: Seq },
  { title: 'ReadPosition' },
);
export type ReadPosition = Static<typeof ReadPosition>;

export const Departure = Type.Object({ chatId: Id, userId: Id }, { title: 'Departure' });
export type Departure = Static<typeof Departure>;

// Inputs

export const CreateChat = Type.Union([
  Type.Object(
    { type: Type.Literal('group'), name: Name, participantIds: Type.Array(Id, { maxItems: 199 }) },
    strict,
  ),
  Type.Object(
    { type: Type.Literal('direct'), participantIds: Type.Array(Id, { minItems: 1, maxItems: 1 }) },
    strict,
  ),
]);
export type CreateChat = Static<typeof CreateChat>;

export const ListChats = Type.Object(
  {
    ...pageQuery,
    hidden: Type.Optional(
      Type.Union([Type.Literal('only'), Type.Literal('too')], {
        description: 'Chats that I have hidden: `only` these, or these `too`; else they are left out',
      }),
    ),
  },
  strict,
);
export const CountUnread = Type.Object({}, strict);
export const GetChat = Type.Object({ chatId: Id }, strict);
export const RenameChat = Type.Object({ chatId: Id, name: Name }, strict);

export const AddMember = Type.Object({ chatId: Id, userId: Id }, strict);
export const ChangeRole = Type.Object({ chatId: Id, userId: Id, role: MemberRole }, strict);
export const RemoveMember = Type.Object({ chatId: Id, userId: Id }, strict);

export const ListMessages = Type.Object(
  {
    chatId: Id,
    before: Type.Optional(seqWith('Only those with a lower seq')),
    after: Type.Optional(seqWith('Only those with a higher seq')),
    around: Type.Optional(seqWith('Those next to this seq on both sides, and the one there')),
    replyTo: Type.Optional(Type.String({ ...Id, description: 'Only replies to this message' })),
    limit: pageQuery.limit,
  },
  strict,
);

export const SendMessage = Type.Object(
  {
    chatId: Id,
    content: Content,
    replyTo: Type.Optional(Id),
    mentions: Type.Optional(
      Type.Array(Id, { maxItems: maxMentions, description: 'Members whom the message names' }),
    ),
    metadata: Type.Optional(Metadata),
  },
  strict,
);
export type SendMessage = Static<typeof SendMessage>;

export const EditMessage = Type.Object(
  { messageId: Id, content: Content, chatId: Type.Optional(Id) },
  strict,
);
export const DeleteMessage = Type.Object({ messageId: Id, chatId: Type.Optional(Id) }, strict);
export const ReadMessages = Type.Object(
  { chatId: Id, seq: seqWith('Everything up to this seq is read') },
  strict,
);

export const GetMessage = Type.Object({ chatId: Id, messageId: Id }, strict);

export const maxEmojiBytes = 32;
const Emoji = Type.String({
  minLength: 1,
  maxLength: maxEmojiBytes,
  description: `One emoji, of up to ${maxEmojiBytes} bytes in UTF-8`,
  examples: ['👍'],
});
export const ReactToMessage = Type.Object(
  {
    messageId: Id,
    emoji: Emoji,
    remove: Type.Optional(Type.Boolean({ description: 'Take my reaction back' })),
    chatId: Type.Optional(Id),
  },
  strict,
);
export type ReactToMessage = Static<typeof ReactToMessage>;

export const ReactionPath = Type.Object({ chatId: Id, messageId: Id, emoji: Emoji }, strict);

export const SearchMessages = Type.Object(
  {
    q: Type.String({ minLength: 1, maxLength: 200, ...line, examples: ['book'] }),
    chat: Type.Optional(Type.String({ ...Id, description: 'Only in this chat' })),
    ...pageQuery,
  },
  strict,
);

export const SetUpChat = Type.Object(
  {
    chatId: Id,
    muted: Type.Optional(Muted),
    mutedUntil: Type.Optional(
      nullable(
        Type.String({
          pattern: instantPattern,
          description: 'With `muted`, an instant ahead: ISO 8601 in UTC. Null or left out: for ever',
          examples: ['2036-11-21T09:30:00.000Z'],
        }),
      ),
    ),
    hidden: Type.Optional(
      Type.Boolean({
        description:
          'Out of my list of chats: a direct one until its next message, a group until I show it again',
      }),
    ),
  },
  { ...strict, minProperties: 2, examples: [{ chatId: exampleId, muted: 'mentions' }] },
);
export type SetUpChat = Static<typeof SetUpChat>;

export const ListBlocks = Type.Object(pageQuery, strict);
export const BlockUser = Type.Object({ userId: Id }, strict);

export const Typing = Type.Object({ chatId: Id, active: Type.Boolean() }, strict);
export type Typing = Static<typeof Typing>;

// Events

export const events = {
  'message.created': durable(['chat'], Message),
  'message.edited': durable(['chat'], Message),
  'message.deleted': durable(['chat'], Message),
  'message.reacted': durable(['chat'], Reacted),
  'message.read': durable(
    ['chat'],
    Type.Object({
      positions: Type.Record(Type.String(), Seq, {
        description: 'By user: the seq up to which they have read. Those who moved since the last one.',
      }),
    }),
  ),
  'member.joined': durable(['chat'], Member),
  'member.updated': durable(['chat'], Type.Object({ userId: Id, role: MemberRole })),
  'member.left': durable(['chat'], Type.Object({ userId: Id, removedBy: nullable(Id) })),
  'chat.updated': durable(['chat'], ChatFace),
  /** Of a member: one event with the one on `user:<id>`. */
  'profile.updated': durable(['chat'], Profile),
  'chat.added': durable(
    ['user'],
    Type.Object({
      chatId: Id,
      type: ChatType,
      name: Type.String({ description: "The other member's name when direct" }),
    }),
  ),
  'chat.removed': durable(['user'], Type.Object({ chatId: Id })),
  'chat.configured': durable(['user'], ChatSettings),
  'chat.read': ephemeral(
    ['user'],
    Type.Object({ chatId: Id, lastReadSeq: Seq, unreadCount: Type.Integer({ minimum: 0 }) }),
  ),
  typing: ephemeral(['chat'], Type.Object({ chatId: Id, userId: Id, active: Type.Boolean() })),
  'message.notified': ephemeral(
    ['user'],
    Type.Object({
      chatId: Id,
      messageId: Id,
      senderName: Type.String(),
      preview: Type.String({ description: `The first ${previewLength} characters` }),
      unreadCount: Type.Integer({ minimum: 0 }),
      mention: Type.Boolean({ description: 'Whether it mentions me' }),
    }),
  ),
};
export type ChatEvent = DurableEvent<typeof events, 'chat'>;

// The state of a chat, as a snapshot holds it

export const ChatState = Type.Object(
  {
    chat: ChatFace,
    /** Those who joined first come first. */
    members: Type.Array(Type.Omit(Member, ['lastReadSeq'], { title: 'ChatStateMember' })),
    /** The newest ones, ascending by seq. */
    messages: Type.Array(Message),
    readPositions: Type.Record(Type.String(), Seq, {
      description: 'By user: the seq up to which they have read',
    }),
  },
  { title: 'ChatState' },
);
export type ChatState = Static<typeof ChatState>;
