// Who sent what and when: the audit log tells it from the messages.

import { expect, test } from 'bun:test';
import type { Static } from '@sinclair/typebox';
import type { AuditPage } from '../../../src/auth/contract.ts';
import type { Message } from '../../../src/modules/chat/contract.ts';
import { onEachDatabase } from '../../support/server.ts';
import { createGroup, must, registerAll, send } from './setup.ts';

onEachDatabase('messages in the audit log', (open) => {
  test('who sent which message where, newest first and in pages, without the words', async () => {
    const server = await open({ ADMIN_EMAILS: 'root@example.com' });
    const root = await server.register('Root', { email: 'root@example.com' });
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    const chat = await createGroup(server, ann, bob);
    const sent: Message[] = [];
    for (const user of [ann, bob, ann]) sent.unshift(await send(server, user, chat.id, 'a secret'));
    const bobSent = sent[1]?.createdAt ?? '';
    const read = async (query: string): Promise<Static<typeof AuditPage>> =>
      await must(server, root, 'GET', `/admin/audit?event=message_sent${query}`);
    const expected = sent.map(({ id, senderId, createdAt }) => ({
      id,
      at: createdAt,
      event: 'message_sent',
      userId: senderId,
      sessionId: null,
      ip: null,
      userAgent: null,
      details: { chatId: chat.id, messageId: id },
    }));
    // What the system said about the group is not among them.
    expect((await read('')).items).toEqual(expected);
    const first = await read('&limit=2');
    const second = await read(`&limit=2&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items]).toEqual(expected);
    expect(second.nextCursor).toBeNull();
    expect((await read(`&user=${bob.id}`)).items).toEqual(expected.slice(1, 2));
    expect((await read(`&since=${bobSent}`)).items).toEqual(expected.filter(({ at }) => at >= bobSent));
    expect((await read('&since=2999-01-01T00:00:00Z')).items).toEqual([]);
  });
});
