// Hello: credentials, the welcome, renewal, expiry, origins. [H1] to [H4], [H6]
// Over 400 lines: the stages of one greeting, told in their order, and what may go wrong at each.

import { beforeAll, expect, test } from 'bun:test';
import { AppError } from '../../src/protocol/errors.ts';
import { createMemoryCounts } from '../../src/realtime/counts/memory.ts';
import { Stream } from '../../src/realtime/hub/stream.ts';
import type { Socket } from '../../src/realtime/socket/connection.ts';
import { Connections } from '../../src/realtime/socket/connections.ts';
import { createHello, greetingMs, type HelloDeps } from '../../src/realtime/socket/hello.ts';
import { createTelemetry } from '../../src/telemetry/tracing.ts';
import type { TestUser } from '../support/api.ts';
import { type Frame, openClient, type TestClient } from '../support/client.ts';
import { createConnection } from '../support/connection.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { reporter } from '../support/reporter.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const badToken = 'eyJhbGciOiJub25lIn0.e30.';

onEachDatabase('hello', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let url: string;

  beforeAll(async () => {
    server = await open();
    url = `${server.url.replace('http', 'ws')}/ws`;
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
  });

  const welcomed = async (client: TestClient, user: TestUser) => {
    expect((await client.next('welcome')).payload.userId).toBe(user.id);
    client.close();
  };
  const refused = async (client: TestClient, id?: string) => {
    const error = await client.next('error');
    expect(error.error.code).toBe('unauthorized');
    expect(error.id).toBe(id);
    expect((await client.closed).code).toBe(4401);
    expect(client.frames.map(({ type }) => type)).toEqual(['error']);
  };

  test('[H1] takes the token from the Authorization header', async () => {
    for (const scheme of ['Bearer', 'bearer']) {
      const headers = { Authorization: `${scheme} ${ann.accessToken}` };
      await welcomed(await openClient(url, { headers }), ann);
    }
  });

  test('[H1] takes the token from a subprotocol, and chooses the one beside it', async () => {
    const offered = `carillon.v1, bearer.${ann.accessToken}`;
    const raw = await openRawSocket(server.port, { headers: { 'Sec-WebSocket-Protocol': offered } });
    expect(raw.status).toBe(101);
    expect(raw.head.toLowerCase()).toContain('sec-websocket-protocol: carillon.v1');
    expect(raw.head).not.toContain(ann.accessToken);
    expect((await raw.next(({ type }) => type === 'welcome')).payload.userId).toBe(ann.id);
    raw.destroy();
    const protocols = [`bearer.${bob.accessToken}`, 'carillon.v1'];
    await welcomed(await openClient(url, { protocols }), bob);
  });

  test('[H1] answers with no subprotocol but its own, whatever is offered', async () => {
    const bearer = `bearer.${ann.accessToken}`;
    for (const offered of [bearer, 'foo, bar', 'carillon.v2', `carillon.v2, ${bearer}`, undefined]) {
      const headers: Record<string, string> = offered ? { 'Sec-WebSocket-Protocol': offered } : {};
      const raw = await openRawSocket(server.port, { token: ann.accessToken, headers });
      expect(raw.status).toBe(101);
      expect(raw.head.toLowerCase()).not.toContain('sec-websocket-protocol');
      await raw.next(({ type }) => type === 'welcome');
      raw.destroy();
    }
  });

  test('[H1] takes the token from the query', async () => {
    await welcomed(await openClient(`${url}?token=${ann.accessToken}`), ann);
  });

  test('[H1] takes the token from a first frame, with or without an id', async () => {
    const client = await openClient(url);
    client.send({ type: 'auth', payload: { token: ann.accessToken } });
    await welcomed(client, ann);

    const withId = await openClient(url);
    withId.send({ id: 'hello', type: 'auth', payload: { token: bob.accessToken } });
    withId.send({ id: 'behind', type: 'ping' });
    await withId.next('pong');
    expect(withId.frames.map(({ type, id }) => [type, id])).toEqual([
      ['ok', 'hello'],
      ['welcome', undefined],
      ['pong', 'behind'],
    ]);
    withId.close();
  });

  test('[H1] lets the first credentials win, and looks at no others', async () => {
    const [a, b] = [ann.accessToken, bob.accessToken];
    const header = { Authorization: `Bearer ${a}` };
    await welcomed(
      await openClient(`${url}?token=${b}`, { headers: header, protocols: ['carillon.v1', `bearer.${b}`] }),
      ann,
    );
    await welcomed(await openClient(`${url}?token=${b}`, { protocols: ['carillon.v1', `bearer.${a}`] }), ann);
    const badHeader = { Authorization: `Bearer ${badToken}` };
    await refused(await openClient(`${url}?token=${a}`, { headers: badHeader }));
  });

  test('[H1] lets frames wait that come before the welcome', async () => {
    const raw = await openRawSocket(server.port, { token: ann.accessToken });
    raw.send('{"id":"early","type":"ping"}');
    const types: string[] = [];
    await raw.next(({ type }) => {
      types.push(type);
      return type === 'pong';
    });
    expect(types).toEqual(['welcome', 'pong']);
    raw.destroy();
  });

  test('[H2] upgrades, says unauthorized and closes with 4401 for bad credentials', async () => {
    const [head, body, signature = ''] = ann.accessToken.split('.');
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
    for (const token of [badToken, 'x', `${head}.${body}.${flipped}`, ann.refreshToken]) {
      await refused(await openClient(url, { headers: { Authorization: `Bearer ${token}` } }));
      await refused(await openClient(`${url}?token=${token}`));
      const byFrame = await openClient(url);
      byFrame.send({ id: 'mine', type: 'auth', payload: { token } });
      await refused(byFrame, 'mine');
    }
  });

  test('[H2] closes with 4401 for any other first frame', async () => {
    const others = [
      { id: 'a', type: 'ping' },
      { id: 'a', type: 'subscribe', topic: `user:${ann.id}` },
      { id: 'a', type: 'auth' },
      { id: 'a', type: 'auth', payload: { token: 7 } },
      { id: 'a', type: 'auth', payload: { token: ann.accessToken, extra: 1 } },
      { id: 'a', type: 'auth', payload: { token: ann.accessToken }, extra: 1 },
      { id: 'a', type: 'auth', payload: { token: ann.accessToken }, key: 'k' },
      { id: 'a', type: 'auth', payload: { token: ann.accessToken }, topic: `user:${ann.id}` },
      { id: 'a', type: 'AUTH' },
      { id: 'a' },
    ];
    for (const frame of others) {
      const client = await openClient(url);
      client.send(frame);
      await refused(client, 'a');
    }
    for (const bytes of [
      'nonsense',
      '[]',
      '{"id":7,"type":"auth"}',
      new TextEncoder().encode('{"type":"auth"}'),
    ]) {
      const client = await openClient(url);
      client.sendRaw(bytes);
      await refused(client);
    }
  });

  test('[H2] answers nothing that was sent behind bad credentials', async () => {
    const raw = await openRawSocket(server.port, { token: badToken });
    for (let n = 0; n < 20; n += 1) raw.send(`{"id":"${n}","type":"ping"}`);
    expect(await raw.closed).toBe(4401);
    expect(raw.frames.map(({ type, id }) => [type, id])).toEqual([['error', undefined]]);
  });

  test('[H2] closes with 1013 when the user has too many connections', async () => {
    const small = await open({ MAX_CONNECTIONS_PER_USER: '2' });
    const user = await small.register('Cy');
    const [first, second] = [await small.connect(user), await small.connect(user)];
    const third = await openClient(`${small.url.replace('http', 'ws')}/ws?token=${user.accessToken}`);
    expect((await third.next('error')).error).toMatchObject({ code: 'rate_limited', retryAfterMs: 1_000 });
    expect((await third.closed).code).toBe(1013);
    // Another user has places of its own, and those who are in stay.
    (await small.connect(await small.register('Di'))).close();
    expect([(await first.request('ping')).type, (await second.request('ping')).type]).toEqual([
      'pong',
      'pong',
    ]);
    first.close();
    second.close();
  });

  test('[H3] welcomes with everything that a client needs to know', async () => {
    const client = await server.connect(ann);
    expect(client.frames).toEqual([
      {
        type: 'welcome',
        payload: {
          connectionId: expect.any(String),
          userId: ann.id,
          sessionId: ann.sessionId,
          instanceId: expect.any(String),
          protocol: 1,
          expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
          heartbeatMs: expect.any(Number),
          limits: { frameBytes: 65_536, subscriptions: 200, commandsPerSecond: 0, snapshotBytes: 524_288 },
        },
      },
    ]);
    const lifeMs = Date.parse(client.welcome.expiresAt) - Date.now();
    expect(lifeMs).toBeGreaterThan(890_000);
    expect(lifeMs).toBeLessThanOrEqual(900_000);
    const other = await server.connect(ann);
    expect(other.welcome.connectionId).not.toBe(client.welcome.connectionId);
    expect(other.welcome.instanceId).toBe(client.welcome.instanceId);
    client.close();
    other.close();
  });

  test('[H4] renews with a token of the same user and session only', async () => {
    const client = await server.connect(ann);
    const renewed = await server.request('POST', '/v1/auth/refresh', {
      body: { refreshToken: ann.refreshToken },
    });
    const ok = await client.request('auth', { token: renewed.body.accessToken });
    expect(ok).toMatchObject({ type: 'ok', payload: { expiresAt: renewed.body.expiresAt } });

    const otherSession = await server.login(ann);
    for (const token of [bob.accessToken, otherSession.accessToken]) {
      expect((await client.request('auth', { token })).error.code).toBe('forbidden');
    }
    expect((await client.request('auth', { token: badToken })).error.code).toBe('unauthorized');
    expect((await client.request('auth', {})).error.code).toBe('invalid');
    // Refused, and still the user it was.
    expect((await client.request('subscribe', {}, { topic: `user:${ann.id}` })).type).toBe('ok');
    client.close();
  });

  test('[H4] warns at half-life, lives on when renewed, and closes with 4401 at the end', async () => {
    const brief = await open({ ACCESS_TOKEN_SECONDS: '3' });
    const user = await brief.register('Dee');
    const [renewing, resting] = [await brief.connect(user), await brief.connect(user)];
    const firstEnd = renewing.welcome.expiresAt;
    const warning = await renewing.next('auth.expiring');
    expect(warning).toEqual({ type: 'auth.expiring', payload: { expiresAt: firstEnd } });
    expect(Date.now()).toBeLessThan(Date.parse(firstEnd));
    const { body } = await brief.request('POST', '/v1/auth/refresh', {
      body: { refreshToken: user.refreshToken },
    });
    await renewing.request('auth', { token: body.accessToken });

    await resting.next('auth.expiring');
    expect((await resting.next('error')).error.code).toBe('unauthorized');
    expect((await resting.closed).code).toBe(4401);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(firstEnd));
    expect(resting.frames.map(({ type }) => type)).toEqual(['welcome', 'auth.expiring', 'error']);

    expect((await renewing.request('ping')).type).toBe('pong');
    expect((await renewing.next('auth.expiring')).payload).toEqual({ expiresAt: body.expiresAt });
    expect((await renewing.closed).code).toBe(4401);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(body.expiresAt));
  }, 20_000);

  test('[H4] does not let a token connect after its end', async () => {
    const brief = await open({ ACCESS_TOKEN_SECONDS: '1' });
    const user = await brief.register('Eve');
    const client = await openClient(`${brief.url.replace('http', 'ws')}/ws?token=${user.accessToken}`);
    await client.closed; // which is the end of the token
    await refused(await openClient(`${brief.url.replace('http', 'ws')}/ws?token=${user.accessToken}`));
  });

  test('[H6] refuses the upgrade from another origin with HTTP 403, and takes the listed ones exactly', async () => {
    const strict = await open({ ALLOWED_ORIGINS: 'https://app.example,http://localhost:3000' });
    const user = await strict.register('Fay');
    const upgrade = async (origin: string | undefined) => {
      const headers: Record<string, string> = origin === undefined ? {} : { Origin: origin };
      const raw = await openRawSocket(strict.port, { token: user.accessToken, headers });
      raw.destroy();
      return raw;
    };
    for (const origin of ['https://app.example', 'http://localhost:3000', undefined]) {
      expect((await upgrade(origin)).status).toBe(101);
    }
    const others = [
      'http://app.example',
      'https://app.example.evil.test',
      'https://app.example:8443',
      'null',
    ];
    for (const origin of others) {
      const raw = await upgrade(origin);
      expect(raw.status).toBe(403);
      expect(JSON.parse(raw.body)).toEqual({ error: { code: 'forbidden', message: expect.any(String) } });
    }
    // Nobody is asked where none are listed.
    const raw = await openRawSocket(server.port, {
      token: ann.accessToken,
      headers: { Origin: 'https://evil.test' },
    });
    expect(raw.status).toBe(101);
    raw.destroy();
  });

  // Once is enough: the database has no part in it.
  if (database.kind === 'embedded') {
    test('[H2] closes with 4408 what never says who it is, after 10 s and not before', async () => {
      const openedAt = performance.now();
      const client = await openClient(url);
      expect((await client.next('error', 15_000)).error.code).toBe('unauthorized');
      expect((await client.closed).code).toBe(4408);
      expect(performance.now() - openedAt).toBeGreaterThanOrEqual(greetingMs);
    }, 20_000);
  }
});

test('[H2] keeps to the deadlines by the clock that it is told', () => {
  const { connection, sent, closes, deps } = createGreeting(1_000);
  const hello = createHello(deps);
  hello.sweep(999);
  expect(closes).toEqual([]);
  hello.sweep(1_000);
  hello.sweep(2_000);
  expect(closes).toEqual([4408]);
  expect(sent.map((frame) => frame.error.code)).toEqual(['unauthorized']);
  expect(connection.isClosed).toBe(true);
});

test('[H4] warns once, 60 s before the end of a long token, and closes at the end', async () => {
  const expiresAtMs = Date.now() + 900_000;
  const { connection, sent, closes, deps } = createGreeting(Date.now() + 10_000, expiresAtMs);
  const hello = createHello(deps);
  await hello.greet(connection, 'good');
  hello.sweep(expiresAtMs - 60_001);
  expect(sent.map(({ type }) => type)).toEqual(['welcome']);
  hello.sweep(expiresAtMs - 60_000);
  hello.sweep(expiresAtMs - 1);
  expect(sent.map(({ type }) => type)).toEqual(['welcome', 'auth.expiring']);
  hello.sweep(expiresAtMs);
  expect(closes).toEqual([4401]);
});

test('[H4] warns by the life of the token, however late it connects; at once where the time is past', async () => {
  const now = Date.now();
  const tokens = [
    { lifeMs: 900_000, leftMs: 80_000, warnsInMs: 20_000 },
    { lifeMs: 900_000, leftMs: 30_000, warnsInMs: 0 },
    { lifeMs: 40_000, leftMs: 30_000, warnsInMs: 10_000 },
    { lifeMs: 40_000, leftMs: 10_000, warnsInMs: 0 },
  ];
  for (const { lifeMs, leftMs, warnsInMs } of tokens) {
    const expiresAtMs = now + leftMs;
    const { connection, sent, deps } = createGreeting(now + 10_000, expiresAtMs, expiresAtMs - lifeMs);
    const hello = createHello(deps);
    await hello.greet(connection, 'good');
    if (warnsInMs > 0) hello.sweep(now + warnsInMs - 1);
    expect(sent.map(({ type }) => type)).toEqual(['welcome']);
    hello.sweep(now + warnsInMs);
    expect(sent.map(({ type }) => type)).toEqual(['welcome', 'auth.expiring']);
  }
});

test('[H5] believes no reading of the session that its end, or another role, has overtaken', async () => {
  const change = {
    topic: 'user:u',
    seq: 1,
    type: 'session.revoked',
    frame: '{}',
    revokes: undefined,
    withheldFrom: undefined,
    rewrites: undefined,
  };
  for (const isRevoked of [true, false]) {
    const stream = new Stream('user:u', () => {});
    stream.open(0);
    const { connection, sent, closes, deps } = createGreeting(Date.now() + 10_000, Date.now() + 900_000);
    const hello = createHello({
      ...deps,
      hub: { follow: async () => stream, unfollow() {}, serves: () => true } as unknown as HelloDeps['hub'],
      async confirm(actor) {
        const hasChanged = stream.position > 0;
        stream.accept(change); // behind what is read, and before the answer is here
        if (hasChanged && isRevoked) throw new AppError('unauthorized', 'This session has ended.');
        return { ...actor, role: hasChanged ? 'admin' : 'user' };
      },
    });
    await hello.greet(connection, 'good');
    expect(sent.map(({ type }) => type)).toEqual([isRevoked ? 'error' : 'welcome']);
    expect(closes).toEqual(isRevoked ? [4401] : []);
    if (!isRevoked) expect(connection.actor.role).toBe('admin');
  }
});

test('[H2] lets nobody in on a stream of the user that was given up: it would bring no revocation', async () => {
  const { connection, sent, closes, deps } = createGreeting(Date.now() + 10_000, Date.now() + 900_000);
  const unfollowed: unknown[] = [];
  const stream = { position: 0 };
  const hub = {
    follow: async () => stream,
    unfollow: (given: unknown) => unfollowed.push(given),
    serves: () => false,
  };
  await createHello({ ...deps, hub: hub as unknown as HelloDeps['hub'] }).greet(connection, 'good');
  expect(sent.map(({ type, error }) => [type, error?.code])).toEqual([['error', 'unavailable']]);
  expect(closes).toEqual([1013]);
  expect(unfollowed).toEqual([stream]);
  expect(deps.connections.ofUser('u')).toEqual([]);
});

test('[H2] gives the last place of a user to one of two that come at once', async () => {
  const [one, two] = [1, 2].map(() => createGreeting(Date.now() + 10_000, Date.now() + 900_000));
  if (one === undefined || two === undefined) throw new Error('Two were made.');
  const waiting = Promise.withResolvers<void>();
  const hello = createHello({
    ...one.deps,
    maxConnectionsPerUser: 1,
    async confirm(actor) {
      await waiting.promise; // by now both have found room
      return actor;
    },
  });
  const greeting = [hello.greet(one.connection, 'good'), hello.greet(two.connection, 'good')];
  await new Promise(setImmediate);
  waiting.resolve();
  await Promise.all(greeting);
  expect(one.sent.map(({ type }) => type)).toEqual(['welcome']);
  expect(two.sent.map(({ error }) => error?.code)).toEqual(['rate_limited']);
  expect([one.closes, two.closes]).toEqual([[], [1013]]);
  expect(one.deps.connections.ofUser('u')).toEqual([one.connection]);
});

/** A connection on a fake socket, and a hello that finds every token good. */
function createGreeting(deadlineMs: number, expiresAtMs = 0, issuedAtMs = Date.now()) {
  const sent: Frame[] = [];
  const closes: number[] = [];
  const connection = createConnection({ greetingDeadlineMs: deadlineMs });
  const socket = {
    send: (frame: string) => sent.push(JSON.parse(frame)),
    close: (code: number) => void closes.push(code),
  };
  connection.open(socket as unknown as Socket, undefined); // all of a socket that a greeting touches
  const connections = new Connections();
  connections.add(connection);
  const actor = { userId: 'u', sessionId: 's', role: 'user', source: 'ws' } as const;
  const deps = {
    connections,
    hub: { follow: async () => ({ position: 0 }), unfollow() {}, serves: () => true },
    presence: { connect() {}, disconnect() {} },
    verify: async () => ({ actor, issuedAtMs, expiresAtMs }),
    confirm: async () => actor,
    onSeen() {},
    onLimited() {},
    reporter,
    telemetry: createTelemetry(),
    instanceId: 'test',
    counts: createMemoryCounts(),
    onRejected() {},
    limits: { frameBytes: 1, subscriptions: 1, commandsPerSecond: 1, snapshotBytes: 1 },
    maxConnectionsPerUser: 0,
  };
  return { connection, sent, closes, deps: deps as unknown as HelloDeps }; // likewise all that it touches
}
