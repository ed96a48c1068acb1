// The document of the socket is complete: every command it lists is known and answers as it says, every command that the
// server knows is in it, and so is every event that comes of them, with the payload that it shows.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../src/db/database.ts';
import { seeds } from '../modules/game/setup.ts';
import { pollsModule } from '../modules/polls/index.ts';
import { createPollTables } from '../modules/polls/tables.ts';
import type { TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { type JsonSchema, listMisfits } from '../support/json-schema.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

interface Command {
  type: string;
  takesTopic: boolean;
  takesKey: boolean;
  payload: JsonSchema;
  reply?: JsonSchema;
  writes: boolean | 'sometimes';
  refuses: string[];
  example: object;
}

interface Kind {
  kind: string;
  name: string;
}

interface EventEntry {
  type: string;
  on: string[];
  isDurable: boolean;
  payload: JsonSchema;
}

/** A frame for each command, in an order in which all of them succeed. What is not here fails the test below. */
interface Step {
  readonly type: string;
  readonly topic?: string;
  readonly payload?: (made: Made) => object;
  /** Else by Ann. */
  readonly by?: 'ben';
}

interface Made {
  chatId: string;
  messageId: string;
  pollId: string;
  offerId: string;
  campaignId: string;
  computerId: string;
  targetComputerId: string;
  playerId: string;
  hackId: string;
  kingdomId: string;
  settlementId: string;
  structureId: string;
  jobId: string;
  leaseId: string;
  ann: TestUser;
  ben: TestUser;
  seq: number;
}

const topic = 'app:public.lobby';
const terms = { title: 'A lamp', amount: '5', currency: 'EUR' };
const hack = ({ targetComputerId }: Made) => ({
  targetComputerId,
  type: 'bruteforce',
  tools: ['port-scanner'],
});
const offer = ({ chatId, ben }: Made) => ({ chatId, recipientId: ben.id, ...terms });
const leased = ({ jobId, leaseId }: Made) => ({ jobId, leaseId });
const steps: readonly Step[] = [
  { type: 'ping' },
  { type: 'auth', payload: ({ ann }) => ({ token: ann.accessToken }) },
  { type: 'subscribe', topic },
  { type: 'presence.list', topic },
  { type: 'publish', topic, payload: () => ({ event: 'cursor.moved', data: { x: 1 } }) },
  { type: 'publish', topic, payload: () => ({ event: 'cursor.kept', data: null, durable: true }) },
  { type: 'topic.events', topic },
  { type: 'unsubscribe', topic },
  { type: 'user.me' },
  { type: 'user.update', payload: () => ({ name: 'Anna' }) },
  { type: 'user.get', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'user.find', payload: ({ ben }) => ({ ids: ben.id }) },
  { type: 'presence.get', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'presence.find', payload: ({ ben }) => ({ users: ben.id }) },
  { type: 'session.list' },
  { type: 'chat.create', payload: () => ({ type: 'group', name: 'Book club', participantIds: [] }) },
  { type: 'subscribe' }, // to the chat
  { type: 'chat.list' },
  { type: 'chat.unread' },
  { type: 'chat.get', payload: ({ chatId }) => ({ chatId }) },
  { type: 'chat.rename', payload: ({ chatId }) => ({ chatId, name: 'Film club' }) },
  { type: 'member.add', payload: ({ chatId, ben }) => ({ chatId, userId: ben.id }) },
  { type: 'member.update', payload: ({ chatId, ben }) => ({ chatId, userId: ben.id, role: 'admin' }) },
  { type: 'message.send', payload: ({ chatId }) => ({ chatId, content: 'Hello!', metadata: { a: 1 } }) },
  { type: 'message.react', payload: ({ messageId }) => ({ messageId, emoji: '👍' }) },
  { type: 'chat.configure', payload: ({ chatId }) => ({ chatId, muted: 'mentions' }) },
  { type: 'block.add', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'block.list' },
  { type: 'block.remove', payload: ({ ben }) => ({ userId: ben.id }) },
  { type: 'message.list', payload: ({ chatId }) => ({ chatId, limit: 5 }) },
  { type: 'message.get', payload: ({ chatId, messageId }) => ({ chatId, messageId }) },
  { type: 'message.search', payload: ({ chatId }) => ({ q: 'hello', chat: chatId }) },
  { type: 'message.edit', payload: ({ messageId }) => ({ messageId, content: 'Hello' }) },
  { type: 'message.read', payload: ({ chatId, seq }) => ({ chatId, seq }) },
  { type: 'campaign.create', payload: () => ({ name: 'The long winter' }) },
  { type: 'user.update', payload: () => ({ name: 'Annabel' }) }, // in a chat and a campaign by now
  { type: 'typing', payload: ({ chatId }) => ({ chatId, active: true }) },
  { type: 'message.delete', payload: ({ messageId }) => ({ messageId }) },
  { type: 'offer.create', payload: offer },
  { type: 'offer.get', payload: ({ offerId }) => ({ offerId }) },
  {
    type: 'offer.update',
    by: 'ben',
    payload: ({ offerId }) => ({ offerId, action: 'counter', counter: { amount: '4' } }),
  },
  { type: 'offer.update', payload: ({ offerId }) => ({ offerId, action: 'accept' }) },
  { type: 'offer.create', payload: offer },
  { type: 'offer.update', by: 'ben', payload: ({ offerId }) => ({ offerId, action: 'reject' }) },
  { type: 'offer.create', payload: offer },
  { type: 'offer.update', payload: ({ offerId }) => ({ offerId, action: 'withdraw' }) },
  { type: 'offer.list', payload: ({ chatId }) => ({ chatId }) },
  { type: 'offer.mine', payload: () => ({ status: 'accepted' }) },
  { type: 'offer.create', payload: offer }, // which expires
  { type: 'member.remove', payload: ({ chatId, ben }) => ({ chatId, userId: ben.id }) },
  { type: 'campaign.list' },
  { type: 'campaign.get', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'campaign.update', payload: ({ campaignId }) => ({ campaignId, version: 1, description: 'Cold' }) },
  { type: 'campaign.time.advance', payload: ({ campaignId }) => ({ campaignId, advanceSeconds: 60 }) },
  { type: 'campaign.member.add', payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id }) },
  { type: 'campaign.member.list', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'campaign.member.get', payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id }) },
  {
    type: 'campaign.member.update',
    payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id, role: 'editor' }),
  },
  { type: 'campaign.member.remove', payload: ({ campaignId, ben }) => ({ campaignId, userId: ben.id }) },
  { type: 'kingdom.create', payload: ({ campaignId }) => ({ campaignId, name: 'Northmark' }) },
  { type: 'kingdom.list', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'kingdom.get', payload: ({ kingdomId }) => ({ kingdomId }) },
  { type: 'kingdom.update', payload: ({ kingdomId }) => ({ kingdomId, version: 1, name: 'Southmark' }) },
  {
    type: 'settlement.create',
    payload: ({ kingdomId }) => ({
      kingdomId,
      name: 'Harrow',
      variables: { mayor: 'Ada' },
      variableSchemas: [
        { name: 'mayor', type: 'enum', options: ['Ada', 'Bo'] },
        { name: 'population', type: 'number', min: 0 },
      ],
    }),
  },
  { type: 'settlement.list', payload: ({ kingdomId }) => ({ kingdomId }) },
  { type: 'settlement.get', payload: ({ settlementId }) => ({ settlementId }) },
  {
    type: 'settlement.update',
    payload: ({ settlementId }) => ({ settlementId, version: 1, variables: { population: 90.5 } }),
  },
  { type: 'structure.create', payload: ({ settlementId }) => ({ settlementId, name: 'Keep', type: 'keep' }) },
  { type: 'structure.list', payload: ({ settlementId }) => ({ settlementId }) },
  { type: 'structure.get', payload: ({ structureId }) => ({ structureId }) },
  { type: 'structure.update', payload: ({ structureId }) => ({ structureId, version: 1, level: 3 }) },
  { type: 'campaign.tree', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'structure.delete', payload: ({ structureId }) => ({ structureId }) },
  { type: 'settlement.delete', payload: ({ settlementId }) => ({ settlementId }) },
  { type: 'kingdom.delete', payload: ({ kingdomId }) => ({ kingdomId }) },
  { type: 'campaign.owner.change', payload: ({ campaignId, ann }) => ({ campaignId, userId: ann.id }) },
  { type: 'campaign.delete', payload: ({ campaignId }) => ({ campaignId }) },
  { type: 'player.create', by: 'ben', payload: () => ({ handle: 'ben' }) },
  { type: 'player.create', payload: () => ({ handle: 'ann' }) },
  { type: 'player.state' },
  { type: 'player.list', payload: () => ({ sort: 'xp' }) },
  { type: 'player.get', payload: ({ playerId }) => ({ playerId }) },
  { type: 'computer.scan' },
  { type: 'computer.buy', payload: () => ({ name: 'Garage' }) },
  { type: 'computer.get', payload: ({ targetComputerId }) => ({ computerId: targetComputerId }) },
  { type: 'defense.install', payload: ({ computerId }) => ({ computerId, type: 'ids' }) },
  { type: 'unlock.list' },
  { type: 'unlock.buy', payload: () => ({ key: 'networking' }) },
  { type: 'hack.start', payload: hack },
  { type: 'hack.list', payload: () => ({ role: 'attacker' }) },
  { type: 'hack.get', payload: ({ hackId }) => ({ hackId }) },
  { type: 'hack.abort', payload: ({ hackId }) => ({ hackId }) },
  { type: 'hack.start', payload: hack }, // which succeeds
  {
    type: 'hack.start',
    by: 'ben',
    payload: ({ computerId }) => ({ targetComputerId: computerId, type: 'ddos' }),
  }, // fails
  { type: 'job.create', payload: () => ({ type: 'a', payload: { n: [1] } }) },
  { type: 'job.list', payload: () => ({ status: 'queued', type: 'a' }) },
  { type: 'job.get', payload: ({ jobId }) => ({ jobId }) },
  { type: 'job.progress', payload: (made) => ({ ...leased(made), current: 1, total: 2, message: 'Half' }) },
  { type: 'job.complete', payload: (made) => ({ ...leased(made), result: 'done' }) },
  { type: 'job.create', payload: () => ({ type: 'a', payload: null }) },
  { type: 'job.fail', payload: (made) => ({ ...leased(made), error: 'No.' }) },
  { type: 'job.cancel', payload: ({ jobId }) => ({ jobId }) },
  { type: 'job.retry', payload: ({ jobId }) => ({ jobId }) },
  { type: 'admin.job.list', payload: () => ({ type: 'a' }) },
  { type: 'poll.create', payload: () => ({ question: 'Tea?', options: ['Yes', 'No'] }) },
  { type: 'poll.vote', payload: ({ pollId }) => ({ pollId, option: 0 }) },
  { type: 'poll.get', payload: ({ pollId }) => ({ pollId }) },
  { type: 'admin.user.list' },
  { type: 'admin.audit.list', payload: () => ({ limit: 1 }) },
  { type: 'admin.user.update', payload: ({ ben }) => ({ userId: ben.id, role: 'worker', disabled: true }) },
  { type: 'session.revoke', payload: ({ ann }) => ({ sessionId: ann.sessionId }) },
  { type: 'session.logout' },
];

onEachDatabase('the document of the socket', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let ben: TestUser;
  let commands: Command[];
  let topics: Kind[];
  let events: EventEntry[];
  let schemas: Record<string, JsonSchema>;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'ann@example.com' }, [pollsModule]);
    await createPollTables(server.db);
    [ann, ben] = [await server.register('Ann', { email: 'ann@example.com' }), await server.register('Ben')];
    const { status, body } = await server.request('GET', '/socket/json');
    expect(status).toBe(200);
    ({
      commands,
      topics,
      events,
      components: { schemas },
    } = body);
  });

  const misfitsOf = (schema: JsonSchema, value: unknown) => listMisfits(schema, value, schemas);

  test('every command in it is known, and its example fits its schema', async () => {
    expect(commands.length).toBeGreaterThan(30);
    const client = await server.connect(await server.register('Cid'));
    for (const { type, example, payload } of commands) {
      const given = (example as Frame).payload; // a frame
      expect([type, misfitsOf(payload, given)]).toEqual([type, []]);
      if (type === 'session.logout') continue; // with the connection it would end the rest of this test
      const reply = await client.request(type, given, { topic: (example as Frame).topic });
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
      /^(?:auth|health|reaction)[.]|^(?:password[.]change|email[.]verify|user[.]delete)$|^offer[.](?:accept|reject|withdraw|counter)$|^job[.]claim$/.test(
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
    expect(commands.map(({ type }) => type).sort()).toEqual(expected.sort());
    const client = await server.connect(ann);
    expect(onlyHttp.length).toBe(18);
    for (const name of onlyHttp) {
      expect([name, (await client.request(name)).error?.code]).toEqual([name, 'unknown_command']);
    }
    client.close();
  });

  test('every event that comes of any command is in it, with the payload that it shows', async () => {
    expect(new Set(steps.map(({ type }) => type))).toEqual(new Set(commands.map(({ type }) => type)));
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
      ann: other,
      ben,
    };
    const client = await server.connect(annAgain);
    const [mine, theirs] = [await server.connect(await server.login(ann)), await server.connect(ben)];
    await mine.subscribe(`user:${ann.id}`);
    for (const topic of [`user:${ann.id}:jobs`, 'admin:jobs']) await mine.subscribe(topic);
    await theirs.subscribe(`user:${ben.id}`);
    made.ann = { ...annAgain, sessionId: other.sessionId };
    for (const { type, topic: named, payload, by } of steps) {
      const command = commands.find((candidate) => candidate.type === type);
      if (command === undefined) throw new Error(`The document has no ${type}.`);
      const about = type === 'subscribe' ? (named ?? `chat:${made.chatId}`) : named;
      if (type === 'message.read') await theirs.subscribe(`chat:${made.chatId}`); // and hears who is typing
      const given = payload?.(made) ?? {};
      expect([type, misfitsOf(command.payload, given)]).toEqual([type, []]);
      if (type === 'session.logout') {
        // The connection goes with its session, before the reply or behind it.
        client.send({ type, payload: given });
        expect(await client.closed).toMatchObject({ code: 4403, reason: 'logout' });
        break;
      }
      const reply = await (by === 'ben' ? theirs : client).request(type, given, { topic: about });
      expect([type, reply.error]).toEqual([type, undefined]);
      const { events: positions, ...output } = reply.payload ?? {};
      if (command.reply !== undefined) expect([type, misfitsOf(command.reply, output)]).toEqual([type, []]);
      if (command.writes !== 'sometimes')
        expect([type, positions !== undefined]).toEqual([type, command.writes]);
      if (type === 'chat.create') made.chatId = output.id;
      if (type === 'poll.create') made.pollId = output.id;
      if (type === 'offer.create' || type === 'offer.update') made.offerId = output.id;
      if (type === 'player.create' && by === 'ben') made.targetComputerId = output.computers[0].id;
      if (type === 'player.create' && by === undefined) {
        [made.playerId, made.computerId] = [output.player.id, output.computers[0].id];
        const rich = sql`money = 100000, xp = 95, shield_until = NULL`;
        await server.db.execute(sql`UPDATE players SET ${rich}`);
        await mine.subscribe(`player:${made.playerId}`);
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
      if (type === 'job.progress') await mine.next('job.progress');
      if (type === 'typing') await theirs.next('typing');
      if (type === 'message.send') await theirs.next('message.notified');
    }
    await server.db.execute(sql`UPDATE offers SET expires_at = now() WHERE status = 'pending'`);
    await mine.next('offer.expired');
    const rows = sql`SELECT topic, seq::int, type, payload::text FROM events`;
    const logged = await queryRows<Frame & { payload: string }>(server.db, rows);
    const durable = logged.map(({ payload, ...frame }) => ({ ...frame, payload: JSON.parse(payload) }));
    expectDocumented([...durable, ...live(mine), ...live(theirs)]);
    for (const each of [mine, theirs]) each.close();
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

  /** By the forms that the document shows. */
  const kindOf = (topic: string): string =>
    topics.find(({ name }) => new RegExp(`^${name.replace(/<\w+>/, '[^:]+')}$`).test(topic))?.kind ?? '';

  /** Ephemeral events. */
  const live = ({ frames }: TestClient): Frame[] =>
    frames.filter((frame) => frame.meta !== undefined && frame.seq === undefined);

  function expectDocumented(frames: Frame[]): void {
    const seen = new Set<string>();
    for (const { type, topic: name = '', seq, payload } of frames) {
      const kind = kindOf(name);
      if (kind === 'app') continue; // anything may be published
      seen.add(type);
      const entry = events.find((candidate) => candidate.type === type && candidate.on.includes(kind));
      expect([type, kind, entry?.isDurable]).toEqual([type, kind, seq !== undefined]);
      expect([type, entry && misfitsOf(entry.payload, payload)]).toEqual([type, []]);
    }
    // Those two are announced later than anybody waits here; test/protocol/presence.test.ts has them.
    const later = ['presence.joined', 'presence.left'];
    expect(new Set([...seen, ...later])).toEqual(new Set(events.map(({ type }) => type)));
  }
});
