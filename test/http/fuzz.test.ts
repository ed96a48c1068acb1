// Requests that nobody would send, for every route of the OpenAPI document: none fails inside, and nobody else notices. [X]
// A failing seed is printed: FUZZ_SEED repeats its run.

import { beforeAll, expect, test } from 'bun:test';
import fc from 'fast-check';
import { pollsModule } from '../modules/polls/index.ts';
import { createPollTables } from '../modules/polls/tables.ts';
import type { TestUser } from '../support/api.ts';
import { type JsonSchema, valuesOf } from '../support/json-schema.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const numRuns = 40;

interface Route {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { name: string; in: string; schema: JsonSchema }[];
  readonly body: JsonSchema | undefined;
}

interface Operation {
  operationId: string;
  parameters: Route['parameters'];
  requestBody?: { content: { 'application/json': { schema: JsonSchema } } };
}

onEachDatabase('fuzz over HTTP', (open) => {
  let server: TestServer;
  /** An admin: whoever may less is refused before anything can fail. */
  let root: TestUser;
  let routes: Route[];
  /** Texts that name something, or that something could choke on. */
  let known: fc.Arbitrary<string>;
  /** What is there, by the name of the field. */
  let made: Record<string, string>;
  /** Those that did something, some time. */
  const succeeded = new Set<string>();
  console.log(`fuzz: FUZZ_SEED=${seed}`);

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'root@example.com' }, [pollsModule]);
    await createPollTables(server.db);
    root = await server.register('Root', { email: 'root@example.com' });
    const { body: docs } = await server.request('GET', '/swagger/json');
    const all = Object.entries<Record<string, Operation>>(docs.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        operation,
      })),
    );
    expect(all.map(({ operation }) => operation.operationId)).toEqual(
      expect.arrayContaining([
        'auth.login',
        'chat.create',
        'publish',
        'offer.counter',
        'job.claim',
        'poll.vote',
        'admin.audit.list',
      ]),
    );
    // They would end the session by which all others are tried.
    const ending = ['session.logout', 'session.revoke'];
    routes = all
      .filter(({ operation }) => !ending.includes(operation.operationId))
      .map(({ method, path, operation: { parameters, requestBody } }) => ({
        method,
        path,
        parameters,
        body: requestBody?.content['application/json'].schema,
      }));
    const token = root.accessToken;
    const create = async (path: string, body: object) =>
      (await server.request('POST', `/v1${path}`, { token, body })).body.id as string; // of what was created
    const chatId = await create('/chats', { type: 'group', name: 'Fuzz', participantIds: [] });
    const messageId = await create(`/chats/${chatId}/messages`, { content: 'x' });
    const pollId = await create('/polls', { question: 'Tea?', options: ['Yes', 'No'] });
    const campaignId = await create('/campaigns', { name: 'Fuzz' });
    const kingdomId = await create(`/campaigns/${campaignId}/kingdoms`, { name: 'Fuzz' });
    const settlementId = await create(`/kingdoms/${kingdomId}/settlements`, { name: 'Fuzz' });
    const ofStructure = { name: 'Fuzz', type: 'keep' };
    const structureId = await create(`/settlements/${settlementId}/structures`, ofStructure);
    const other = await server.register('Other');
    // Made by the other one, so that it is root's to answer.
    await create(`/chats/${chatId}/members`, { userId: other.id });
    const { body: offer } = await server.request('POST', `/v1/chats/${chatId}/offers`, {
      token: other.accessToken,
      body: { recipientId: root.id, title: 'x', amount: '1', currency: 'EUR' },
    });
    const offerId: string = offer.id;
    const jobId = await create('/jobs', { type: 'fuzz', payload: {} });
    const { body: claimed } = await server.request('POST', '/v1/jobs/claim', {
      token,
      body: { types: ['fuzz'], workerId: 'fuzz', max: 1, waitSeconds: 0 },
    });
    const { leaseId } = claimed.items[0];
    const names = [
      campaignId,
      kingdomId,
      settlementId,
      structureId,
      chatId,
      messageId,
      pollId,
      offerId,
      jobId,
      leaseId,
      other.id,
      crypto.randomUUID(),
      'app:public.fuzz',
      '2026-11-21T09:30:00Z',
    ];
    made = {
      chatId,
      messageId,
      pollId,
      offerId,
      jobId,
      leaseId,
      userId: other.id,
      recipientId: other.id,
      amount: '5',
      currency: 'EUR',
      campaignId,
      kingdomId,
      settlementId,
      structureId,
      topic: 'app:public.fuzz',
    };
    known = fc.constantFrom(...names, '', ' ', '\0', '\ud800', '%', '%00', '..', '__proto__', '1e999', '-1');
  });

  const ask = async ({ method, path }: Route, given: Record<string, unknown>) => {
    const {
      path: fields,
      query,
      header,
      body,
    } = given as Record<string, Record<string, unknown> | undefined>; // as below
    const textOf = (value: unknown) =>
      typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value);
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(textOf(fields?.[name]) || 'x'),
    );
    const asked = Object.entries(query ?? {}).map(([name, value]) => [name, textOf(value)]);
    const headers = Object.entries(header ?? {}).flatMap(([name, value]) =>
      // Others no client can send.
      typeof value === 'string' && /^[\x20-\x7e\xa0-\xff]*$/.test(value) ? [[name, value]] : [],
    );
    const { status, body: answer } = await server.request(method, `${filled}?${new URLSearchParams(asked)}`, {
      token: root.accessToken,
      body: method === 'GET' ? undefined : withoutWait(body),
      headers: Object.fromEntries(headers),
    });
    if (status < 300) succeeded.add(`${method} ${path}`);
    if (status >= 500) throw new Error(`${method} ${filled}: ${status} ${JSON.stringify(answer)}`);
    if (status >= 400)
      expect(answer.error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
  };

  /** Nobody waits here for what does not come. */
  const withoutWait = (body: unknown) =>
    typeof body === 'object' && body !== null && 'waitSeconds' in body && typeof body.waitSeconds === 'number'
      ? { ...body, waitSeconds: Math.min(0, body.waitSeconds) }
      : body;

  const tryAll = async (
    shape: (schema: JsonSchema, name: string) => fc.Arbitrary<unknown>,
    anyBody: fc.Arbitrary<unknown>,
  ) => {
    for (const route of routes) {
      const parts = Map.groupBy(route.parameters, (parameter) => parameter.in);
      const fields = [...parts].map(([place, parameters]) => [
        place,
        fc.record(
          Object.fromEntries(parameters.map(({ name, schema }) => [name, shape(schema, name)])),
          place === 'path' ? {} : { requiredKeys: [] },
        ),
      ]);
      const body = route.body === undefined ? anyBody : fc.oneof(shape(route.body, ''), anyBody);
      await fc.assert(
        fc.asyncProperty(fc.record({ ...Object.fromEntries(fields), body }), (given) => ask(route, given)),
        { seed, numRuns },
      );
    }
    const { status } = await server.request('GET', '/v1/users/me', { token: root.accessToken });
    expect(status).toBe(200);
  };

  test('[X] whatever has the form that the document shows is answered', async () => {
    const texts = (name: string) => {
      const there = made[name];
      return there === undefined ? known : fc.oneof({ weight: 9, arbitrary: fc.constant(there) }, known);
    };
    await tryAll((schema, name) => valuesOf(schema, texts, name), fc.constant({}));
    // Not the form alone: most of it has its effect, too.
    expect(succeeded.size).toBeGreaterThan(routes.length / 2);
  }, 60_000);

  test('[X] whatever has not is refused, and nothing fails inside', async () => {
    const value = fc.oneof(
      known,
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(-1, 1e308, 2 ** 53, 1.5, null),
    );
    await tryAll(() => value, value);
  }, 60_000);
});
