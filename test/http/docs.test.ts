// The OpenAPI document describes every route as it is, and the page shows it without asking anyone else.

import { beforeAll, expect, test } from 'bun:test';
import { listSeriousFaults } from '../support/axe.ts';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

interface Operation {
  summary?: string;
  tags?: string[];
  operationId: string;
  security: object[];
  parameters: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: BodySchema }> };
  responses: Record<string, { description: string; content: Record<string, { schema: object }> }>;
}

interface BodySchema {
  additionalProperties?: boolean;
  anyOf?: BodySchema[];
}

const errorNames: Record<string, string> = {
  invalid: 'InvalidError',
  unauthorized: 'UnauthorizedError',
  forbidden: 'ForbiddenError',
  not_found: 'NotFoundError',
  unknown_topic: 'UnknownTopicError',
  conflict: 'ConflictError',
  too_large: 'TooLargeError',
  rate_limited: 'RateLimitedError',
  unavailable: 'UnavailableError',
  internal: 'InternalError',
};

onEachDatabase('the documentation', (open, { kind }) => {
  let server: TestServer;
  let routes: { method: string; path: string; operation: Operation }[];

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'ann@example.com' });
    const { body } = await server.request('GET', '/swagger/json');
    routes = Object.entries<Record<string, Operation>>(body.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
    );
  });

  test('every route has a summary, one tag, and an id of its own', () => {
    expect(routes.length).toBeGreaterThan(20);
    for (const { path, method, operation } of routes) {
      expect([method, path, operation.summary?.length ?? 0]).not.toEqual([method, path, 0]);
      expect([method, path, operation.tags?.length]).toEqual([method, path, 1]);
    }
    expect(new Set(routes.map(({ operation }) => operation.operationId)).size).toBe(routes.length);
  });

  test('every tag is described, and every described tag is used', async () => {
    const { body } = await server.request('GET', '/swagger/json');
    const used = new Set(routes.flatMap(({ operation }) => operation.tags ?? []));
    const described: string[] = body.tags.map(({ name }: { name: string }) => name);
    expect(described.toSorted()).toEqual([...used].toSorted());
  });

  test('every route says what it takes, JSON and no unknown fields, and what it answers', () => {
    for (const { path, method, operation } of routes) {
      const where = `${method} ${path}`;
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        expect([where, status, Object.keys(content)]).toEqual([where, status, ['application/json']]);
        expect([where, status, description]).not.toEqual([where, status, '']);
      }
      expect([where, Object.keys(operation.responses).some((status) => status < '300')]).toEqual([
        where,
        true,
      ]);
      if (operation.requestBody === undefined) continue;
      const { content } = operation.requestBody;
      expect([where, Object.keys(content)]).toEqual([where, ['application/json']]);
      const schema = content['application/json']?.schema;
      for (const variant of schema?.anyOf ?? [schema]) {
        expect([where, variant?.additionalProperties]).toEqual([where, false]);
      }
    }
  });

  test('[X] every route has the refusals that it may answer, each of its own schema', () => {
    for (const { path, method, operation } of routes) {
      const where = `${method} ${path}`;
      const statuses = Object.keys(operation.responses);
      expect([where, statuses]).toEqual([where, expect.arrayContaining(['500', '503'])]);
      if (operation.security.length > 0)
        expect([where, statuses]).toEqual([where, expect.arrayContaining(['401'])]);
      if (operation.requestBody)
        expect([where, statuses]).toEqual([where, expect.arrayContaining(['400', '413'])]);
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        if (status < '400' || path.startsWith('/health')) continue;
        const codes = [...description.matchAll(/`(\w+)`/g)].map(([, code = '']) => code);
        const variants = codes.map((code) => ({ $ref: `#/components/schemas/${errorNames[code]}` }));
        const schema = variants.length === 1 ? variants[0] : { oneOf: variants };
        expect([where, status, content['application/json']?.schema]).toEqual([where, status, schema]);
      }
    }
  });

  test('[X] no route lists a code that only the socket answers', () => {
    const refusals = routes.flatMap(({ path, method, operation }) =>
      Object.values(operation.responses).map(({ description }) => `${method} ${path}: ${description}`),
    );
    const naming = (code: string) => refusals.filter((refusal) => refusal.includes(`\`${code}\``));
    expect(naming('unknown_command')).toEqual([]);
    expect(naming('too_many_subscriptions')).toEqual([]);
    expect(naming('unknown_topic')).toEqual([
      'post /v1/topics/{topic}/events: Error `unknown_topic`',
      'get /v1/topics/{topic}/events: Error `unknown_topic`',
    ]);
    expect(naming('not_found')).toContain('delete /v1/auth/sessions/{sessionId}: Error `not_found`');
    expect(naming('rate_limited')).toContain('post /v1/auth/login: Error `rate_limited`');
  });

  /** With what fits everywhere, but names nothing. */
  const fill = (path: string) =>
    path
      .replace('{emoji}', encodeURIComponent('👍'))
      .replace(/\{\w+\}/g, '01a1fc21-22db-7278-9e50-2e027a1cdfb6');

  test('[X] every route that may get a body refuses unknown fields in it, also where it takes none', async () => {
    const { accessToken: token } = await server.register('Ann', { email: 'ann@example.com' }); // some are for admins
    const writing = routes.filter(({ method, path }) => method !== 'get' && !path.includes('/admin/'));
    for (const { path, method, operation } of writing) {
      const where = `${method} ${path}`;
      const filled = fill(path);
      const body = { nobodyKnows: 1 };
      const answer = await server.request(method.toUpperCase(), filled, { token, body });
      const paths = answer.body.error?.details?.map((detail: { path: string }) => detail.path);
      expect([where, answer.status, paths]).toEqual([
        where,
        400,
        expect.arrayContaining([expect.stringMatching(/^\/body\//)]),
      ]);
      expect([where, Object.keys(operation.responses)]).toEqual([
        where,
        expect.arrayContaining(['400', '413']),
      ]);
    }
    const bodiless = writing.filter(({ operation }) => operation.requestBody === undefined);
    expect(bodiless.map(({ path, method }) => `${method} ${path}`)).toEqual([
      'post /v1/auth/logout',
      'delete /v1/auth/sessions/{sessionId}',
      'delete /v1/chats/{chatId}/members/{userId}',
      'put /v1/chats/{chatId}/messages/{messageId}/reactions/{emoji}',
      'delete /v1/chats/{chatId}/messages/{messageId}/reactions/{emoji}',
      'delete /v1/chats/{chatId}/messages/{messageId}',
      'put /v1/users/me/blocks/{userId}',
      'delete /v1/users/me/blocks/{userId}',
      'post /v1/offers/{offerId}/accept',
      'post /v1/offers/{offerId}/reject',
      'post /v1/offers/{offerId}/withdraw',
      'delete /v1/structures/{structureId}',
      'delete /v1/settlements/{settlementId}',
      'delete /v1/kingdoms/{kingdomId}',
      'delete /v1/campaigns/{campaignId}/members/{userId}',
      'delete /v1/campaigns/{campaignId}',
      'delete /v1/hacks/{hackId}',
      'post /v1/unlocks/{key}',
      'post /v1/jobs/{jobId}/cancel',
      'post /v1/jobs/{jobId}/retry',
    ]);
  });

  test('every route that shows a lock refuses to act without a token, and no other does', async () => {
    for (const { path, method, operation } of routes) {
      const { status } = await server.request(method.toUpperCase(), fill(path), {
        body: operation.requestBody && {},
      });
      expect([method, path, status === 401]).toEqual([method, path, operation.security.length > 0]);
    }
  });

  if (kind === 'postgres') return; // the page is the same
  describeWith('in a browser', browserMissing, () => {
    test('the page shows the routes, and asks no other origin', async () => {
      const browser = await launchBrowser();
      try {
        const page = await browser.newPage();
        const requested: string[] = [];
        const complaints: string[] = [];
        page.on('request', (request) => requested.push(request.url()));
        page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
        page.on('pageerror', (error) => complaints.push(String(error)));
        const response = await page.goto(`${server.url}/swagger`);
        expect(response?.headers()['content-security-policy']).toStartWith("default-src 'self'");
        const login = page.locator('.opblock', { hasText: '/v1/auth/login' });
        await login.waitFor();
        expect(await page.locator('.opblock').count()).toBe(routes.length);
        await login.click();
        await page.getByText('Error invalid').first().waitFor();
        expect(complaints).toEqual([]);
        expect(requested.length).toBeGreaterThan(3);
        const foreign = requested.filter(
          (url) => !url.startsWith(`${server.url}/`) && !url.startsWith('data:'),
        );
        expect(foreign).toEqual([]);
      } finally {
        await browser.close();
      }
    });

    test('axe finds no serious fault in the page, as far as it is ours', async () => {
      const { url } = await open({ MODULES: 'topics' }); // the fewer routes, the sooner: the page around them is the same
      const browser = await launchBrowser();
      try {
        const page = await browser.newPage();
        await page.goto(`${url}/swagger`);
        await page.locator('.opblock').first().waitFor();
        expect(await listSeriousFaults(page, ['.swagger-ui'])).toEqual([]); // Swagger UI has faults of its own
      } finally {
        await browser.close();
      }
    });
  });
});
