// No secret and nothing that anybody said stands in a log: everything that a server wrote, at its most talkative, while
// it was made to fail in every way, is searched for marked secrets.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { connectDatabase } from '../../src/db/connect.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { findFreePort } from '../support/child.ts';
import { openClient } from '../support/client.ts';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing } from '../support/postgres.ts';
import { spawnServer } from '../support/process.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { type Env, onEachDatabase } from '../support/server.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

/** Whatever of it is found in a log was somebody's. */
const mark = (what: string) => `marked-${what}-9f2c`;
const marks = /marked-[a-z]+-9f2c/g;

const jwtSecret = `${mark('jwtsecret')}, and 32 characters or more`;

function expectNoSecret(output: string, ...others: string[]): void {
  expect(output.match(marks) ?? []).toEqual([]);
  for (const secret of others) expect(output).not.toContain(secret);
}

onEachDatabase('what stands in the log', (_, database) => {
  /** Takes tables or columns away from under the server, so that statements fail which nobody expects to. */
  const breakTables = async (env: Env, ...changes: string[]) => {
    const away = changes.map((change) => `ALTER TABLE ${change};`).join(' ');
    if (env.DATABASE_URL !== undefined) {
      const client = new pg.Client({ connectionString: env.DATABASE_URL });
      await client.connect();
      await client.query(away);
      await client.end();
      return;
    }
    const config = { databaseUrl: undefined, databasePool: 1, dataDir: env.DATA_DIR ?? '' };
    const own = await connectDatabase(config, createLogger({ ...quiet, ...config, logLevel: 'silent' }));
    for (const statement of away.split(/(?<=;) /)) await own.db.execute(sql.raw(statement));
    await own.close();
  };
  const quiet = { logFormat: 'json', instanceId: 'one', jwtSecret, redisUrl: undefined } as const;

  test('neither messages nor passwords nor tokens, whatever statement fails', async () => {
    const env: Env = {
      ...(await database.create()),
      JWT_SECRET: jwtSecret,
      METRICS_TOKEN: mark('metricstoken'),
      LOG_LEVEL: 'trace',
    };
    // Everything that a message needs, before the table goes.
    const first = await spawnServer(env);
    const ann = await first.register('Ann', { password: mark('password') });
    const ben = await first.register('Ben');
    const chat = await first.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [ben.id] },
    });
    await first.stop();
    await breakTables(env, 'messages RENAME TO messages_away', 'users RENAME TO users_away');

    const collector = `http://someone:${mark('collector')}@127.0.0.1:${findFreePort()}`; // nobody takes the traces
    const server = await spawnServer({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector });
    const client = await openClient(`ws://127.0.0.1:${server.port}/ws?token=${ann.accessToken}`);
    await client.closed; // the user cannot be read
    const token = ann.accessToken;
    const messages = `/v1/chats/${chat.body.id}/messages`;
    const answers = [
      await server.request('POST', messages, { token, body: { content: mark('message') } }),
      await server.request('POST', '/v1/auth/register', {
        body: { name: mark('name'), email: `${mark('email')}@example.com`, password: mark('password') },
      }),
      await server.request('POST', '/v1/auth/login', {
        body: { email: `${mark('email')}@example.com`, password: mark('password') },
      }),
      await server.request('POST', '/v1/auth/refresh', { body: { refreshToken: ben.refreshToken } }),
      await server.request('POST', '/v1/auth/refresh', { body: { refreshToken: mark('refresh') } }),
      await server.request('GET', `/v1/users/me?token=${mark('query')}`, { token: mark('bearer') }),
      await server.request('GET', `/v1/${mark('path')}?x=${mark('query')}`, { token }),
      await server.request('GET', `/v1/topics/app:${mark('topic')}/events`, {
        token,
        headers: { 'X-Request-Id': `Bearer ${mark('header')}`, 'X-Correlation-Id': `a b ${mark('header')}` },
      }),
      await server.request('GET', '/metrics', { token: mark('bearer') }),
    ];
    expect(answers.filter(({ status }) => status === 500).length).toBeGreaterThanOrEqual(3);
    const bad = await openClient(`ws://127.0.0.1:${server.port}/ws?token=${mark('query')}`);
    await bad.closed;
    await server.stop();

    // It was said what failed, and that is all.
    expect(first.output + server.output).toContain('Failed query');
    expect(server.output).toContain('does not exist');
    const tokens = [ann, ben].flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken]);
    expectNoSecret(first.output + server.output, ...tokens);
  });

  test('no message where only the writing of it fails', async () => {
    const env: Env = { ...(await database.create()), JWT_SECRET: jwtSecret, LOG_LEVEL: 'trace' };
    const first = await spawnServer(env);
    const [ann, ben] = [await first.register('Ann'), await first.register('Ben')];
    const chat = await first.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [ben.id] },
    });
    await first.stop();
    await breakTables(env, 'messages RENAME COLUMN content TO content_away');

    const server = await spawnServer(env);
    const client = await server.connect(ann);
    const payload = { chatId: chat.body.id, content: mark('message'), metadata: { note: mark('metadata') } };
    const reply = await client.request('message.send', payload, { key: mark('key') });
    expect(reply.error).toMatchObject({ code: 'internal' });
    await server.stop();
    expect(server.output).toContain('Failed query');
    expectNoSecret(server.output);
  });
});

describeWith('a Redis that refuses the password', redisMissing, () => {
  test('does not bring it into the log', async () => {
    const redis = await startRedis({ password: 'another' });
    const folder = await createDataFolder();
    const url = `redis://someone:${mark('redis')}@127.0.0.1:${redis.port}`;
    const server = await spawnServer({ DATA_DIR: folder, REDIS_URL: url, LOG_LEVEL: 'trace' });
    await until(() => server.output.includes('WRONGPASS'), 'the refusal is said');
    await server.stop();
    expectNoSecret(server.output);
    await redis.stop();
    removeFolder(folder);
  });
});

describeWith('a PostgreSQL that is away', postgresMissing, () => {
  test('does not bring its password into the log', async () => {
    const url = `postgres://someone:${mark('database')}@127.0.0.1:${findFreePort()}/none`;
    const failure = await spawnServer({ DATABASE_URL: url, LOG_LEVEL: 'trace' }).catch(String);
    expect(failure).toContain('DATABASE_URL');
    expectNoSecret(String(failure));
  });
});

/** The lines that a logger writes about an error. */
function logged(error: unknown): string {
  const lines: string[] = [];
  const logger = createLogger(
    {
      logLevel: 'trace',
      logFormat: 'json',
      instanceId: 'one',
      jwtSecret,
      databaseUrl: `postgres://u:${mark('database')}@host/name`,
      redisUrl: `redis://:${encodeURIComponent(`${mark('redis')}"/`)}@host`,
    },
    { write: (line) => void lines.push(line) },
  );
  logger.error({ err: error }, 'it failed');
  for (const line of lines) JSON.parse(line); // whole, whatever was cut out
  return lines.join('');
}

test('of an error the log has its type, message, code, places and causes, and nothing else', () => {
  const cause = Object.assign(new Error('duplicate key'), {
    code: '23505',
    detail: `Key (email)=(${mark('email')}) already exists.`,
    where: mark('where'),
  });
  const error = Object.assign(new Error(`Failed query: insert $1\nparams: ${mark('message')}`, { cause }), {
    query: 'insert $1',
    params: [mark('message')],
    command: { name: 'auth', args: [mark('redis')] },
  });
  const { err } = JSON.parse(logged(error));
  expect(err).toEqual({
    type: 'Error',
    message: 'Failed query: insert $1',
    stack: expect.stringMatching(/^ +at /),
    cause: { type: 'Error', message: 'duplicate key', code: '23505', stack: expect.stringMatching(/^ +at /) },
  });
});

test.each([
  [
    'a value that the database could not read',
    Object.assign(new Error(`invalid input syntax for type uuid: "${mark('value')}"`), { code: '22P02' }),
  ],
  ['a URL with a password', new Error(`cannot connect to redis://user:${mark('secret')}@host:6379`)],
  ['the configured password of Redis', new Error(`WRONGPASS ${mark('redis')}"/`)],
  ['the configured password of the database', new Error(`no entry for ${mark('database')}`)],
  ['the secret that signs tokens', new Error(`key: ${jwtSecret}`)],
  ['a token in a query', new Error(`GET /ws?token=${mark('token')}&x=1`)],
  ['a bearer token', new Error(`Authorization: Bearer ${mark('token')}`)],
  [
    'one of several errors',
    new AggregateError([Object.assign(new Error('one'), { args: [mark('one')] })], 'all'),
  ],
  ['something that is no error', { password: mark('password') }],
])('%s is cut out', (_, error) => {
  expectNoSecret(logged(error));
});
