// Every metric moves when that happens which it tells of, and only those who may read them do.

import { expect, test } from 'bun:test';
import { createGroup } from '../protocol/chat.ts';
import { findFreePort } from '../support/child.ts';
import { onEachDatabase } from '../support/server.ts';
import { until } from '../support/until.ts';
import { growthOf, metricsEnv, metricsToken, readSamples, scrape } from './scrape.ts';

onEachDatabase('metrics', (open) => {
  test('are not there unless somebody asked for them', async () => {
    const server = await open();
    expect((await server.request('GET', '/metrics')).status).toBe(404);
  });

  test('with METRICS_TOKEN are for those who have it', async () => {
    const server = await open(metricsEnv);
    const get = (token?: string) => server.request('GET', '/metrics', token === undefined ? {} : { token });
    expect((await get()).status).toBe(401);
    expect((await get(`${metricsToken}x`)).status).toBe(401);
    const ann = await server.register('Ann');
    expect((await get(ann.accessToken)).status).toBe(401);
    const answer = await get(metricsToken);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toStartWith('text/plain; version=0.0.4');
  });

  test('with METRICS_PORT are there alone, and wanted with the token where there is one', async () => {
    const ports = [findFreePort(), findFreePort()] as const;
    const free = await open({ METRICS_PORT: `${ports[0]}` });
    const guarded = await open({ METRICS_PORT: `${ports[1]}`, ...metricsEnv });
    for (const server of [free, guarded]) expect((await server.request('GET', '/metrics')).status).toBe(404);
    const get = (port: number, path = '/metrics', headers = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers });
    const answer = await get(ports[0]);
    expect(answer.status).toBe(200);
    expect(readSamples(await answer.text()).get('active_websocket_connections')).toBe(0);
    expect((await get(ports[0], '/v1/users/me')).status).toBe(404);
    expect((await get(ports[1])).status).toBe(401);
    expect((await get(ports[1], '/metrics', { Authorization: `Bearer ${metricsToken}` })).status).toBe(200);
    await free.stop();
    expect(await get(ports[0]).catch(() => 'closed')).toBe('closed');
  });

  test('count messages that users sent, each once, whichever way they came', async () => {
    const server = await open(metricsEnv);
    const [ann, ben] = [await server.register('Ann'), await server.register('Ben')];
    const chat = await createGroup(server, ann, [ben]);
    const client = await server.connect(ann);
    const topic = 'app:public.here';
    const sent = 'messages_sent_total{operation="message.send"}';
    const published = 'messages_sent_total{operation="publish"}';
    const token = ann.accessToken;
    const growth = await growthOf(server, [sent, published], async () => {
      await client.request('message.send', { chatId: chat.id, content: 'one' }, { key: 'k' });
      await client.request('message.send', { chatId: chat.id, content: 'one' }, { key: 'k' }); // a repeat
      await client.request('message.send', { chatId: chat.id, content: '' }); // refused
      await server.request('POST', `/v1/chats/${chat.id}/messages`, { token, body: { content: 'two' } });
      const event = { event: 'some.thing', data: 1 };
      await client.request('publish', event, { topic });
      await client.request('publish', { ...event, durable: true }, { topic, key: 'd' });
      await client.request('publish', { ...event, durable: true }, { topic, key: 'd' }); // a repeat
      await client.request('publish', event, { topic, key: 'e' });
      await client.request('publish', event, { topic, key: 'e' }); // a repeat
    });
    expect(growth).toEqual({ [sent]: 2, [published]: 3 });
  });

  test('time each command and request by its operation', async () => {
    const server = await open(metricsEnv);
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const count = (door: string, operation: string) =>
      `message_processing_duration_seconds_count{door="${door}",operation="${operation}"}`;
    const names = [count('socket', 'ping'), count('socket', 'user.me'), count('http', 'user.me')];
    const growth = await growthOf(server, names, async () => {
      await client.request('ping');
      await client.request('user.me');
      await client.request('user.me');
      await client.request('no.such.command');
      await server.request('GET', '/v1/users/me', { token: ann.accessToken });
    });
    expect(Object.values(growth)).toEqual([1, 2, 1]);
    const scraped = await scrape(server);
    expect([...scraped.keys()].filter((name) => name.includes('no.such.command'))).toEqual([]);
    const buckets = [...scraped].filter(([name]) =>
      name.startsWith('message_processing_duration_seconds_bucket{door="socket",operation="ping",'),
    );
    const values = buckets.map(([, value]) => value);
    expect(values).toEqual(values.toSorted((a, b) => a - b)); // each bucket has those below it
    expect(values.at(-1)).toBe(scraped.get(count('socket', 'ping')));
  });

  test('count connections that are open, and those that ended, by their code', async () => {
    const server = await open(metricsEnv);
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const other = await server.connect(ann);
    expect((await scrape(server)).get('active_websocket_connections')).toBe(2);
    client.terminate();
    const refused = await server.connect('no-token').catch(String);
    expect(refused).toContain('4401');
    await until(async () => (await scrape(server)).get('active_websocket_connections') === 1, 'one is left');
    const scraped = await scrape(server);
    expect(scraped.get('carillon_connections_closed_total{code="1006"}')).toBe(1);
    expect(scraped.get('carillon_connections_closed_total{code="4401"}')).toBe(1);
    other.close();
  });

  test('count refusals by door and code', async () => {
    const server = await open(metricsEnv);
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const token = ann.accessToken;
    const expected = {
      'errors_total{door="socket",code="unknown_command"}': 1,
      'errors_total{door="socket",code="invalid"}': 2,
      'errors_total{door="socket",code="unknown_topic"}': 2,
      'errors_total{door="http",code="not_found"}': 1,
      'errors_total{door="http",code="method_not_allowed"}': 1,
      'errors_total{door="http",code="invalid"}': 1,
      'errors_total{door="http",code="unauthorized"}': 1,
    };
    const growth = await growthOf(server, Object.keys(expected), async () => {
      await client.request('no.such.command');
      await client.request('user.me', { unknown: true });
      client.sendRaw('nonsense');
      await client.next('error');
      await client.request('subscribe', {}, { topic: 'nothing:1' });
      await client.request('subscribe', { topics: [{ topic: 'nothing:2' }, { topic: 'app:public.a' }] });
      await server.request('GET', '/v1/nowhere', { token });
      await server.request('PUT', '/v1/users/me', { token });
      await server.request('PATCH', '/v1/users/me', { token, body: {} });
      await server.request('GET', '/v1/users/me');
    });
    expect(growth).toEqual(expected);
  });
});
