// Frames that nobody would send: whatever comes, it is answered or the connection is closed, nothing fails inside, and
// nobody else notices. [E5] A failing seed is printed: FUZZ_SEED repeats its run.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { pollsModule } from '../modules/polls/index.ts';
import { createPollTables } from '../modules/polls/tables.ts';
import type { TestUser } from '../support/api.ts';
import { commandsOf, payloadOf } from '../support/asyncapi.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { type JsonSchema, valuesOf } from '../support/json-schema.ts';
import { opcodes, openRawSocket, type RawSocket } from '../support/raw-socket.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { createGroup, sendMessage, type TestChat } from './chat.ts';

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const runs = { seed, numRuns: 400 };

const nested = (depth: number, open: string, close: string, inner = '1') =>
  open.repeat(depth) + inner + close.repeat(depth);

onEachDatabase('fuzz', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let chat: TestChat;
  let computerId: string;
  /** From the AsyncAPI document, but for those that end the session by which all others are tried. */
  let commands: { type: string; payload: JsonSchema }[];
  let bystander: TestClient;
  let victim: TestClient;
  console.log(`fuzz: FUZZ_SEED=${seed}`);

  beforeAll(async () => {
    server = await open({ MAX_CONNECTIONS_PER_USER: '0' }, [pollsModule]);
    await createPollTables(server.db);
    const { body } = await server.request('GET', '/asyncapi.json');
    commands = [...commandsOf(body).keys()]
      .filter((type) => !/^session[.](?:logout|revoke)$/.test(type))
      .map((type) => ({ type, payload: payloadOf(body, `command.${type}`) }));
    expect(commands.map(({ type }) => type)).toEqual(expect.arrayContaining(['chat.create', 'poll.vote']));
    ann = await server.register('Ann');
    chat = await createGroup(server, ann);
    const { accessToken: token } = ann;
    const { body: player } = await server.request('POST', '/v1/players', { token, body: { handle: 'ann' } });
    computerId = player.computers[0].id;
    bystander = await server.connect(ann);
    await bystander.subscribe(chat.topic);
    victim = await server.connect(ann);
  });
  afterAll(() => {
    bystander.close();
    victim.close();
  });

  /** What came for the frame before the marker behind it; a connection that was closed for it is replaced. */
  const answersTo = async (send: (client: TestClient) => void): Promise<Frame[]> => {
    const from = victim.frames.length;
    const client = victim;
    send(client);
    const marker = client.request('ping', {}, { id: `marker ${crypto.randomUUID()}` }).catch(() => undefined);
    const pong = await Promise.race([marker, client.closed.then(() => undefined)]);
    const frames = client.frames.slice(from).filter((frame) => frame !== pong);
    if (pong === undefined) {
      expect([4400, 1009]).toContain((await client.closed).code);
      victim = await server.connect(ann);
    }
    return frames;
  };
  const expectHarmless = async (send: (client: TestClient) => void) => {
    for (const { type, error } of await answersTo(send)) {
      if (type === 'error') expect(error.code).not.toBe('internal');
    }
  };
  const expectUnharmed = async () => {
    const { payload } = await sendMessage(bystander, chat, 'still here');
    const { seq } = await bystander.next((frame) => frame.payload?.id === payload.id);
    expect(seq).toBe(payload.seq);
  };

  test('[E5] takes any text and any bytes', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 2_000 }).filter((value) => value.isWellFormed());
    const bytes = fc.uint8Array({ maxLength: 2_000 }).map((value) => new Uint8Array(value));
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, bytes), (data) => expectHarmless((client) => client.sendRaw(data))),
      runs,
    );
    await expectUnharmed();
  }, 60_000);

  test('[E5] takes any JSON as a frame', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 5 }), (json) => expectHarmless((client) => client.sendRaw(json))),
      runs,
    );
    await expectUnharmed();
  }, 60_000);

  test('[E5] takes any payload, topic, id and key for each command', async () => {
    const known = fc.constantFrom(
      chat.id,
      ann.id,
      crypto.randomUUID(),
      chat.topic,
      `user:${ann.id}`,
      'x',
      '',
      '\0',
      '\ud800',
    );
    const value = fc.oneof(
      known,
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(-1, 1e308, 2 ** 53, 1.5, -0, Number.MAX_SAFE_INTEGER, true, null),
    );
    const names = [
      'chatId',
      'messageId',
      'content',
      'seq',
      'active',
      'metadata',
      'replyTo',
      'token',
      'topics',
      'since',
    ];
    const payload = fc.oneof(
      value,
      fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor'), value),
    );
    const frame = fc.record(
      {
        type: fc.constantFrom(...commands.map(({ type }) => type)),
        id: value,
        topic: value,
        key: value,
        payload,
      },
      { requiredKeys: ['type'] },
    );
    await fc.assert(
      fc.asyncProperty(frame, (given) => expectHarmless((client) => client.send(given))),
      { ...runs, numRuns: 1_500 },
    );
    await expectUnharmed();
  }, 60_000);

  test('[E5] takes whatever has the form that the document shows, for each command', async () => {
    const known = fc.constantFrom(
      chat.id,
      ann.id,
      crypto.randomUUID(),
      chat.topic,
      computerId,
      'app:public.fuzz',
      '\0',
      '\ud800',
    );
    for (const { type, payload } of commands) {
      const frame = fc.record(
        {
          type: fc.constant(type),
          id: fc.constant('f'),
          topic: known,
          key: fc.string(),
          payload: valuesOf(payload, () => known),
        },
        { requiredKeys: ['type', 'payload'] },
      );
      await fc.assert(
        fc.asyncProperty(frame, (given) => expectHarmless((client) => client.send(given))),
        { seed, numRuns: 25 },
      );
    }
    await expectUnharmed();
  }, 60_000);

  test('[E5] takes a valid frame with bytes turned over', async () => {
    const valid = JSON.stringify({
      id: 'a',
      type: 'message.send',
      key: 'k',
      payload: { chatId: chat.id, content: 'hello', metadata: { a: [1, { b: null }] } },
    });
    const flips = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 0x20, max: 0x7e })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(flips, (changes) => {
        const bytes = Buffer.from(valid);
        for (const [index, byte] of changes) bytes[index] = byte;
        return expectHarmless((client) => client.sendRaw(bytes.toString()));
      }),
      runs,
    );
    await expectUnharmed();
  }, 60_000);

  describe('named cases', () => {
    const payloads: [string, string][] = [
      ['deep arrays', nested(20_000, '[', ']')],
      ['deep objects', nested(8_000, '{"a":', '}')],
      ['unclosed brackets', '['.repeat(60_000)],
      [
        'deep metadata',
        `{"id":"d","type":"message.send","payload":{"chatId":"CHAT","content":"x","metadata":{"a":${nested(20_000, '[', ']')}}}}`,
      ],
      [
        'deep metadata with a key',
        `{"id":"d","type":"message.send","key":"deep","payload":{"chatId":"CHAT","content":"x","metadata":${nested(8_000, '{"a":', '}')}}}`,
      ],
      ['a deep payload for nothing', `{"id":"d","type":"ping","payload":${nested(8_000, '{"a":', '}')}}`],
      [
        'a huge number',
        `{"id":"d","type":"message.read","payload":{"chatId":"CHAT","seq":1${'0'.repeat(400)}}}`,
      ],
      [
        'a long number',
        `{"id":"d","type":"message.read","payload":{"chatId":"CHAT","seq":${'9'.repeat(60_000)}}}`,
      ],
      [
        'a seq beyond bigint',
        '{"id":"d","type":"message.read","payload":{"chatId":"CHAT","seq":9007199254740991}}',
      ],
      [
        'a lone surrogate',
        '{"id":"d","type":"message.send","payload":{"chatId":"CHAT","content":"\\ud800"}}',
      ],
      [
        'a lone surrogate as an id',
        '{"id":"\\ud800","type":"message.send","payload":{"chatId":"CHAT","content":"x"}}',
      ],
      [
        'a lone surrogate as a key',
        '{"id":"d","key":"\\udfff","type":"message.send","payload":{"chatId":"CHAT","content":"y"}}',
      ],
      ['a NUL', '{"id":"d","type":"message.send","payload":{"chatId":"CHAT","content":"\\u0000"}}'],
      ['a NUL as an id', '{"id":"\\u0000","type":"message.send","payload":{"chatId":"CHAT","content":"x"}}'],
      [
        'a NUL as a key',
        '{"id":"d","key":"\\u0000","type":"message.send","payload":{"chatId":"CHAT","content":"x"}}',
      ],
      [
        'a NUL in metadata',
        '{"id":"d","type":"message.send","payload":{"chatId":"CHAT","content":"x","metadata":{"\\u0000":"\\u0000"}}}',
      ],
      ['a NUL as a topic', '{"id":"d","type":"unsubscribe","topic":"\\u0000"}'],
      [
        'a NUL as an epoch',
        '{"id":"d","type":"subscribe","topic":"chat:CHAT","payload":{"since":0,"epoch":"\\u0000"}}',
      ],
      [
        '__proto__ as a field',
        '{"id":"d","type":"ping","__proto__":{"type":"x"},"payload":{"__proto__":{"polluted":1}}}',
      ],
      [
        'constructor as a field',
        '{"id":"d","type":"message.send","payload":{"constructor":{"prototype":{"polluted":1}}}}',
      ],
      [
        'many fields',
        `{"id":"d","type":"ping","payload":{${Array.from({ length: 5_000 }, (_, n) => `"f${n}":1`).join()}}}`,
      ],
      [
        'many topics',
        `{"id":"d","type":"subscribe","payload":{"topics":[${Array.from({ length: 3_000 }, () => '{"topic":"x"}').join()}]}}`,
      ],
      [
        'a string of spaces and one letter',
        `{"id":"d","type":"message.send","payload":{"chatId":"CHAT","content":"${' '.repeat(9_999)}\\u0001"}}`,
      ],
      ['the same field twice', '{"id":"d","type":"nonsense!","type":"ping"}'],
      ['a byte order mark', '\ufeff{"id":"d","type":"ping"}'],
    ];
    test.each(payloads)('[E5] takes %s', async (_, text) => {
      await expectHarmless((client) => client.sendRaw(text.replaceAll('CHAT', chat.id)));
      expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
      await expectUnharmed();
    });

    test('[E5] takes a frame in fragments, however small', async () => {
      const raw = await openRawSocket(server.port, { token: ann.accessToken });
      const text = '{"id":"fragmented","type":"ping"}';
      for (const [index, character] of [...text].entries()) {
        raw.send(character, index === 0 ? opcodes.text : opcodes.continuation, index === text.length - 1);
        if (index === 5) raw.send('in between', opcodes.ping);
      }
      expect((await raw.next(({ type }) => type !== 'welcome')).id).toBe('fragmented');
      raw.destroy();
    });

    test('[E5] closes with 1009 for what is too large in one frame or in many fragments', async () => {
      for (const fragment of [65_537, 32_768, 512]) {
        const raw = await openRawSocket(server.port, { token: ann.accessToken });
        await raw.next(({ type }) => type === 'welcome');
        for (let sent = 0; sent <= 65_536; sent += fragment) {
          const isLast = sent + fragment > 65_536;
          raw.send('x'.repeat(fragment), sent === 0 ? opcodes.text : opcodes.continuation, isLast);
        }
        expect(await raw.closed).toBe(1009);
      }
      await expectUnharmed();
    });

    test('[E5] closes the connection that breaks the WebSocket protocol itself, and no other', async () => {
      const breaches: [number, (raw: RawSocket) => void][] = [
        [1007, (raw) => raw.send(new Uint8Array([0x22, 0xff, 0xfe, 0x22]))], // text that is not UTF-8
        [1002, (raw) => raw.send('x', 0xb)], // an unknown opcode
        [1002, (raw) => raw.send('x', opcodes.continuation)], // of nothing
        [1002, (raw) => raw.send('x', opcodes.ping, false)], // a control frame in fragments
        [1002, (raw) => raw.send('x'.repeat(200), opcodes.ping)],
      ];
      for (const [code, breach] of breaches) {
        const raw = await openRawSocket(server.port, { token: ann.accessToken });
        await raw.next(({ type }) => type === 'welcome');
        breach(raw);
        expect(await raw.closed).toBe(code);
      }
      await expectUnharmed();
    });

    test('[E5] answers a broken upgrade without one, whatever its headers', async () => {
      const attempts: Record<string, string>[] = [
        { 'Sec-WebSocket-Version': '7' },
        { 'Sec-WebSocket-Key': '' },
        { Upgrade: 'nothing' },
        { 'Sec-WebSocket-Protocol': `bearer.${'x'.repeat(100_000)}` },
        Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`X-Header-${n}`, 'x'])),
      ];
      for (const headers of attempts) {
        const raw = await openRawSocket(server.port, { token: ann.accessToken, headers });
        if (raw.status !== 101) expect([400, 426, 431, Number.NaN]).toContain(raw.status);
        raw.destroy();
      }
      await expectUnharmed();
    });
  });
});
