// A member who is removed and added again, over and over, while others write and read: on one instance and on two, live,
// in a replay, and resuming. The others notice nothing of it, and the member's own ledger has no hole. [S7] [O1]

import { expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { createLedger, type Ledger } from '../support/ledger.ts';
import { createRandom } from '../support/random.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { createGroup, readLog, removeMember, type TestChat } from './chat.ts';

/** At least; and until its right was revoked once while it followed. */
const rounds = 15;

onEachDatabase('a member who is added again', (open, database) => {
  const follow = async (server: TestServer, user: TestUser, chat: TestChat) => {
    const ledger = createLedger();
    const client = await server.connect(user, { onFrame: ledger.record });
    await ledger.follow(client, chat.topic);
    return { client, ledger };
  };

  const addMember = async (server: TestServer, chat: TestChat, admin: TestUser, member: TestUser) => {
    const answer = await server.request('POST', `/v1/chats/${chat.id}/members`, {
      token: admin.accessToken,
      body: { userId: member.id },
    });
    if (answer.status >= 300)
      throw new Error(`adding a member: ${answer.status} ${JSON.stringify(answer.body)}`);
  };

  /** Writes until it is told to stop. */
  async function writeUntil(signal: AbortSignal, client: TestClient, chat: TestChat): Promise<void> {
    for (let n = 0; !signal.aborted; n += 1) {
      const reply = await client.request('message.send', { chatId: chat.id, content: `${n}` });
      if (reply.type !== 'ok') throw new Error(JSON.stringify(reply.error));
    }
  }

  /**
   * Follows wherever it may: comes back with `since` whenever its right was revoked, and now and then on a new connection, on any
   * of the instances, be it in the middle of a replay. Answers its last connection, when it is told to stop.
   */
  async function insist(
    goal: () => number | undefined,
    servers: TestServer[],
    user: TestUser,
    chat: TestChat,
    ledger: Ledger,
    frames: Frame[],
  ) {
    const random = createRandom('ADDED_AGAIN_SEED');
    console.log(`ADDED_AGAIN_SEED=${random.seed}`);
    const isThere = () => (ledger.newest(chat.topic) ?? 0) >= (goal() ?? Number.POSITIVE_INFINITY);
    while (!isThere()) {
      const server = servers[random.below(servers.length)] ?? servers[0];
      if (server === undefined) throw new Error('There is an instance at least.');
      let ends = 0;
      const client = await server.connect(user, {
        onFrame(frame) {
          ledger.record(frame);
          if (frame.topic === chat.topic) frames.push(frame);
          if (frame.type === 'unsubscribed') ends += 1;
        },
      });
      const stay = 1 + random.below(4);
      while (ends < stay && !isThere()) {
        const since = ledger.newest(chat.topic) ?? 0;
        const seen = ends;
        const reply = await client.request('subscribe', { since }, { topic: chat.topic });
        if (reply.type === 'ok') {
          expect(reply.payload.reset).toBeUndefined();
          if (random.below(4) === 0) break;
          while (ends === seen && !isThere()) await client.request('ping');
        } else {
          expect(reply.error.code).toBe('forbidden');
        }
      }
      if (random.below(2) === 0) client.terminate();
      else client.close();
      await client.closed;
    }
  }

  for (const instances of database.kind === 'postgres' ? [1, 2] : [1]) {
    test(`[S7] disturbs nobody, on ${instances} instance${instances === 1 ? '' : 's'}`, async () => {
      const first = await open();
      const servers = [first];
      while (servers.length < instances) servers.push(await open(first.env));
      const [ann, bob, cy] = [
        await first.register('Ann'),
        await first.register('Bob'),
        await first.register('Cy'),
      ];
      const chat = await createGroup(first, ann, [bob, cy]);
      const others = await Promise.all(servers.map((server) => follow(server, cy, chat)));
      const stopping = new AbortController();
      const ledger = createLedger();
      let head: number | undefined;
      const frames: Frame[] = [];
      const wasRevoked = () => frames.some(({ type }) => type === 'unsubscribed');
      const insisting = insist(() => head, servers, bob, chat, ledger, frames);
      const writing = servers.map(async (server) =>
        writeUntil(stopping.signal, await server.connect(ann), chat),
      );
      for (let round = 0; round < rounds || !wasRevoked(); round += 1) {
        const server = servers[round % servers.length] ?? first;
        await removeMember(server, chat, ann, bob);
        await addMember(server, chat, ann, bob);
      }
      stopping.abort();
      await Promise.all(writing);
      head = (await readLog(first.db, chat.topic)).length;
      const end = head;
      await insisting;

      const good = { lost: 0, repeated: 0, reordered: 0, invented: 0 };
      for (const other of others) {
        if ((other.ledger.newest(chat.topic) ?? 0) < end) await other.client.next(({ seq }) => seq === end);
        expect(await other.ledger.compare(first.db, chat.topic)).toMatchObject(good);
        expect(other.client.frames.some(({ type }) => type === 'unsubscribed')).toBe(false);
      }
      expect(await ledger.compare(first.db, chat.topic)).toMatchObject(good);
      // Its right was revoked right behind a removal of its own, and for nothing else.
      frames.forEach(({ type }, index) => {
        if (type === 'unsubscribed') {
          const before = frames.slice(0, index).findLast(({ seq }) => seq !== undefined);
          expect(before).toMatchObject({ type: 'member.left', payload: { userId: bob.id } });
        }
      });
    }, 60_000);
  }
});
