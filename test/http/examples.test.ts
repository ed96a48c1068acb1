// The examples of both documents work as they stand: each operation is asked for what its example says, in the order of the
// document. Only what the server made up by itself is filled in: ids in paths, versions, and the refresh token.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { createAccountToken } from '../../src/auth/account-tokens.ts';
import { exampleId } from '../../src/protocol/values.ts';
import { pollsModule } from '../modules/polls/index.ts';
import { createPollTables } from '../modules/polls/tables.ts';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  description?: string;
  example?: string;
}

interface Operation {
  operationId: string;
  parameters: Parameter[];
  requestBody?: { content: { 'application/json': { example: Record<string, unknown> } } };
  responses: Record<string, unknown>;
  security: object[];
}

onEachDatabase('the examples', (open) => {
  let server: TestServer;
  let operations: { method: string; path: string; operation: Operation }[];

  beforeAll(async () => {
    server = await open({}, [pollsModule]);
    await createPollTables(server.db);
    const { body } = await server.request('GET', '/swagger/json');
    operations = Object.entries<Record<string, Operation>>(body.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        operation,
      })),
    );
    // The user whom the examples name.
    const { id } = await server.register('Ben');
    await server.db.execute(sql`
      INSERT INTO users
      SELECT (jsonb_populate_record(users, jsonb_build_object('id', ${exampleId}::text, 'email', 'ben@example.com'))).*
      FROM users WHERE id = ${id}`);
  });

  test('every parameter is described, and every required one and every body has an example', () => {
    for (const { operation } of operations) {
      for (const { name, description, example, ...parameter } of operation.parameters) {
        expect([operation.operationId, name, description]).toEqual([
          operation.operationId,
          name,
          expect.stringMatching(/./),
        ]);
        if (parameter.in === 'path')
          expect([operation.operationId, name, typeof example]).toContain('string');
      }
      if (operation.requestBody === undefined) continue;
      expect(operation.requestBody.content['application/json']).toHaveProperty('example');
    }
  });

  /** What Ann gave to Ben she needs for what follows. */
  async function handBack(path: string, userId: string | undefined): Promise<void> {
    const ben = await server.login({ email: 'ben@example.com', password: 'correct horse battery' });
    const { status } = await server.request('POST', path, { token: ben.accessToken, body: { userId } });
    expect(status).toBe(200);
  }

  /** What is in mails, by what it is good for. */
  const mailed: Readonly<Record<string, 'verify' | 'reset'>> = {
    'auth.verify': 'verify',
    'auth.password.reset': 'reset',
  };
  async function makeToken(operationId: string): Promise<string> {
    const { id } = await server.register('Reader');
    return await createAccountToken(server.db, id, mailed[operationId] ?? 'verify');
  }

  test('every one of them succeeds, in the order of the document', async () => {
    /** What the server made up, by name. */
    const made: Record<string, string> = {};
    const versions = new Map<string, number>();
    const nounOf = (operationId: string) => operationId.split('.')[0] ?? '';
    let password = 'correct horse battery';
    const leaving = await server.register('Leaving');
    /** By the one whom the examples name: what others do before it is one's turn. */
    const asBen = async (method: string, path: string, body: object) => {
      const ben = await server.login({ email: 'ben@example.com', password: 'correct horse battery' });
      const answer = await server.request(method, `/v1${path}`, { token: ben.accessToken, body });
      expect([path, answer.status]).toEqual([path, 201]);
      return answer.body.id;
    };
    const offered = async (annId: string) => {
      const terms = { recipientId: annId, title: 'A lamp', amount: '5', currency: 'EUR' };
      made.offerId = await asBen('POST', `/chats/${made.chatId}/offers`, terms);
    };
    const before: Record<string, (ann: TestUser) => Promise<unknown>> = {
      'offer.create': ({ accessToken: token }) =>
        server.request('POST', `/v1/chats/${made.chatId}/members`, { token, body: { userId: exampleId } }),
      'offer.accept': ({ id }) => offered(id),
      'offer.reject': ({ id }) => offered(id),
      'offer.counter': ({ id }) => offered(id),
      'job.fail': async ({ accessToken: token }) => {
        const job = { type: 'video.encode', payload: 1 };
        made.jobId = (await server.request('POST', '/v1/jobs', { token, body: job })).body.id;
        const wanted = { types: ['video.encode'], workerId: 'w', max: 1, waitSeconds: 0 };
        const claimed = await server.request('POST', '/v1/jobs/claim', { token, body: wanted });
        made.leaseId = claimed.body.items[0].leaseId;
      },
      'offer.withdraw': async ({ accessToken: token }) => {
        const { body } = await server.request('GET', '/v1/offers?role=creator&status=pending', { token });
        made.offerId = body.items[0].id;
      },
      // The player and the computer that the examples name.
      'player.get': async () => {
        await server.db.execute(sql`
          WITH player AS (
            INSERT INTO players (id, user_id, handle, money, energy, energy_max, energy_at, xp, version)
            SELECT ${exampleId}, id, 'example', 0, 0, 100, now(), 0, 1 FROM users
            WHERE id = ${exampleId}
            RETURNING id
          )
          INSERT INTO computers (id, player_id, name, ip, cpu, memory, storage)
          SELECT id, id, 'Example', '10.0.0.1', 1, 1, 1 FROM player`);
      },
      'computer.buy': () => server.db.execute(sql`UPDATE players SET money = 2500`),
      'defense.install': () => server.db.execute(sql`UPDATE players SET money = 2500`),
      'unlock.buy': () => server.db.execute(sql`UPDATE players SET xp = 60`),
    };
    for (const { method, path, operation } of operations) {
      const { operationId, parameters, requestBody, security, responses } = operation;
      // Some end the session.
      const asWhom = operationId === 'user.delete' ? leaving : { email: 'ann@example.com', password };
      const ann = security.length > 0 ? await server.login(asWhom) : undefined;
      if (ann !== undefined) made.sessionId = ann.sessionId;
      if (ann !== undefined) await before[operationId]?.(ann);
      const example = requestBody?.content['application/json'].example;
      const body: Record<string, unknown> | undefined = example && {
        ...example,
        ...('refreshToken' in example && { refreshToken: made.refreshToken }),
        ...(operationId in mailed && { token: await makeToken(operationId) }),
        ...('version' in example && { version: versions.get(nounOf(operationId)) }),
        ...('leaseId' in example && { leaseId: made.leaseId }),
      };
      const examples = Object.fromEntries(parameters.map(({ name, example }) => [name, example ?? '']));
      const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
        encodeURIComponent(made[name] ?? examples[name] ?? ''),
      );
      const query = new URLSearchParams(
        parameters.flatMap(({ in: place, name, example }) =>
          place === 'query' && example !== undefined ? [[name, example]] : [],
        ),
      );
      const answer = await server.request(method, `${filled}?${query}`, { token: ann?.accessToken, body });
      const success = Object.keys(responses).find((status) => status < '300');
      // A job that is answered may have an `error`, too.
      const refusal = answer.status < 400 ? undefined : answer.body.error;
      expect([operationId, answer.status, refusal]).toEqual([operationId, Number(success), undefined]);
      if (typeof body?.newPassword === 'string') password = body.newPassword;
      if (operationId === 'auth.register')
        await server.db.execute(sql`UPDATE users SET role = 'admin' WHERE id = ${answer.body.user.id}`);
      if (answer.body.refreshToken !== undefined) made.refreshToken = answer.body.refreshToken;
      if (operationId === 'job.claim') made.leaseId = answer.body.items[0].leaseId;
      const noun = nounOf(operationId);
      if (answer.status === 201 && answer.body.id !== undefined) made[`${noun}Id`] = answer.body.id;
      if (answer.body.version !== undefined) versions.set(noun, answer.body.version);
      if (operationId === 'campaign.owner.change') await handBack(filled, ann?.id);
    }
    expect(operations.length).toBeGreaterThan(30);
    expect(Object.keys(made)).toEqual(
      expect.arrayContaining([
        'chatId',
        'messageId',
        'offerId',
        'jobId',
        'leaseId',
        'pollId',
        'campaignId',
        'kingdomId',
        'settlementId',
        'structureId',
        'computerId',
        'hackId',
        'refreshToken',
      ]),
    );
  });
});
