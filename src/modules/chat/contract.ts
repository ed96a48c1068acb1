// What goes over the wire: inputs, outputs, the table of events and the state. Browser-safe.

import { type Static, Type } from '@sinclair/typebox';
import { type DurableEvent, durable, ephemeral } from '../../protocol/events.ts';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import { Id, Instant, line, nullable, textWithout } from '../../protocol/values.ts';

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

/** A group of more members than this is no place for a conversation. */
export const maxMembers = 1_000;
/** Above this many members nobody is told of messages outside the chat's own topic. */
export const maxNotifiedMembers = 200;
/** How much of a message a preview shows, in characters. */
export const previewLength = 100;
/** How many messages a snapshot holds. */
export const snapshotMessages = 50;

// Like any text, and of the control characters only tab, line feed and carriage return.
const contentPattern = `^${textWithout('\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f')}`;

const Name = Type.String({ minLength: 1, maxLength: 100, ...line, examples: ['Book club'] });
const Content = Type.String({
  minLength: 1,
  maxLength: 10_000,
  pattern: contentPattern,
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

export const Message = Type.Object(
  {
    id: Id,
    chatId: Id,
    seq: Seq,
    senderId: Id,
    content: nullable(Type.String({ description: 'Null once deleted' })),
    messageType: MessageType,
    metadata: nullable(Metadata),
    replyTo: nullable(Id),
    createdAt: Instant,
    editedAt: nullable(Instant),
    deletedAt: nullable(Instant),
  },
  { title: 'Message' },
);
export type Message = Static<typeof Message>;

export const ChatListItem = Type.Object(
  {
    id: Id,
    type: ChatType,
    name: nullable(Type.String({ description: "The other member's name when direct" })),
    /** Always there: a chat begins with a message of the system. */
    lastMessage: Type.Object({
      id: Id,
      seq: Seq,
      senderId: Id,
      messageType: MessageType,
      preview: nullable(
        Type.String({ description: `The first ${previewLength} characters; null once deleted` }),
      ),
      createdAt: Instant,
    }),
    unreadCount: Type.Integer({ minimum: 0 }),
    memberCount: Type.Integer({ minimum: 0 }),
  },
  { title: 'ChatListItem' },
);
export type ChatListItem = Static<typeof ChatListItem>;

export const ChatPage = pageOf(ChatListItem, 'ChatPage');

/** Ascending by seq. `nextCursor` is the next `after` where that was given, else the next `before`; null at the end. */
export const MessagePage = pageOf(Message);

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

export const ListChats = Type.Object(pageQuery, strict);
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
    limit: pageQuery.limit,
  },
  strict,
);

export const SendMessage = Type.Object(
  { chatId: Id, content: Content, replyTo: Type.Optional(Id), metadata: Type.Optional(Metadata) },
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

export const Typing = Type.Object({ chatId: Id, active: Type.Boolean() }, strict);
export type Typing = Static<typeof Typing>;

// Events

export const events = {
  'message.created': durable(['chat'], Message),
  'message.edited': durable(['chat'], Message),
  'message.deleted': durable(['chat'], Message),
  'message.read': durable(['chat'], Type.Object({ userId: Id, seq: Seq })),
  'member.joined': durable(['chat'], Member),
  'member.updated': durable(['chat'], Type.Object({ userId: Id, role: MemberRole })),
  'member.left': durable(['chat'], Type.Object({ userId: Id, removedBy: nullable(Id) })),
  'chat.updated': durable(['chat'], ChatFace),
  'chat.added': durable(
    ['user'],
    Type.Object({
      chatId: Id,
      type: ChatType,
      name: Type.String({ description: "The other member's name when direct" }),
    }),
  ),
  'chat.removed': durable(['user'], Type.Object({ chatId: Id })),
  typing: ephemeral(['chat'], Type.Object({ chatId: Id, userId: Id, active: Type.Boolean() })),
  'message.notified': ephemeral(
    ['user'],
    Type.Object({
      chatId: Id,
      messageId: Id,
      senderName: Type.String(),
      preview: Type.String({ description: `The first ${previewLength} characters` }),
      unreadCount: Type.Integer({ minimum: 0 }),
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
