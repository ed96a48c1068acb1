// Spans, as a collector gets them over HTTP: a request and what it led to are one trace.

import { afterAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { claimOne, create, registerWorker } from '../modules/jobs/setup.ts';
import { createGroup } from '../protocol/chat.ts';
import { spawnServer } from '../support/process.ts';
import { type Env, onEachDatabase } from '../support/server.ts';

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly status: { readonly message?: string };
  readonly links: readonly { readonly traceId: string }[];
}

/** What takes spans, as OpenTelemetry's collector does. */
function startCollector() {
  const spans: Span[] = [];
  const resources: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (new URL(request.url).pathname !== '/v1/traces') return new Response(null, { status: 404 });
      const { resourceSpans } = await request.json();
      for (const { resource, scopeSpans } of resourceSpans) {
        resources.push(JSON.stringify(resource));
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
      return Response.json({});
    },
  });
  const find = (name: string) => spans.filter((span) => span.name === name);
  return { url: `http://127.0.0.1:${server.port}`, spans, resources, find, stop: () => server.stop(true) };
}

onEachDatabase('traces', (open, database) => {
  const collector = startCollector();
  afterAll(() => collector.stop());
  const env: Env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const traceparent = (flags: string) => `00-${traceId}-b7ad6b7169203331-${flags}`;

  test('show a request, its commit and the publishing of its events as one, begun by whoever asked', async () => {
    const server = await open(env);
    const ann = await server.register('Ann');
    const { status } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'group', name: 'A group', participantIds: [] },
      headers: { traceparent: traceparent('01') },
    });
    expect(status).toBe(201);
    await server.stop(); // sends what is left
    const own = collector.spans.filter((span) => span.traceId === traceId);
    const [request] = own.filter(({ name }) => name === 'POST /v1/chats');
    expect(request?.parentSpanId).toBe('b7ad6b7169203331');
    const children = own.filter(({ parentSpanId }) => parentSpanId === request?.spanId);
    expect(children.map(({ name }) => name).sort()).toEqual(['commit', 'publish']);
    expect(collector.resources.join()).toContain('"carillon"');
  });

  test('show a command and the transaction that it shared, and what a refusal was', async () => {
    const server = await open(env);
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const client = await server.connect(ann);
    await client.request('message.send', { chatId: chat.id, content: 'words that nobody traces' });
    await client.request('message.send', { chatId: chat.id, content: '' });
    await server.stop();
    const commands = collector.find('command message.send');
    expect(commands).toHaveLength(2);
    const [sent] = commands;
    const children = collector.spans.filter(({ parentSpanId }) => parentSpanId === sent?.spanId);
    expect(children.map(({ name }) => name).sort()).toEqual(['commit', 'publish']);
    expect(commands.map(({ status }) => status.message)).toEqual([undefined, 'invalid']);
    expect(JSON.stringify(collector.spans)).not.toContain('words that nobody traces');
  });

  test('are of the part that is asked for, but for those that a request brings', async () => {
    const server = await open({ ...env, OTEL_TRACES_SAMPLER_ARG: '0' });
    const before = collector.spans.length;
    const ann = await server.register('Ann');
    const token = ann.accessToken;
    await server.request('GET', '/v1/users/me', { token });
    await server.request('GET', '/v1/users/me', { token, headers: { traceparent: traceparent('01') } });
    await server.request('GET', '/v1/users/me', { token, headers: { traceparent: traceparent('00') } });
    await server.stop();
    expect(collector.spans.slice(before).map(({ name }) => name)).toEqual(['GET /v1/users/me']);
  });

  test('that nobody takes keep neither requests nor the stop waiting', async () => {
    const away = startCollector();
    await away.stop();
    const server = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: away.url });
    const ann = await server.register('Ann');
    expect((await server.request('GET', '/v1/users/me', { token: ann.accessToken })).status).toBe(200);
    await server.stop();
  });

  test('show what the clock made happen', async () => {
    const server = await open(env);
    const worker = await registerWorker(server);
    await create(server, worker);
    const job = await claimOne(server, worker, { leaseSeconds: 5 });
    const own = await server.connect(worker);
    await own.subscribe(`job:${job.id}`);
    await server.db.execute(sql`UPDATE jobs SET lease_until = now() WHERE id = ${job.id}`);
    await own.next(({ topic, seq }) => topic === `job:${job.id}` && seq !== undefined);
    await server.stop();
    const [round] = collector.find('clockwork job.lease');
    const children = collector.spans.filter(({ parentSpanId }) => parentSpanId === round?.spanId);
    expect(children.map(({ name }) => name).sort()).toEqual(['commit', 'publish']);
  });

  test('cost nothing where nobody asks for them: their packages are not loaded', async () => {
    const program = 'test/telemetry/loaded.ts';
    const without = await spawnServer(await database.create(), { program });
    const withTraces = await spawnServer({ ...(await database.create()), ...env }, { program });
    await Promise.all([without.stop(), withTraces.stop()]);
    expect(without.output).toContain('loaded: nothing');
    expect(withTraces.output).toContain('loaded: opentelemetry');
  });
});
