// The WebSocket door to chats.

import { toReply } from '../../realtime/log/commit.ts';
import { type Command, defineCommand } from '../../realtime/module.ts';
import * as contract from './contract.ts';
import type { ChatService } from './service.ts';

export function createChatCommands({ messages, typing }: ChatService): Command[] {
  return [
    defineCommand({
      type: 'message.send',
      input: contract.SendMessage,
      takesKey: true,
      lane: 'message.send',
      run: async (actor, input, { key, entered }) => toReply(await messages.send(actor, input, key, entered)),
    }),
    defineCommand({
      type: 'message.edit',
      input: contract.EditMessage,
      run: async (actor, input) => toReply(await messages.edit(actor, input)),
    }),
    defineCommand({
      type: 'message.delete',
      input: contract.DeleteMessage,
      run: async (actor, input) => toReply(await messages.remove(actor, input)),
    }),
    defineCommand({
      type: 'message.read',
      input: contract.ReadMessages,
      run: async (actor, input) => toReply(await messages.read(actor, input)),
    }),
    defineCommand({
      type: 'typing',
      input: contract.Typing,
      async run(actor, input) {
        await typing.tell(actor, input);
        return undefined;
      },
    }),
  ];
}
