// What HTTP refuses, on routes planted for the purpose: what no real route is supposed to do.

import { afterAll, describe, expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { DrizzleQueryError } from 'drizzle-orm';
import { type AnyElysia, Elysia } from 'elysia';
import { asRefusal } from '../../src/db/errors.ts';
import { createErrorAnswers } from '../../src/http/errors.ts';
import {
  bodyOf,
  leaveBody,
  leaveQuery,
  maxBodyBytes,
  maxSmallBodyBytes,
  noBody,
  queryOf,
} from '../../src/http/input.ts';
import { createMethodsOf } from '../../src/http/methods.ts';
import { AppError } from '../../src/protocol/errors.ts';
import { createApi } from '../support/api.ts';

describe('refusals over HTTP', () => {
  const bugs: { error: unknown; what: string }[] = [];
  const strict = { additionalProperties: false };
  const methodsOf = createMethodsOf(() => app.routes);
  const app: AnyElysia = new Elysia({ normalize: false })
    .onError(
      createErrorAnswers((error, what) => {
        const refusal = asRefusal(error);
        if (refusal !== undefined) return refusal;
        bugs.push({ error, what });
        return new AppError('internal', 'Something went wrong on the server.');
      }, methodsOf),
    )
    .onParse(leaveBody)
    .derive(leaveQuery)
    .post('/things', ({ body }) => body, {
      body: bodyOf(
        Type.Object({ name: Type.String({ minLength: 1 }), size: Type.Optional(Type.Integer()) }, strict),
      ),
    })
    .get('/things', ({ query }) => query, {
      query: queryOf(Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) }, strict)),
    })
    .post('/bell', () => ({ rung: true }), { body: noBody })
    .get('/lies', () => ({ token: 'a secret' }) as unknown as { count: number }, {
      response: { 200: Type.Object({ count: Type.Number() }) },
    })
    .get('/fails/:how', ({ params }) => {
      throw failures[params.how];
    });
  const failures: Record<string, unknown> = {
    bug: new TypeError('a secret'),
    thing: 'a secret string',
    slowly: new AppError('rate_limited', 'Too fast.', { retryAfterMs: 1_500 }),
    unauthorized: new AppError('unauthorized', 'Who are you?'),
    away: new DrizzleQueryError(
      'SELECT secret',
      [],
      Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    ),
    text: new DrizzleQueryError('SELECT', [], Object.assign(new Error('nul'), { code: '22021' })),
  };
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: app.fetch });
  const { request } = createApi(`http://127.0.0.1:${server.port}`);
  afterAll(() => server.stop(true));

  test('[X] what fits its schema passes', async () => {
    const answer = await request('POST', '/things', { body: { name: 'bell', size: 3 } });
    expect(answer).toMatchObject({ status: 200, body: { name: 'bell', size: 3 } });
  });

  test('[X] a wrong field is invalid, and details say where', async () => {
    const { status, body } = await request('POST', '/things', { body: { name: 7 } });
    expect(status).toBe(400);
    expect(body).toEqual({
      error: {
        code: 'invalid',
        message: 'The request does not fit. /body/name: Expected string',
        details: [{ path: '/body/name', message: 'Expected string' }],
      },
    });
  });

  test.each([
    ['an unknown field', '{"name":"bell","nmae":"x"}', '/body/nmae'],
    ['__proto__ as a field', '{"name":"bell","__proto__":{"size":1}}', '/body/__proto__'],
    ['toString as a field', '{"name":"bell","toString":"x"}', '/body/toString'],
    ['an object that is no text', '{"name":{"toString":"x"}}', '/body/name'],
    ['constructor as a field', '{"name":"bell","constructor":{"prototype":{}}}', '/body/constructor'],
    ['a missing field', '{}', '/body/name'],
    ['an array', '[]', '/body'],
    ['null', 'null', '/body'],
  ])('[X] %s is invalid', async (_, body, path) => {
    const answer = await request('POST', '/things', { body });
    expect(answer.status).toBe(400);
    expect(answer.body.error.code).toBe('invalid');
    expect(answer.body.error.details[0].path).toBe(path);
  });

  test('[X] at most 20 details are listed', async () => {
    const fields = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`f${n}`, n]));
    const { body } = await request('POST', '/things', { body: { name: 'bell', ...fields } });
    expect(body.error.details).toHaveLength(20);
  });

  test.each([
    ['a cut', '{"name":'],
    ['a brace too many', '{"name":"a"}}'],
    ['single quotes', "{'name':'a'}"],
    ['nothing', ''],
    ['no JSON value', 'NaN'],
    ['a NUL', '\u0000'],
    ['200,000 brackets', '['.repeat(200_000)],
  ])('[X] malformed JSON is invalid: %s', async (_, body) => {
    const answer = await request('POST', '/things', { body });
    expect(answer.status).toBe(400);
    expect(answer.body.error.code).toBe('invalid');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    '',
  ])('[X] a body of type "%s" is invalid', async (type) => {
    const answer = await request('POST', '/things', {
      body: '{"name":"a"}',
      headers: { 'Content-Type': type },
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain('application/json');
  });

  test('[X] a missing body is invalid where one is expected, and fine elsewhere', async () => {
    const expected = await request('POST', '/things');
    expect(expected).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', details: [{ path: '/body/name' }] } },
    });
    const typed = await request('POST', '/things', { headers: { 'Content-Type': 'application/json' } });
    expect(typed.status).toBe(400);
    expect(await request('POST', '/bell')).toMatchObject({ status: 200, body: { rung: true } });
  });

  test('[X] a route that takes no body lets an empty object pass, and nothing else', async () => {
    expect((await request('POST', '/bell', { body: {} })).status).toBe(200);
    for (const [body, path] of [
      ['{"loud":true}', '/body/loud'],
      ['[]', '/body'],
      ['null', '/body'],
    ] as const) {
      const answer = await request('POST', '/bell', { body });
      expect([body, answer.status, answer.body.error?.details[0].path]).toEqual([body, 400, path]);
    }
  });

  test('[X] a body is looked at in no time, however deep it is and whatever is wrong with it', async () => {
    const startedAt = performance.now();
    const fields = Array.from({ length: 100 }, (_, n) => `"f${n}":${'['.repeat(62)}${']'.repeat(62)}`);
    const answer = await request('POST', '/things', { body: `{"name":[],${fields}}` });
    expect(answer.body.error.details[0].path).toBe('/body/f0');
    for (const deep of [
      `${'['.repeat(65)}${']'.repeat(65)}`,
      `{"name":"a","name":${'['.repeat(500_000)}${']'.repeat(500_000)},"name":"b"}`,
      '['.repeat(1_000_000),
    ]) {
      const { body } = await request('POST', '/things', { body: deep });
      expect(body.error.details).toEqual([{ path: '/body', message: 'Expected at most 64 levels' }]);
    }
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test('[X] a content type with parameters is still JSON', async () => {
    const headers = { 'Content-Type': 'Application/JSON; charset=utf-8' };
    expect((await request('POST', '/things', { body: { name: 'a' }, headers })).status).toBe(200);
  });

  test('[X] an unknown or a wrong query parameter is invalid', async () => {
    const unknown = await request('GET', '/things?limt=1');
    expect(unknown.body.error).toMatchObject({ code: 'invalid', details: [{ path: '/query/limt' }] });
    const repeated = await request('GET', '/things?limit=1&limit=2');
    expect(repeated.body.error.details).toEqual([{ path: '/query/limit', message: 'Expected it once' }]);
    for (const limit of ['0', '1.5', 'x', '', '1e999', '%00']) {
      const answer = await request('GET', `/things?limit=${limit}`);
      expect(answer.status).toBe(400);
      expect(answer.body.error).toMatchObject({ code: 'invalid', details: [{ path: '/query/limit' }] });
    }
    expect((await request('GET', '/things?limit=7')).body).toEqual({ limit: 7 });
  });

  test('[X] a body over the limit is too large, announced or not', async () => {
    const body = JSON.stringify({ name: 'x'.repeat(maxBodyBytes) });
    const announced = await request('POST', '/things', { body });
    expect(announced).toMatchObject({ status: 413, body: { error: { code: 'too_large' } } });
    const chunked = await fetch(`http://127.0.0.1:${server.port}/things`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: new Blob([body]).stream(),
    });
    expect(chunked.status).toBe(413);
    expect(await chunked.json()).toMatchObject({ error: { code: 'too_large' } });
  });

  test('[X] where little is expected, a body over 16 KiB is too large, announced or not', async () => {
    const body = JSON.stringify({ loud: 'x'.repeat(maxSmallBodyBytes) });
    expect(await request('POST', '/bell', { body })).toMatchObject({
      status: 413,
      body: { error: { code: 'too_large', message: 'The body is larger than 16384 bytes.' } },
    });
    const chunked = await fetch(`http://127.0.0.1:${server.port}/bell`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: new Blob([body]).stream(),
    });
    expect(chunked.status).toBe(413);
    expect((await request('POST', '/bell', { body: '{}'.padEnd(maxSmallBodyBytes) })).status).toBe(200);
  });

  test('a body in pieces, none of them a whole character, is read whole', async () => {
    const bytes = new TextEncoder().encode('{"name":"\u{1f514}"}');
    const pieces = new ReadableStream({
      async pull(controller) {
        for (const byte of bytes) {
          controller.enqueue(new Uint8Array([byte]));
          await Bun.sleep(1);
        }
        controller.close();
      },
    });
    const answer = await fetch(`http://127.0.0.1:${server.port}/things`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: pieces,
    });
    expect(await answer.json()).toEqual({ name: '\u{1f514}' });
  });

  test.each([
    ['GET', '/nothing'],
    ['OPTIONS', '/nothing'],
    ['GET', '/things/%zz'],
    ['GET', '/%00'],
  ])('[X] %s %s is not found', async (method, path) => {
    const answer = await request(method, path);
    expect(answer).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
  });

  test('[X] a refusal to wait for says how long', async () => {
    const { status, headers, body } = await request('GET', '/fails/slowly');
    expect(status).toBe(429);
    expect(headers.get('Retry-After')).toBe('2');
    expect(body).toEqual({ error: { code: 'rate_limited', message: 'Too fast.', retryAfterMs: 1_500 } });
  });

  test('[X] a refusal for want of a token names the scheme', async () => {
    const { status, headers } = await request('GET', '/fails/unauthorized');
    expect(status).toBe(401);
    expect(headers.get('WWW-Authenticate')).toBe('Bearer');
  });

  test('[X] a database that is away is unavailable, for a second', async () => {
    const { status, headers, body } = await request('GET', '/fails/away');
    expect(status).toBe(503);
    expect(headers.get('Retry-After')).toBe('1');
    expect(body.error).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 });
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  test('[X] text that the database cannot keep is invalid', async () => {
    expect(await request('GET', '/fails/text')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid' } },
    });
  });

  test('[X] a bug is internal, discloses nothing and is reported with its cause', async () => {
    for (const how of ['bug', 'thing']) {
      bugs.length = 0;
      const { status, body } = await request('GET', `/fails/${how}?token=abc`);
      expect(status).toBe(500);
      expect(body).toEqual({ error: { code: 'internal', message: 'Something went wrong on the server.' } });
      expect(bugs).toEqual([{ error: failures[how], what: 'GET /fails/:how' }]);
    }
  });

  test('[X] an answer that does not fit its schema is a bug, and is not shown in the report', async () => {
    bugs.length = 0;
    const { status, body } = await request('GET', '/lies');
    expect(status).toBe(500);
    expect(body.error.code).toBe('internal');
    expect(bugs).toHaveLength(1);
    expect(String(bugs[0]?.error)).toContain('/response/count');
    expect(String(bugs[0]?.error)).not.toContain('secret');
  });
});
