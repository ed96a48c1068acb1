// The seq in a message's row is the seq of its event, whatever else the transaction says on the topic.

import { expect, test } from 'bun:test';
import { chat as chats } from '../../../src/modules/chat/topics.ts';
import { addMessage } from '../../../src/modules/chat/writer.ts';
import { createCommit } from '../../../src/realtime/log/commit.ts';
import { onEachDatabase } from '../../support/server.ts';
import { createGroup, eventsOf, must } from './setup.ts';

onEachDatabase('the writer of a chat', (open) => {
  test('messages behind other events of their transaction, several of them, many at once', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const commit = createCommit(server.db, () => {});
    const draft = { senderId: ann.id, messageType: 'text', content: 'x' } as const;

    await Promise.all(
      Array.from({ length: 10 }, () =>
        commit(undefined, async (tx, emit) => {
          const on = chats.on(chat.id);
          emit(on, 'message.read', { positions: { [ann.id]: 1 } });
          await addMessage(tx, emit, chat.id, draft);
          emit(on, 'member.updated', { userId: ann.id, role: 'admin' });
          emit(on, 'member.updated', { userId: ann.id, role: 'admin' });
          await addMessage(tx, emit, chat.id, draft);
          return {};
        }),
      ),
    );

    const created = (await eventsOf(server, chats.on(chat.id).name)).filter(
      ({ type }) => type === 'message.created',
    );
    expect(created).toHaveLength(21);
    for (const { seq, payload } of created) expect(payload.seq).toBe(seq);
    const { items } = await must(server, ann, 'GET', `/chats/${chat.id}/messages`);
    expect(items).toEqual(created.map(({ payload }) => payload));
  });
});
