// A message alone, and pages of a chat: around a place, and of the replies to a message.

import { beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createGroup, must, registerAll, send, unknownId } from './setup.ts';

onEachDatabase('reading messages', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let chatId: string;
  /** 21 messages with the seqs 1 to 21. */
  let seqs: number[];

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    chatId = (await createGroup(server, ann)).id;
    for (let n = 0; n < 20; n += 1) await send(server, ann, chatId, `message ${n}`);
    seqs = Array.from({ length: 21 }, (_, n) => n + 1);
  });

  const list = async (
    query: string,
    chat = chatId,
  ): Promise<{ seqs: number[]; nextCursor: string | null }> => {
    const { items, nextCursor } = await must(server, ann, 'GET', `/chats/${chat}/messages?${query}`);
    return { seqs: items.map(({ seq }: { seq: number }) => seq), nextCursor };
  };
  const reply = (sender: TestUser, replyTo: string, chat = chatId) =>
    must(server, sender, 'POST', `/chats/${chat}/messages`, { content: 'a reply', replyTo });

  test('a member reads one message as the list shows it', async () => {
    const chat = await createGroup(server, ann, bob);
    const sent = await send(server, ann, chat.id, 'hello');
    const answer = await reply(bob, sent.id, chat.id);
    const message = await must(server, bob, 'GET', `/chats/${chat.id}/messages/${sent.id}`);
    expect(message).toEqual({ ...sent, replyCount: 1 });
    const { items } = await must(server, bob, 'GET', `/chats/${chat.id}/messages`);
    expect(items.slice(1)).toEqual([message, answer]);
    await must(server, ann, 'DELETE', `/chats/${chat.id}/messages/${sent.id}`);
    const deleted = await must(server, bob, 'GET', `/chats/${chat.id}/messages/${sent.id}`);
    expect(deleted).toMatchObject({ id: sent.id, content: null, deletedAt: expect.any(String) });
  });

  test('a message of others, one of another chat and none at all answer alike', async () => {
    const mine = await createGroup(server, bob);
    const said = await send(server, bob, mine.id, 'mine');
    const { items } = await must(server, ann, 'GET', `/chats/${chatId}/messages?limit=1`);
    const foreign = items[0].id;
    const answers = await Promise.all(
      [
        `${chatId}/messages/${foreign}`, // of others
        `${mine.id}/messages/${foreign}`, // elsewhere
        `${unknownId}/messages/${foreign}`,
        `${chatId}/messages/${said.id}`,
        `${mine.id}/messages/${unknownId}`,
      ].map((path) => attempt(server, bob, 'GET', `/chats/${path}`)),
    );
    for (const { status, body } of answers) {
      expect(status).toBe(404);
      expect(body).toEqual(answers[0]?.body);
    }
  });

  test('who was removed reads no message and no page any more', async () => {
    const chat = await createGroup(server, ann, bob);
    const sent = await send(server, ann, chat.id, 'hello');
    await must(server, ann, 'DELETE', `/chats/${chat.id}/members/${bob.id}`);
    for (const path of [`/${sent.id}`, '?around=1', `?replyTo=${sent.id}`]) {
      expect((await attempt(server, bob, 'GET', `/chats/${chat.id}/messages${path}`)).status).toBe(404);
    }
  });

  test('around a seq are half of the limit below it and the rest from it on', async () => {
    expect(await list('around=10&limit=6')).toEqual({ seqs: [7, 8, 9, 10, 11, 12], nextCursor: '7' });
    expect(await list('around=10&limit=5')).toEqual({ seqs: [8, 9, 10, 11, 12], nextCursor: '8' });
    expect(await list('around=10&limit=1')).toEqual({ seqs: [10], nextCursor: '10' });
    expect(await list('around=2&limit=6')).toEqual({ seqs: [1, 2, 3, 4], nextCursor: null });
    expect(await list('around=21&limit=6')).toEqual({ seqs: [18, 19, 20, 21], nextCursor: '18' });
    expect(await list('around=999&limit=6')).toEqual({ seqs: [19, 20, 21], nextCursor: '19' });
    expect(await list('around=0&limit=4')).toEqual({ seqs: [1, 2], nextCursor: null });
  });

  test('from around a seq a client pages on to both ends, as the description says', async () => {
    const { seqs: middle, nextCursor } = await list('around=11&limit=4');
    const met = [...middle];
    for (let before = nextCursor; before !== null; ) {
      const page = await list(`before=${before}&limit=4`);
      met.unshift(...page.seqs);
      before = page.nextCursor;
    }
    for (let after: string | null = String(met.at(-1)); after !== null; ) {
      const page = await list(`after=${after}&limit=4`);
      met.push(...page.seqs);
      after = page.nextCursor;
    }
    expect(met).toEqual(seqs);
  });

  test.each(['around=5&before=9', 'around=5&after=2', 'around=-1', 'around=x', 'replyTo=x'])(
    '%s is invalid over HTTP and the socket',
    async (query) => {
      const answer = await attempt(server, ann, 'GET', `/chats/${chatId}/messages?${query}`);
      expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid']);
      const client = await server.connect(ann);
      const fields = [...new URLSearchParams(query)].map(([name, text]) => [
        name,
        /^-?\d/.test(text) ? Number(text) : text,
      ]);
      const { error } = await client.request('message.list', { chatId, ...Object.fromEntries(fields) });
      client.close();
      expect(error.code).toBe('invalid');
    },
  );

  test('the replies to a message come oldest first, and page with after', async () => {
    const chat = await createGroup(server, ann, bob);
    const first = await send(server, ann, chat.id, 'question');
    const other = await send(server, ann, chat.id, 'another');
    const replies: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      replies.push((await reply(n % 2 ? ann : bob, first.id, chat.id)).seq);
      await reply(bob, other.id, chat.id);
    }
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = replies;
    const of = (query: string) => list(`replyTo=${first.id}&${query}`, chat.id);
    expect(await of('')).toEqual({ seqs: replies, nextCursor: null });
    expect(await of('limit=2')).toEqual({ seqs: [a, b], nextCursor: `${b}` });
    expect(await of(`limit=2&after=${b}`)).toEqual({ seqs: [c, d], nextCursor: `${d}` });
    expect(await of(`limit=2&after=${d}`)).toEqual({ seqs: [e], nextCursor: null });
    expect(await of(`limit=2&before=${e}`)).toEqual({ seqs: [c, d], nextCursor: `${c}` });
    expect(await of(`after=${a}&before=${d}`)).toEqual({ seqs: [b, c], nextCursor: null });
    expect(await of(`around=${c}&limit=2`)).toEqual({ seqs: [b, c], nextCursor: `${b}` });
    const nobody = await send(server, ann, chat.id, 'no replies');
    expect(await list(`replyTo=${nobody.id}`, chat.id)).toEqual({ seqs: [], nextCursor: null });
  });

  test('replies are shown in their own chat only, also to who is in both', async () => {
    const first = await send(server, ann, chatId, 'question');
    await reply(ann, first.id);
    const elsewhere = await createGroup(server, ann);
    expect(await list(`replyTo=${first.id}&limit=1`, elsewhere.id)).toEqual({ seqs: [], nextCursor: null });
    expect(await list(`replyTo=${unknownId}`)).toEqual({ seqs: [], nextCursor: null });
  });
});
