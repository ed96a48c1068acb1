// Pages of the log: bounded by the number of events and by their size, whichever comes first.

import { beforeAll, expect, test } from 'bun:test';
import {
  isLastPage,
  type LoggedEvent,
  readEvents,
  readNewestEvents,
} from '../../../src/realtime/log/event-log.ts';
import { fillLog, range } from '../../protocol/chat.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';

onEachDatabase('pages of the log', (open) => {
  let server: TestServer;
  const small = 'app:small';
  const large = 'app:large';

  beforeAll(async () => {
    server = await open();
    await fillLog(server.db, small, 30);
    await fillLog(server.db, large, 30, 100_000);
  });

  const seqs = (page: readonly LoggedEvent[]) => page.map(({ seq }) => seq);

  test('have as many events as asked for, where those are small', async () => {
    expect(seqs(await readEvents(server.db, small, 5, 10))).toEqual(range(6, 15));
    expect(seqs(await readNewestEvents(server.db, small, 25, 10))).toEqual(range(16, 25));
    expect(await readEvents(server.db, small, 30, 10)).toEqual([]);
    expect(await readNewestEvents(server.db, 'app:nothing', 30, 10)).toEqual([]);
  });

  test('end behind 1 MiB, and lead on to each other', async () => {
    expect(seqs(await readEvents(server.db, large, 0, 500))).toEqual(range(1, 11));
    expect(seqs(await readEvents(server.db, large, 11, 500))).toEqual(range(12, 22));
    expect(seqs(await readEvents(server.db, large, 22, 500))).toEqual(range(23, 30));
    expect(seqs(await readNewestEvents(server.db, large, 30, 500))).toEqual(range(20, 30));
  });

  test('are known to be the last or not', async () => {
    const isLast = async (topic: string, after: number, limit: number) =>
      isLastPage(await readEvents(server.db, topic, after, limit), limit);
    expect(await isLast(small, 0, 30)).toBe(false);
    expect(await isLast(small, 0, 31)).toBe(true);
    expect(await isLast(small, 30, 10)).toBe(true);
    expect(await isLast(large, 0, 500)).toBe(false);
    expect(await isLast(large, 22, 500)).toBe(true);
  });

  test('lead through a list over HTTP, too', async () => {
    const { accessToken: token } = await server.register('Ann');
    const topic = 'app:public.large';
    await fillLog(server.db, topic, 25, 100_000);
    const seen: number[] = [];
    for (let after: string | null = '0'; after !== null; ) {
      const { body } = await server.request('GET', `/v1/topics/${topic}/events?limit=100&after=${after}`, {
        token,
      });
      seen.push(...body.items.map(({ seq }: { seq: number }) => seq));
      after = body.nextCursor;
    }
    expect(seen).toEqual(range(1, 25));
  });
});
