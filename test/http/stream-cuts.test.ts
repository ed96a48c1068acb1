// A stream that is cut again and again, be it in the middle of a message, while somebody writes: its reader misses, repeats and
// reorders nothing. The seed of what is cut is printed; CUTS_SEED repeats it. [V5] [O1]

import { expect, test } from 'bun:test';
import { range } from '../protocol/chat.ts';
import { type EventStreamReader, openStream } from '../support/event-stream.ts';
import { createRandom } from '../support/random.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const cuts = 200;

onEachDatabase('a stream that is cut', (open) => {
  test(`[V5] cut ${cuts} times at random, it brings every event once and in order`, async () => {
    const random = createRandom('CUTS_SEED');
    console.log(`cuts: CUTS_SEED=${random.seed}`);
    const server = await open();
    const ann = await server.register('Ann');
    const topic = `app:public.${crypto.randomUUID()}`;
    const token = ann.accessToken;
    const proxy = await startTcpProxy(server.port);
    const writer = await server.connect(ann);
    const seen: number[] = [];
    let reader: EventStreamReader | undefined;
    let written = 0;
    let isOver = false;
    // Not far ahead, so that some cuts come in the middle of a replay, and others behind it.
    const isNear = () => isOver || written < seen.length + (reader?.seqs.length ?? 0) + 20;
    const writing = (async () => {
      while (!isOver) {
        if (!isNear()) await until(isNear, 'the reader comes near');
        const data = 'x'.repeat(random.below(400));
        const reply = await writer.request('publish', { event: 'a.b', data, durable: true }, { topic });
        expect(reply.type).toBe('ok');
        written += 1;
      }
    })();

    let lastId: string | undefined = '0';
    for (let cut = 0; cut < cuts; cut += 1) {
      proxy.toClient.bytesUntilCut = 1 + random.below(8_000);
      // It may be cut in the middle of its head.
      reader = await openStream(proxy.url, topic, { token, lastId }).catch(() => undefined);
      if (reader === undefined) continue;
      expect(await reader.ended).toBe(false);
      seen.push(...reader.seqs);
      lastId = reader.lastId ?? lastId;
      reader = undefined;
    }
    isOver = true;
    await writing;
    proxy.toClient.bytesUntilCut = Number.POSITIVE_INFINITY;
    const last = await openStream(proxy.url, topic, { token, lastId });
    if (lastId !== String(written)) await last.next(({ seq }) => seq === written);
    seen.push(...last.seqs);
    expect(seen).toEqual(range(1, written));
    expect(written).toBeGreaterThan(cuts);
    last.close();
    writer.close();
    await proxy.stop();
  }, 60_000);
});
