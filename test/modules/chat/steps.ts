// What users may do in a chat, at random: for the law, which must hold behind each of them. Every command of the module has
// its place here; `../law.test.ts` takes the list from the declarations.

import { expect } from 'bun:test';
import fc from 'fast-check';
import type { ChatState } from '../../../src/modules/chat/state.ts';
import type { TestUser } from '../../support/api.ts';
import type { TestClient } from '../../support/client.ts';
import type { TestServer } from '../../support/server.ts';
import { attempt } from './setup.ts';

/** What a user tries; most of it is allowed now and then, all of it may be refused. Numbers choose among what is there. */
export interface Step {
  readonly by: number;
  readonly what: What;
  readonly on: number;
  readonly overSocket: boolean;
}

/** By the operations that each of them asks for, over the socket or HTTP. */
const operationsOf = {
  send: ['message.send'],
  reply: ['message.send'],
  edit: ['message.edit'],
  delete: ['message.delete'],
  mention: ['message.send'],
  react: ['message.react', 'reaction.add'],
  unreact: ['message.react', 'reaction.remove'],
  read: ['message.read'],
  rename: ['chat.rename'],
  add: ['member.add'],
  remove: ['member.remove'],
  leave: ['member.remove'],
  promote: ['member.update'],
  demote: ['member.update'],
  configure: ['chat.configure'],
  block: ['block.add'],
  unblock: ['block.remove'],
  profile: ['user.update'],
} as const;
type What = keyof typeof operationsOf;

/** Every run begins with a new chat. */
export const operations: readonly string[] = ['chat.create', ...Object.values(operationsOf).flat()];

export const userCount = 4;

const whats = Object.keys(operationsOf) as What[]; // its keys
export const anyStep: fc.Arbitrary<Step> = fc.record({
  by: fc.nat(userCount - 1),
  what: fc.constantFrom(...whats, 'send' as const, 'send' as const),
  on: fc.nat(1_000),
  overSocket: fc.boolean(),
});

/** Every kind of event once, whatever chance brings beside. */
export const tour: Step[] = (
  [
    [0, 'send', 0],
    [0, 'edit', 1],
    [1, 'react', 1],
    [1, 'mention', 1],
    [1, 'unreact', 1],
    [0, 'edit', 1],
    [0, 'reply', 1],
    [0, 'edit', 2],
    [0, 'edit', 2],
    [1, 'read', 2],
    [0, 'delete', 1],
    [0, 'rename', 1],
    [0, 'promote', 1],
    [0, 'add', 3],
    [1, 'profile', 1],
    [2, 'leave', 0],
  ] as const
).map(([by, what, on]) => ({ by, what, on, overSocket: true }));

/** Those who take steps on a server, each with a connection. */
export interface Party {
  readonly server: TestServer;
  readonly users: readonly TestUser[];
  readonly clients: readonly TestClient[];
}

/** `content`: what is said, where something is. Fails where the server does. */
export async function take(
  { server, users, clients }: Party,
  chatId: string,
  { by, what, on, overSocket }: Step,
  { state, content }: { readonly state: ChatState; readonly content: string },
): Promise<void> {
  const user = at(users, by);
  const other = at(users, 1 + (on % (userCount - 1)));
  const message = at(state.messages, on);
  const client = overSocket ? at(clients, by) : undefined;
  const http = async (method: string, path: string, body?: unknown) => {
    const { status } = await attempt(server, user, method, `/chats/${chatId}${path}`, body);
    expect(status).toBeLessThan(500);
  };
  const command = async (type: string, payload: object, method: string, path: string, body?: object) => {
    if (client === undefined) return await http(method, path, body);
    const reply = await client.request(type, payload);
    expect(reply.error?.code).not.toBe('internal');
  };
  const messageId = message.id;
  switch (what) {
    case 'send':
      return await command('message.send', { chatId, content }, 'POST', '/messages', { content });
    case 'reply': {
      const body = { content, replyTo: messageId, metadata: { on, list: [{ by }] } };
      return await command('message.send', { chatId, ...body }, 'POST', '/messages', body);
    }
    case 'mention': {
      const body = { content, mentions: [user.id, other.id, user.id].slice(on % 3) };
      return await command('message.send', { chatId, ...body }, 'POST', '/messages', body);
    }
    case 'react':
    case 'unreact': {
      const emoji = at(['👍', '🎉', '❤️'], Math.floor(on / 7));
      const path = `/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`;
      const isRemoval = what === 'unreact';
      const payload = { messageId, emoji, remove: isRemoval };
      return await command('message.react', payload, isRemoval ? 'DELETE' : 'PUT', path);
    }
    case 'edit':
      return await command('message.edit', { messageId, content }, 'PATCH', `/messages/${messageId}`, {
        content,
      });
    case 'delete':
      return await command('message.delete', { messageId }, 'DELETE', `/messages/${messageId}`);
    case 'read': {
      const body = { seq: message.seq + (on % 3) };
      return await command('message.read', { chatId, ...body }, 'POST', '/read', body);
    }
    case 'rename':
      return await http('PATCH', '', { name: `Club ${on % 5}` });
    case 'add':
      return await http('POST', '/members', { userId: at(users, on).id });
    case 'remove':
      return await http('DELETE', `/members/${other.id}`);
    case 'leave':
      return by === 0 ? undefined : await http('DELETE', `/members/${user.id}`);
    case 'promote':
      return await http('PATCH', `/members/${other.id}`, { role: 'admin' });
    case 'demote':
      return await http('PATCH', `/members/${at(users, on).id}`, { role: 'member' });
    case 'configure': {
      const body = on % 2 === 0 ? { muted: 'mentions' } : { hidden: true };
      return await command('chat.configure', { chatId, ...body }, 'PATCH', '/me', body);
    }
    case 'block':
    case 'unblock': {
      const [type, method] = what === 'block' ? ['block.add', 'PUT'] : ['block.remove', 'DELETE'];
      if (client === undefined) {
        const { status } = await attempt(server, user, method, `/users/me/blocks/${other.id}`);
        return expect(status).toBeLessThan(500);
      }
      const reply = await client.request(type, { userId: other.id });
      return expect(reply.error?.code).not.toBe('internal');
    }
    case 'profile': {
      const body = { name: `User ${by} of ${on}` };
      const { status } = await attempt(server, user, 'PATCH', '/users/me', body);
      return expect(status).toBe(200);
    }
  }
}

/** The nth, counted round and round. */
export function at<Item>(items: readonly Item[], n: number): Item {
  const item = items[n % items.length];
  if (item === undefined) throw new Error('There is nothing to choose from.');
  return item;
}
