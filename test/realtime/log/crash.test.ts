// kill -9 of a real process on the embedded database: what was acknowledged is there, and subscribers resume.

import { afterAll, describe, expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { createDataFolder } from '../../support/embedded.ts';
import { createLedger } from '../../support/ledger.ts';
import { type ServerProcess, spawnServer } from '../../support/process.ts';

describe('a killed instance on the embedded database', () => {
  let server: ServerProcess;
  afterAll(() => server.stop());

  test('keeps everything it acknowledged, and its subscribers resume without a gap', async () => {
    const DATA_DIR = await createDataFolder();
    server = await spawnServer({ DATA_DIR });
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [bob.id] },
    });
    const topic = chatTopic(chat.id);
    const acknowledged = new Map<number, string>();
    const ledger = createLedger();

    for (const killAfter of [20, 50, 100]) {
      const reader = await server.connect(bob, { onFrame: ledger.record });
      await ledger.follow(reader, topic);
      const writers = await Promise.all(Array.from({ length: 8 }, () => server.connect(ann)));
      let count = 0;
      const running = writers.map(async (writer) => {
        for (;;) {
          const content = crypto.randomUUID();
          const reply = await writer.request('message.send', { chatId: chat.id, content });
          acknowledged.set(reply.payload.seq, content);
          count += 1;
          if (count === killAfter) server.kill('SIGKILL');
        }
      });
      const ends = await Promise.allSettled(running); // each ends when its socket does
      expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
      await server.exited;
      server = await spawnServer({ DATA_DIR });
    }

    const reader = await server.connect(bob, { onFrame: ledger.record });
    const { head } = await ledger.follow(reader, topic);
    if ((ledger.newest(topic) ?? 0) < head) await reader.next((frame) => frame.seq === head);
    const seqs = reader.frames.flatMap((frame) => (frame.seq === undefined ? [] : [frame.seq]));
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));

    const items: { seq: number; content: string }[] = [];
    for (let before = head + 1; before > 1; before = items.at(-1)?.seq ?? 0) {
      const { body } = await server.request(
        'GET',
        `/v1/chats/${chat.id}/messages?before=${before}&limit=100`,
        {
          token: bob.accessToken,
        },
      );
      if (body.items.length === 0) break;
      items.push(...body.items.toReversed());
    }
    const stored = new Map(items.map(({ seq, content }) => [seq, content]));
    expect(acknowledged.size).toBeGreaterThanOrEqual(170);
    for (const [seq, content] of acknowledged) expect(stored.get(seq)).toBe(content);
  }, 60_000);
});
