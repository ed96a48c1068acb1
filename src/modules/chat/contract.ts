// What goes over the wire: inputs of routes and commands, outputs, and the payload of every event. Browser-safe.

import { type Static, Type } from '@sinclair/typebox';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import { Id, Instant, line, nullable, textWithout } from '../../protocol/values.ts';

const strict = { additionalProperties: false };
const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

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
export const ChatFace = Type.Object(face);
export type ChatFace = Static<typeof ChatFace>;

export const Member = Type.Object({ userId: Id, role: MemberRole, joinedAt: Instant, lastReadSeq: Seq });
export type Member = Static<typeof Member>;

/** Members: those who joined first come first. */
export const Chat = Type.Object({ ...face, members: Type.Array(Member) });
export type Chat = Static<typeof Chat>;

export const Message = Type.Object({
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
});
export type Message = Static<typeof Message>;

export const ChatListItem = Type.Object({
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
});
export type ChatListItem = Static<typeof ChatListItem>;

export const ChatPage = pageOf(ChatListItem);

/** Ascending by seq. `nextCursor` is the next `after` where that was given, else the next `before`; null at the end. */
export const MessagePage = pageOf(Message);

export const ReadPosition = Type.Object({ chatId: Id, userId: Id, lastReadSeq: Seq });
export type ReadPosition = Static<typeof ReadPosition>;

export const Departure = Type.Object({ chatId: Id, userId: Id });
export type Departure = Static<typeof Departure>;

// Inputs of the routes

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

export const RenameChat = Type.Object({ name: Name }, strict);
export const AddMember = Type.Object({ userId: Id }, strict);
export const ChangeRole = Type.Object({ role: MemberRole }, strict);

const message = {
  content: Content,
  replyTo: Type.Optional(Id),
  metadata: Type.Optional(Metadata),
};
export const SendMessageBody = Type.Object(message, strict);
export const EditMessageBody = Type.Object({ content: Content }, strict);
export const ReadBody = Type.Object({ seq: Seq }, strict);

export const ChatsQuery = Type.Object(pageQuery, strict);

export const MessagesQuery = Type.Object(
  { before: Type.Optional(Seq), after: Type.Optional(Seq), limit: pageQuery.limit },
  strict,
);
export type MessagesQuery = Static<typeof MessagesQuery>;

export const ChatParams = Type.Object({ id: Id });
export const MemberParams = Type.Object({ id: Id, userId: Id });
export const MessageParams = Type.Object({ id: Id, messageId: Id });

// Inputs of the commands

export const SendMessage = Type.Object({ chatId: Id, ...message }, strict);
export type SendMessage = Static<typeof SendMessage>;

export const EditMessage = Type.Object(
  { messageId: Id, content: Content, chatId: Type.Optional(Id) },
  strict,
);
export type EditMessage = Static<typeof EditMessage>;

export const DeleteMessage = Type.Object({ messageId: Id, chatId: Type.Optional(Id) }, strict);
export type DeleteMessage = Static<typeof DeleteMessage>;

export const ReadMessages = Type.Object({ chatId: Id, seq: Seq }, strict);
export type ReadMessages = Static<typeof ReadMessages>;

export const Typing = Type.Object({ chatId: Id, active: Type.Boolean() }, strict);
export type Typing = Static<typeof Typing>;

// Events

/** Durable, on `chat:<id>`. */
export const chatEvents = {
  'message.created': Message,
  'message.edited': Message,
  'message.deleted': Message,
  'message.read': Type.Object({ userId: Id, seq: Seq }),
  'member.joined': Member,
  'member.updated': Type.Object({ userId: Id, role: MemberRole }),
  'member.left': Type.Object({ userId: Id, removedBy: nullable(Id) }),
  'chat.updated': ChatFace,
};

/** Durable, on `user:<id>`. */
export const userEvents = {
  'chat.added': Type.Object({
    chatId: Id,
    type: ChatType,
    name: Type.String({ description: "The other member's name when direct" }),
  }),
  'chat.removed': Type.Object({ chatId: Id }),
};

/** Ephemeral: `typing` on `chat:<id>`, `message.notified` on `user:<id>`. */
export const liveEvents = {
  typing: Type.Object({ chatId: Id, userId: Id, active: Type.Boolean() }),
  'message.notified': Type.Object({
    chatId: Id,
    messageId: Id,
    senderName: Type.String(),
    preview: Type.String({ description: `The first ${previewLength} characters` }),
    unreadCount: Type.Integer({ minimum: 0 }),
  }),
};

/** Every event of this module by its type. */
export const events = { ...chatEvents, ...userEvents, ...liveEvents };

export type ChatEvents = { [Type in keyof typeof chatEvents]: Static<(typeof chatEvents)[Type]> };
export type UserEvents = { [Type in keyof typeof userEvents]: Static<(typeof userEvents)[Type]> };
export type LiveEvents = { [Type in keyof typeof liveEvents]: Static<(typeof liveEvents)[Type]> };
