// How often members may do what everybody in a chat is told of.

import type { RateLimit } from '../../realtime/index.ts';

/** Whatever a chat keeps: a message, its edit or deletion, a new name, who is let in or put out. */
export const messagesPerMinute: RateLimit = {
  name: 'messages',
  points: ({ messagesPerMinute }) => messagesPerMinute,
  seconds: 60,
};

/** A read position that is to be written, ten times as often as a message. */
export const readsPerMinute: RateLimit = {
  name: 'read positions',
  points: ({ messagesPerMinute }) => 10 * messagesPerMinute,
  seconds: 60,
};

/**
 * What concerns oneself alone: mutes, hidden chats, blocks. As often as messages, but counted apart: whoever has said all
 * they may can still block the one who annoys them.
 */
export const settingsPerMinute: RateLimit = {
  name: 'settings',
  points: ({ messagesPerMinute }) => messagesPerMinute,
  seconds: 60,
};

/** A new chat, whose members are not asked. */
export const chatsPerHour: RateLimit = {
  name: 'chats',
  points: ({ chatsPerHour }) => chatsPerHour,
  seconds: 3_600,
};
