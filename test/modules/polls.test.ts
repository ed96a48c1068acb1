// A module that was written as the guide says: all that it declares is there, and nothing had to be added for it.

import { beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import fc from 'fast-check';
import type { TestUser } from '../support/api.ts';
import type { TestClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import type { Poll, PollEvent, PollState } from './polls/contract.ts';
import { pollsModule } from './polls/index.ts';
import { apply } from './polls/state.ts';
import { createPollTables } from './polls/tables.ts';

const unknownId = '00000000-0000-7000-8000-000000000000';
const tea = { question: 'Tea or coffee?', options: ['Tea', 'Coffee'] };

test('a module has at most 90 lines beside its contract and its schema', async () => {
  const files = ['operations.ts', 'state.ts', 'index.ts'];
  const texts = await Promise.all(files.map((name) => Bun.file(join(import.meta.dir, 'polls', name)).text()));
  expect(texts.join('').trimEnd().split('\n').length).toBeLessThanOrEqual(90);
});

onEachDatabase('polls', (open) => {
  let server: TestServer;
  let root: TestUser;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'root@example.com' }, [pollsModule]);
    await createPollTables(server.db);
    root = await server.register('Root', { email: 'root@example.com' });
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
  });

  const post = (user: TestUser, path: string, body: unknown, key?: string) =>
    server.request('POST', `/v1${path}`, {
      token: user.accessToken,
      body,
      headers: key === undefined ? {} : { 'Idempotency-Key': key },
    });
  const create = async (): Promise<Poll> => {
    const { events: _, ...poll } = (await post(ann, '/polls', tea)).body;
    return poll;
  };
  /** Every event up to this seq, in the order in which they came. */
  const eventsUpTo = async (client: TestClient, topic: string, from: number, to: number) => {
    const events: PollEvent[] = [];
    for (let seq = from; seq <= to; seq += 1) {
      const frame = await client.next(
        (candidate) => candidate.topic === topic && candidate.seq !== undefined,
      );
      expect(frame.seq).toBe(seq);
      events.push({ type: frame.type, payload: frame.payload } as PollEvent); // of the kind's table
    }
    return events;
  };

  test('[O3] HTTP and the socket answer alike, and tell the event which it was', async () => {
    const client = await server.connect(bob);
    const overHttp = await post(ann, '/polls', tea);
    const overSocket = await client.request('poll.create', tea);
    expect(overHttp.status).toBe(201);
    for (const [answer, user] of [
      [overHttp.body, ann],
      [overSocket.payload, bob],
    ] as const) {
      const topic = `poll:${answer.id}`;
      const poll = { id: answer.id, ...tea, createdBy: user.id };
      expect(answer).toEqual({ ...poll, events: [{ topic, seq: 1 }] });
      await client.subscribe(topic, { since: 0 });
      const event = await client.next((frame) => frame.topic === topic);
      const source = user === ann ? 'http' : 'ws';
      expect(event).toMatchObject({ type: 'poll.created', seq: 1, payload: poll, meta: { source } });

      const voted = await client.request('poll.vote', { pollId: poll.id, option: 1 });
      expect(voted.payload).toEqual({
        pollId: poll.id,
        userId: bob.id,
        option: 1,
        events: [{ topic, seq: 2 }],
      });
      const state = { poll, votes: { [bob.id]: 1 } };
      expect((await client.request('poll.get', { pollId: poll.id })).payload).toEqual(state);
      const got = await server.request('GET', `/v1/polls/${poll.id}`, { token: ann.accessToken });
      expect(got).toMatchObject({ status: 200, body: state });
    }
    client.close();
  });

  test('both documents have its operations, its events, its kind of topic and its shapes', async () => {
    const { body: http } = await server.request('GET', '/swagger/json');
    const { body: socket } = await server.request('GET', '/asyncapi.json');
    const names = ['poll.create', 'poll.vote', 'poll.get'];
    const routes = [http.paths['/v1/polls'].post, http.paths['/v1/polls/{pollId}/votes'].post];
    const all = [...routes, http.paths['/v1/polls/{pollId}'].get];
    expect(all.map(({ operationId }) => operationId)).toEqual(names);
    expect(all.map(({ responses }) => Object.keys(responses))).toEqual([
      ['201', '400', '401', '409', '413', '500', '503'],
      ['200', '400', '401', '404', '409', '413', '429', '500', '503'],
      ['200', '400', '401', '404', '500', '503'],
    ]);
    expect(http.components.schemas).toMatchObject({
      Poll: { type: 'object' },
      PollState: { properties: { poll: { $ref: '#/components/schemas/Poll' } } },
    });
    expect(names.map((name) => socket.operations[name]?.action)).toEqual(['send', 'send', 'send']);
    expect(socket.operations['poll.create']).toMatchObject({
      'x-takesKey': true,
      'x-writes': true,
      'x-refuses': expect.arrayContaining(['conflict']),
    });
    expect(socket.channels.poll).toMatchObject({
      address: 'poll:{pollId}',
      'x-presence': false,
      'x-snapshot': { $ref: '#/components/schemas/PollState' },
    });
    const { messages } = socket.components;
    expect(Object.keys(socket.channels.poll.messages)).toEqual(['event.poll.created', 'event.poll.voted']);
    expect(messages['event.poll.created']).toMatchObject({
      name: 'poll.created',
      'x-durable': true,
      payload: { properties: { payload: { $ref: '#/components/schemas/Poll' } } },
    });
    expect(messages['event.poll.voted'].payload.properties.payload).toEqual({
      $ref: '#/components/schemas/Vote',
    });
  });

  test('[X] HTTP and the socket refuse alike: who is not logged in, what is not there, and what does not fit', async () => {
    const { id } = await create();
    const client = await server.connect(bob);
    expect((await server.request('GET', `/v1/polls/${id}`)).status).toBe(401);
    const cases: [pollId: string, body: object, code: string][] = [
      [unknownId, { option: 0 }, 'not_found'],
      [id, { option: 2 }, 'conflict'],
      [id, { option: 10 }, 'invalid'],
      [id, { option: 0, more: true }, 'invalid'],
      ['1', { option: 0 }, 'invalid'],
    ];
    for (const [pollId, body, code] of cases) {
      const overHttp = await post(bob, `/polls/${pollId}/votes`, body);
      const overSocket = await client.request('poll.vote', { pollId, ...body });
      expect([body, overHttp.body.error.code, overSocket.error?.code]).toEqual([body, code, code]);
    }
    const subscribe = (topic: string) => client.request('subscribe', {}, { topic });
    expect((await subscribe(`poll:${unknownId}`)).error.code).toBe('forbidden');
    expect((await subscribe('poll:1')).error).toMatchObject({
      code: 'unknown_topic',
      message: expect.stringContaining('poll:<id>'),
    });
    expect((await subscribe(`poll:${id}`)).type).toBe('ok');
    client.close();
  });

  test('[K1] one key is one poll, over HTTP or the socket', async () => {
    const client = await server.connect(ann);
    const first = await post(ann, '/polls', tea, 'one');
    const again = await client.request('poll.create', tea, { key: 'one' });
    expect(again.payload).toEqual(first.body);
    const other = await client.request('poll.create', { ...tea, question: 'Milk?' }, { key: 'one' });
    expect(other.error.code).toBe('conflict');
    // What takes no key refuses one.
    const vote = await client.request('poll.vote', { pollId: first.body.id, option: 0 }, { key: 'two' });
    expect(vote.error.code).toBe('invalid');
    client.close();
  });

  test('a limit counts over HTTP and the socket, by user', async () => {
    const { id } = await create();
    const cid = await server.register('Cid');
    const client = await server.connect(cid);
    for (let n = 0; n < 15; n += 1) {
      expect((await post(cid, `/polls/${id}/votes`, { option: 0 })).status).toBe(200);
      expect((await client.request('poll.vote', { pollId: id, option: 1 })).type).toBe('ok');
    }
    const refused = { code: 'rate_limited', retryAfterMs: expect.any(Number) };
    expect((await post(cid, `/polls/${id}/votes`, { option: 0 })).body.error).toMatchObject(refused);
    expect((await client.request('poll.vote', { pollId: id, option: 0 })).error).toMatchObject(refused);
    expect((await post(root, `/polls/${id}/votes`, { option: 0 })).status).toBe(200);
    client.close();
  });

  test('the audit log has a row for each poll, and knows the event by name', async () => {
    const { id } = await create();
    const { body } = await server.request('GET', '/v1/admin/audit?event=poll_created&limit=1', {
      token: root.accessToken,
    });
    expect(body.items).toMatchObject([{ event: 'poll_created', userId: ann.id, details: { pollId: id } }]);
  });

  test('[S3] the law: apply over the events between two snapshots turns the first into the second', async () => {
    const numRuns = 12;
    // So many that nobody votes more than 24 times, whatever is drawn.
    const voters = await Promise.all(
      Array.from({ length: numRuns }, (_, n) => server.register(`Voter ${n}`)),
    );
    let runs = 0;
    const client = await server.connect(bob);
    const votes = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 1 })), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(votes, async (sequence) => {
        const first = 3 * Math.floor(runs / 3);
        runs += 1;
        const poll = await create();
        const topic = `poll:${poll.id}`;
        const before = await client.subscribe(topic, { snapshot: true });
        await Promise.all(
          sequence.map(([n, option]) =>
            post(voters[first + n] ?? bob, `/polls/${poll.id}/votes`, { option }),
          ),
        );
        const events = await eventsUpTo(client, topic, before.seq + 1, before.seq + sequence.length);
        const after = await client.subscribe(topic, { snapshot: true });
        expect(after.seq).toBe(before.seq + sequence.length);
        expect(events.reduce(apply, before.snapshot as PollState)).toEqual(after.snapshot as PollState); // as the kind says
        expect(after.snapshot).toMatchObject({ poll });
      }),
      { numRuns },
    );
    client.close();
  });

  test('[S2] who was away resumes where it stood, and has the state of who was there', async () => {
    const poll = await create();
    const topic = `poll:${poll.id}`;
    const there = await server.connect(ann);
    const { snapshot } = await there.subscribe(topic, { snapshot: true });
    const away = await server.connect(ann);
    const { seq, epoch } = await away.subscribe(topic, { snapshot: true });
    away.close();
    await away.closed;
    const dan = await server.register('Dan');
    for (const option of [0, 1, 0]) await post(dan, `/polls/${poll.id}/votes`, { option });

    const back = await server.connect(ann);
    expect(await back.subscribe(topic, { since: seq, epoch })).toMatchObject({
      seq,
      head: seq + 3,
      replay: 3,
    });
    const missed = await eventsUpTo(back, topic, seq + 1, seq + 3);
    expect(missed).toEqual(await eventsUpTo(there, topic, seq + 1, seq + 3));
    const { body } = await server.request('GET', `/v1/polls/${poll.id}`, { token: ann.accessToken });
    expect(missed.reduce(apply, snapshot as PollState)).toEqual(body); // as the kind says
    for (const client of [there, back]) client.close();
  });
});
