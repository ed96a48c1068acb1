// The AsyncAPI document is true and complete: every command in it is sent, and every frame that comes over the sockets is a
// message of it, with the envelope that it shows. What it lists and never came is named.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { seeds } from '../modules/game/setup.ts';
import { pollsModule } from '../modules/polls/index.ts';
import { createPollTables } from '../modules/polls/tables.ts';
import { signToken } from '../modules/topics/setup.ts';
import type { TestUser } from '../support/api.ts';
import {
  type AsyncApi,
  type Command,
  commandsOf,
  findMessage,
  listFrameMisfits,
} from '../support/asyncapi.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { listMisfits } from '../support/json-schema.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { type Made, type Step, steps } from './asyncapi-steps.ts';

interface Position {
  topic: string;
  seq: number;
}

onEachDatabase('the AsyncAPI document', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let ben: TestUser;
  let document: AsyncApi;
  let commands: Map<string, Command>;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'ann@example.com' }, [pollsModule]);
    await createPollTables(server.db);
    [ann, ben] = [await server.register('Ann', { email: 'ann@example.com' }), await server.register('Ben')];
    const { status, body } = await server.request('GET', '/asyncapi.json');
    expect(status).toBe(200);
    document = body;
    commands = commandsOf(document);
  });

  test('the example of every message fits its schema', () => {
    const { messages, schemas } = document.components;
    for (const [key, { payload, examples }] of Object.entries(messages)) {
      expect([key, examples.length]).toEqual([key, 1]);
      for (const example of examples)
        expect([key, listMisfits(payload, example.payload, schemas)]).toEqual([key, []]);
    }
  });

  test('every command in it is known, and its example is answered', async () => {
    expect(commands.size).toBeGreaterThan(30);
    const client = await server.connect(await server.register('Cid'));
    for (const type of commands.keys()) {
      const [example] = document.components.messages[`command.${type}`]?.examples ?? [];
      if (type === 'session.logout') continue; // with the connection it would end the rest of this test
      const { payload, topic } = example?.payload ?? { type };
      const reply = await client.request(type, payload, { topic });
      expect([type, reply.error?.code]).not.toEqual([type, 'unknown_command']);
      expect([type, reply.error?.code]).not.toEqual([type, 'invalid']);
    }
    client.close();
  });

  test("every command that the server knows is in it: what HTTP has, but for signing in and what it has in its own way, and what is the socket's own", async () => {
    const { body } = await server.request('GET', '/swagger/json');
    const routes = Object.values<Record<string, { operationId: string }>>(body.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    const onlyHttp = routes.filter((name) =>
      /^(?:auth|health|reaction)[.]|^password[.]change$|^offer[.](?:accept|reject|withdraw|counter)$|^job[.]claim$/.test(
        name,
      ),
    );
    const onlySocket = [
      'auth',
      'ping',
      'subscribe',
      'unsubscribe',
      'presence.list',
      'message.react',
      'offer.update',
      'typing',
    ];
    const expected = [...routes.filter((name) => !onlyHttp.includes(name)), ...onlySocket];
    expect([...commands.keys()].sort()).toEqual(expected.sort());
    const client = await server.connect(ann);
    expect(onlyHttp.length).toBe(13);
    for (const name of onlyHttp) {
      expect([name, (await client.request(name)).error?.code]).toEqual([name, 'unknown_command']);
    }
    client.close();
  });

  test('every command in it has an effect, and every frame that comes is a message of it; all of them come', async () => {
    expect(new Set(steps.map(({ type }) => type))).toEqual(new Set(commands.keys()));
    const seen = new Set<string>();
    const misfits: unknown[] = [];
    const sent = new Map<string, string>(); // the type of each command by its id
    const note = (key: string | undefined, frame: Frame) => {
      seen.add(key ?? '');
      const wrong = key === undefined ? ['not in the document'] : listFrameMisfits(document, key, frame);
      if (wrong.length > 0) misfits.push([key, wrong, frame]);
    };
    const hear = (user: TestUser | string) =>
      server.connect(user, {
        onFrame: (frame) =>
          note(findMessage(document, frame, sent.get(frame.id ?? '') ?? 'subscribe'), frame),
      });
    const [annAgain, other] = [await server.login(ann), await server.login(ann)];
    const made: Made = {
      chatId: '',
      messageId: '',
      pollId: '',
      offerId: '',
      campaignId: '',
      computerId: '',
      targetComputerId: '',
      playerId: '',
      hackId: '',
      kingdomId: '',
      settlementId: '',
      structureId: '',
      jobId: '',
      leaseId: '',
      seq: 1,
      ann: { ...annAgain, sessionId: other.sessionId },
      ben,
    };
    const client = await hear(annAgain);
    const [mine, theirs] = [await hear(await server.login(ann)), await hear(ben)];
    const followed = new Set([`user:${ann.id}`, `user:${ben.id}`, `user:${ann.id}:jobs`, 'admin:jobs']);
    for (const topic of followed) await (topic.includes(ben.id) ? theirs : mine).subscribe(topic);
    const written: Position[] = [];

    const send = async ({ type, topic, payload, by }: Step): Promise<Frame> => {
      const id = String(sent.size);
      const about = type === 'subscribe' ? (topic ?? `chat:${made.chatId}`) : topic;
      const key = commands.get(type)?.['x-takesKey'] ? crypto.randomUUID() : undefined;
      const frame = { id, type, topic: about, payload: payload?.(made) ?? {}, key };
      sent.set(id, type);
      note(`command.${type}`, JSON.parse(JSON.stringify(frame)));
      const sender = by === 'ben' ? theirs : client;
      sender.send(frame);
      if (type !== 'session.logout') return await sender.next((reply) => reply.id === id);
      // The connection goes with its session, before the reply or behind it.
      seen.add('reply.session.logout');
      expect(await client.closed).toMatchObject({ code: 4403, reason: 'logout' });
      return { type: 'ok' };
    };
    /** Whatever is written is followed, from its first event on. */
    const follow = async (positions: Position[]): Promise<void> => {
      written.push(...positions);
      for (const { topic } of positions) {
        if (followed.has(topic)) continue;
        followed.add(topic);
        const reply = await mine.request('subscribe', { since: 0 }, { topic });
        if (reply.type === 'error') await theirs.subscribe(topic, { since: 0 });
      }
    };

    for (const step of steps) {
      const { type, by } = step;
      const reply = await send(step);
      expect([type, reply.error]).toEqual([type, undefined]);
      const { events: positions, ...output } = reply.payload ?? {};
      const writes = commands.get(type)?.['x-writes'];
      if (typeof writes === 'boolean' && type !== 'session.logout')
        expect([type, positions !== undefined]).toEqual([type, writes]);
      await follow(positions ?? []);
      if (type === 'chat.create') made.chatId = output.id;
      if (type === 'poll.create') made.pollId = output.id;
      if (type === 'offer.create' || type === 'offer.update') made.offerId = output.id;
      if (type === 'player.create' && by === 'ben') made.targetComputerId = output.computers[0].id;
      if (type === 'player.create' && by === undefined) {
        [made.playerId, made.computerId] = [output.player.id, output.computers[0].id];
        const rich = sql`money = 100000, xp = 95, shield_until = NULL`;
        await server.db.execute(sql`UPDATE players SET ${rich}`);
      }
      if (type === 'hack.start') made.hackId = output.id;
      if (type === 'hack.start' && by === 'ben') await endHacks(mine);
      if (type === 'campaign.create') made.campaignId = output.id;
      if (type === 'kingdom.create') made.kingdomId = output.id;
      if (type === 'settlement.create') made.settlementId = output.id;
      if (type === 'structure.create') made.structureId = output.id;
      if (type === 'message.send') [made.messageId, made.seq] = [output.id, output.seq];
      if (type === 'job.create') made.jobId = output.id;
      if (type === 'job.get' || (type === 'job.create' && output.payload === null)) {
        const body = { types: ['a'], workerId: 'w', max: 1, waitSeconds: 0 };
        const claimed = await server.request('POST', '/v1/jobs/claim', { token: ann.accessToken, body });
        made.leaseId = claimed.body.items[0].leaseId;
      }
      // Who follows the chat hears who is typing, and is not notified of messages.
      if (type === 'message.list') await theirs.subscribe(`chat:${made.chatId}`);
      if (type === 'job.progress') await mine.next('job.progress');
      if (type === 'typing') await theirs.next('typing');
      if (type === 'message.send') await theirs.next('message.notified');
      if (type === 'publish' && positions === undefined) await client.next('cursor.moved');
    }
    await server.db.execute(sql`UPDATE offers SET expires_at = now() WHERE status = 'pending'`);
    await mine.next('offer.expired');
    await mine.next('presence.left', 10_000); // Ben was removed from the chat
    const ending = await hear(await signToken(await server.login(ann), { iat: nowSeconds() - 300 }, 30));
    await ending.next('auth.expiring');
    const stopping = server.stop();
    await ending.next('draining');
    await stopping;

    const heard = new Set([mine, theirs, client].flatMap(({ frames }) => frames.map(nameOf)));
    expect(written.filter((position) => !heard.has(nameOf(position)))).toEqual([]);
    expect(misfits).toEqual([]);
    const missing = Object.keys(document.components.messages).filter((key) => !seen.has(key));
    expect(missing).toEqual([]);
  });

  /** One of them succeeds, and the other fails; how they go is told meanwhile. */
  async function endHacks(follower: TestClient): Promise<void> {
    await follower.next('hack.progress');
    await server.db.execute(sql`
      UPDATE hack_operations SET completion_at = now(),
        seed = CASE type WHEN 'ddos' THEN ${seeds.failure}::int ELSE ${seeds.success}::int END
      WHERE status = 'running'`);
    await follower.next('hack.completed');
    await follower.next('hack.failed');
  }
});

const nameOf = ({ topic, seq }: { topic?: string; seq?: number }): string => `${topic} ${seq}`;
const nowSeconds = (): number => Math.floor(Date.now() / 1_000);
