// The chat module: conversations of two or of a group; and what it offers other modules, to say something in a chat.

import { defineModule } from '../../realtime/index.ts';
import { blockUser, hiding, listBlocks, unblockUser } from './blocks.ts';
import { createChat, getChat, renameChat } from './chats.ts';
import { events } from './contract.ts';
import { startFiller } from './filler.ts';
import { countUnreadChats, listChats } from './list.ts';
import { addMember, changeRole, leaveGroups, removeMember } from './members.ts';
import { deleteMessage, editMessage } from './messages.ts';
import { createNotices } from './notices.ts';
import { addReaction, reactToMessage, removeReaction } from './reactions.ts';
import { readMessages } from './read-positions.ts';
import { getMessage, listMessages } from './reading.ts';
import { searchMessages } from './search.ts';
import { sendMessage } from './sending.ts';
import { readSent } from './sent-audit.ts';
import { setUpChat } from './settings.ts';
import { chat, chatsAround } from './topics.ts';
import { typing } from './typing.ts';

export const chatModule = defineModule('chat', {
  topicKinds: [chat],
  events,
  auditEvents: ['member_added', 'member_updated', 'member_removed', 'message_edited', 'message_deleted'],
  auditReaders: { message_sent: readSent },
  tags: {
    Chats: 'Direct and group chats, and their members',
    Messages: 'What is said in a chat, and how far it was read',
  },
  hiding,
  topicsAround: chatsAround,
  onUserDeleted: () => leaveGroups,
  operations(core) {
    const notices = createNotices(core);
    const filler = startFiller(core);
    core.onStop(filler.stop);
    return [
      createChat,
      listChats,
      countUnreadChats,
      getChat,
      renameChat,
      setUpChat,
      addMember,
      changeRole,
      removeMember,
      listMessages,
      sendMessage({
        tell(sent) {
          notices.tell(sent);
          filler.note(sent.map(({ message }) => message.chatId));
        },
      }),
      reactToMessage, // before the deletion, as the documents have them: their examples are tried in this order
      addReaction,
      removeReaction,
      getMessage,
      editMessage,
      deleteMessage,
      searchMessages(filler),
      readMessages,
      typing,
      blockUser,
      unblockUser,
      listBlocks,
    ];
  },
});

// For modules whose things happen in a chat: their rows, messages and events in one transaction. They lock members
// (`keepMembers`), then rows of their own, and the topic last: `addMessage` does it. Behind that lock they can count what
// there is in the chat, since whatever else changes in it waits.
export { blocked, findOwnChats, keepMembers, noSuchChat, readChat } from './access.ts';
export { messagesPerMinute } from './limits.ts';
export { createNotices, type Notices } from './notices.ts';
export { chat } from './topics.ts';
export { addMessage, systemMessage } from './writer.ts';
