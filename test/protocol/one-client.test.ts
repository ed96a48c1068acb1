// What one client can do to the others, with the limits as they are by default: next to nothing. The server and the attacker
// are processes of their own; meanwhile somebody else asks all the time, and is answered within 250 ms.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import { patienceMs, standBy } from '../support/bystander.ts';
import { type Ammunition, type FloodPlan, type FloodResult, startFlood } from '../support/flood.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { encodeFrame, opcodes } from '../support/raw-socket.ts';
import { onEachDatabase } from '../support/server.ts';
import { createGroup, range, type TestChat } from './chat.ts';

/** An empty variable counts as not set. */
const defaultLimits = {
  RATE_MESSAGES_PER_MINUTE: '',
  RATE_LOGINS_PER_MINUTE: '',
  RATE_REGISTRATIONS_PER_HOUR: '',
  MAX_COMMANDS_PER_SECOND: '',
};

onEachDatabase('one client', (_open, database) => {
  let server: ServerProcess;
  let ann: TestUser;
  let mallory: TestUser;
  let chat: TestChat;

  beforeAll(async () => {
    server = await spawnServer({ ...(await database.create()), ...defaultLimits });
    [ann, mallory] = [await server.register('Ann'), await server.register('Mallory')];
    chat = await createGroup(server, mallory);
  });
  afterAll(() => server.stop());

  /** Somebody else is served while the plan is carried out. */
  const attack = async (plan: Omit<FloodPlan, 'port'>, ammunition: Ammunition): Promise<FloodResult> => {
    const bystander = await standBy(server, ann);
    const result = await startFlood({ ...plan, port: server.port }, ammunition);
    expect(await bystander.leave()).toBeLessThan(patienceMs);
    return result;
  };
  const frames = (...texts: string[]): Ammunition => ({
    kind: 'frames',
    token: mallory.accessToken,
    bytes: Buffer.concat(texts.map((text) => encodeFrame(text))),
  });
  const memoryMiB = () =>
    Number(Bun.spawnSync(['ps', '-o', 'rss=', '-p', `${server.pid}`]).stdout.toString()) / 1_024;

  const deep = `${'['.repeat(31_000)}${']'.repeat(31_000)}`;
  const withMetadata = (metadata: string) =>
    `{"type":"message.send","key":"again","payload":{"chatId":"${chat.id}","content":"x","metadata":${metadata}}}`;

  test('[E1] that nests as deep as a frame can hold keeps nobody waiting', async () => {
    const { rounds } = await attack(
      { everyMs: 20, seconds: 2 },
      frames(withMetadata(`{"a":${deep}}`), withMetadata(`{"a":${deep},"a":1}`)),
    );
    expect(rounds).toBeGreaterThan(50);
  }, 30_000);

  test('[E6] that subscribes to 100 topics with each frame keeps nobody waiting', async () => {
    const topics = range(1, 100).map(() => ({ topic: `chat:${crypto.randomUUID()}`, since: 5 }));
    const { rounds } = await attack(
      { everyMs: 20, seconds: 2 },
      frames(JSON.stringify({ type: 'subscribe', payload: { topics } })),
    );
    expect(rounds).toBeGreaterThan(50);
  }, 30_000);

  test('[X] that logs in with a password of 1 MB keeps nobody waiting', async () => {
    const body = JSON.stringify({ email: ann.email, password: 'a'.repeat(1_000_000) });
    const { statuses } = await attack(
      { everyMs: 50, seconds: 2 },
      { kind: 'requests', path: '/v1/auth/login', body },
    );
    expect(statuses).toEqual([413]);
  }, 30_000);

  test('[X] that sends texts of 1 MB wherever they are too long keeps nobody waiting', async () => {
    const body = JSON.stringify({ content: 'a'.repeat(1_000_000) });
    const { statuses } = await attack(
      { everyMs: 50, seconds: 2 },
      { kind: 'requests', path: `/v1/chats/${chat.id}/messages`, token: mallory.accessToken, body },
    );
    expect(statuses).toEqual([400]);
  }, 30_000);

  test('[E6] that goes on and on over its limit keeps nobody waiting, and is closed with 1013', async () => {
    const before = memoryMiB();
    const pings = range(1, 1_000).map(() => '{"type":"ping"}');
    const { closeCode } = await attack({ everyMs: 0, seconds: 2 }, frames(...pings));
    expect(closeCode).toBe(1013);
    expect(memoryMiB() - before).toBeLessThan(100);
  }, 30_000);

  test('[E6] that floods with control frames keeps nobody waiting, and is closed with 1013', async () => {
    const before = memoryMiB();
    for (const opcode of [opcodes.ping, opcodes.pong]) {
      const bytes = Buffer.concat(range(1, 1_000).map(() => encodeFrame('x'.repeat(125), opcode)));
      const flood = { kind: 'frames', token: mallory.accessToken, bytes } as const;
      expect((await attack({ everyMs: 0, seconds: 2 }, flood)).closeCode).toBe(1013);
    }
    expect(memoryMiB() - before).toBeLessThan(100);
  }, 30_000);

  test('[E6] that sends a frame in empty fragments without end, 200,000 a second, keeps nobody waiting', async () => {
    const before = memoryMiB();
    const bytes = Buffer.concat(range(1, 1_000).map(() => encodeFrame('', opcodes.continuation, false)));
    const { rounds, closeCode } = await attack(
      { everyMs: 5, seconds: 2 },
      { kind: 'frames', token: mallory.accessToken, opening: encodeFrame('', opcodes.text, false), bytes },
    );
    expect(closeCode).toBeNull();
    expect(rounds).toBeGreaterThan(50);
    expect(memoryMiB() - before).toBeLessThan(100);
  }, 30_000);

  test('[E6] that sends frames in fragments of one byte, 200,000 a second, keeps nobody waiting', async () => {
    const characters = [...JSON.stringify({ type: 'ping' }).padEnd(1_000)];
    const fragments = characters.map((character, index) =>
      encodeFrame(character, index === 0 ? opcodes.text : opcodes.continuation, index === 999),
    );
    const { rounds } = await attack(
      { everyMs: 5, seconds: 2 },
      { kind: 'frames', token: mallory.accessToken, bytes: Buffer.concat(fragments) },
    );
    expect(rounds).toBeGreaterThan(50);
  }, 30_000);
});
