// Mentions: whom a message may name, and that whoever is named is told of it.

import { beforeAll, expect, test } from 'bun:test';
import { chatTopic, maxMentions, maxNotifiedMembers } from '../../../src/modules/chat/contract.ts';
import { readState } from '../../../src/modules/chat/topics.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { addCrowd, attempt, createGroup, eventsOf, must, registerAll, send, unknownId } from './setup.ts';

onEachDatabase('mentions', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const mention = (chatId: string, mentions: readonly string[], content = 'Look') =>
    attempt(server, ann, 'POST', `/chats/${chatId}/messages`, { content, mentions });

  test('members are mentioned once each, in the order given, in the answer, the event, snapshots and lists', async () => {
    const chat = await createGroup(server, ann, bob);
    const { status, body } = await mention(chat.id, [bob.id, ann.id, bob.id]);
    expect([status, body.mentions]).toEqual([201, [bob.id, ann.id]]);
    const [, event] = await eventsOf(server, chatTopic(chat.id));
    expect(event?.payload.mentions).toEqual([bob.id, ann.id]);
    await send(server, ann, chat.id, 'Nobody in particular');
    const { messages } = await readState(server.db, chat.id);
    expect(messages.map(({ mentions }) => mentions)).toEqual([[], [bob.id, ann.id], []]);
    const { items } = await must(server, bob, 'GET', `/chats/${chat.id}/messages`);
    expect(items.map(({ mentions }: { mentions: string[] }) => mentions)).toEqual([[], [bob.id, ann.id], []]);
  });

  test('whoever is no member cannot be mentioned: the refusal names each place, and nothing is written', async () => {
    const chat = await createGroup(server, ann, bob);
    const { status, body } = await mention(chat.id, [bob.id, bob.id, cid.id, ann.id, unknownId]);
    expect([status, body.error]).toMatchObject([
      400,
      { code: 'invalid', details: [{ path: '/body/mentions/2' }, { path: '/body/mentions/4' }] },
    ]);
    const client = await server.connect(ann);
    const payload = { chatId: chat.id, content: 'Look', mentions: [cid.id] };
    const { error } = await client.request('message.send', payload);
    expect(error).toMatchObject({ code: 'invalid', details: [{ path: '/payload/mentions/0' }] });
    expect(await eventsOf(server, chatTopic(chat.id))).toHaveLength(1);
    client.close();
  });

  test('of messages that are sent at once only those are refused that mention strangers', async () => {
    const chat = await createGroup(server, ann, bob);
    const other = await createGroup(server, ann, cid);
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => {
        const to = n % 2 === 0 ? chat : other;
        const whom = [[], [bob.id], [cid.id], [ann.id, bob.id, cid.id]][n % 4] ?? [];
        return mention(to.id, whom, `${n}`);
      }),
    );
    const fit = answers.map(({ status }) => status === 201);
    expect(fit).toEqual(
      Array.from(
        { length: 30 },
        (_, n) =>
          [
            [true, true],
            [false, true],
            [false, true],
            [false, false],
          ][n % 4]?.[0] === true,
      ),
    );
  });

  test(`at most ${maxMentions} are mentioned`, async () => {
    const chat = await createGroup(server, ann, bob);
    const { status, body } = await mention(
      chat.id,
      Array.from({ length: maxMentions + 1 }, () => bob.id),
    );
    expect([status, body.error.details[0].path]).toEqual([400, '/body/mentions']);
    expect(
      (
        await mention(
          chat.id,
          Array.from({ length: maxMentions }, () => bob.id),
        )
      ).body.mentions,
    ).toEqual([bob.id]);
  });

  test('one who is removed before the message is no member any more', async () => {
    const chat = await createGroup(server, ann, bob);
    await must(server, ann, 'DELETE', `/chats/${chat.id}/members/${bob.id}`);
    expect((await mention(chat.id, [bob.id])).status).toBe(400);
  });

  test('who is mentioned is told so; the others are told as ever', async () => {
    const chat = await createGroup(server, ann, bob, cid);
    const clients = await Promise.all([bob, cid].map((user) => server.connect(user)));
    const notified = await Promise.all(
      [bob, cid].map(async (user, n) => {
        await clients[n]?.subscribe(userTopic(user.id));
        return clients[n];
      }),
    );
    await mention(chat.id, [bob.id]);
    const notices = await Promise.all(notified.map((client) => client?.next('message.notified')));
    expect(notices.map((notice) => notice?.payload.mention)).toEqual([true, false]);
    for (const client of clients) client.close();
  });

  test('in a chat that is too large to tell everyone, those who are mentioned are told, and nobody else', async () => {
    const chat = await createGroup(server, ann, bob, cid);
    await addCrowd(server, chat.id, ann, maxNotifiedMembers);
    const [bobs, cids] = [await server.connect(bob), await server.connect(cid)];
    await Promise.all([bobs.subscribe(userTopic(bob.id)), cids.subscribe(userTopic(cid.id))]);
    await send(server, ann, chat.id, 'To everyone');
    await mention(chat.id, [bob.id], 'To Bob');
    await mention(chat.id, [cid.id, ann.id], 'To Cid');
    expect((await bobs.next('message.notified')).payload).toMatchObject({ preview: 'To Bob', mention: true });
    expect((await cids.next('message.notified')).payload).toMatchObject({ preview: 'To Cid', mention: true });
    await mention(chat.id, [bob.id, cid.id], 'last');
    for (const client of [bobs, cids]) {
      await client.next(({ type, payload }) => type === 'message.notified' && payload.preview === 'last');
      expect(client.frames.filter(({ type }) => type === 'message.notified')).toHaveLength(2);
      client.close();
    }
  });
});
