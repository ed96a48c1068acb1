// What a module adds to the snapshots of another one's kind of topic: read in the same transaction, documented, and within
// the bounds of a snapshot. [S3]

import { expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { chatTopic } from '../../src/modules/chat/contract.ts';
import { maxSnapshotBytes } from '../../src/protocol/envelope.ts';
import { defineModule, type SnapshotPart } from '../../src/realtime/index.ts';
import { createGroup, must } from '../modules/chat/setup.ts';
import { onEachDatabase } from '../support/server.ts';

const stickers = (read: SnapshotPart['read']) =>
  defineModule('stickers', {
    snapshotParts: [{ on: 'chat', name: 'stickers', schema: Type.Array(Type.String()), read }],
    operations: [],
  });

onEachDatabase('a part of a snapshot', (open) => {
  test('[S3] stands in the snapshot under its name, and in its description', async () => {
    const server = await open({}, [stickers(async (_tx, actor, id) => [actor.userId, id])]);
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const client = await server.connect(ann);
    const { snapshot } = await client.subscribe(chatTopic(chat.id), { snapshot: true });
    expect(snapshot).toMatchObject({ chat: { id: chat.id }, stickers: [ann.id, chat.id] });
    const { body: docs } = await server.request('GET', '/asyncapi.json');
    const { title, required, properties } = docs.components.schemas.ChatState;
    expect(title).toBe('ChatState');
    expect(required).toEqual(expect.arrayContaining(['chat', 'messages', 'stickers']));
    expect(properties.stickers).toMatchObject({ type: 'array' });
  });

  test('[S3] leaves the rest of the snapshot what it does not take itself', async () => {
    let large = '';
    const server = await open({}, [stickers(async () => [large])]);
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    for (let n = 0; n < 30; n += 1)
      await must(server, ann, 'POST', `/chats/${chat.id}/messages`, { content: 'x'.repeat(10_000) });
    const read = async () => {
      const client = await server.connect(ann);
      const { snapshot } = await client.subscribe(chatTopic(chat.id), { snapshot: true });
      client.close();
      return snapshot as { messages: { seq: number }[]; stickers: string[] }; // of the chat, with the part
    };
    expect((await read()).messages).toHaveLength(31);
    large = 'x'.repeat(maxSnapshotBytes - 100_000);
    const snapshot = await read();
    expect(snapshot.stickers).toEqual([large]);
    expect(snapshot.messages.length).toBeGreaterThan(5);
    expect(snapshot.messages.at(-1)?.seq).toBe(31);
    expect(Buffer.byteLength(JSON.stringify(snapshot))).toBeLessThanOrEqual(maxSnapshotBytes);
  });
});
