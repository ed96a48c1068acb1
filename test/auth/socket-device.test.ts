// Where a connection comes from, in the audit rows of what is done over it.

import { beforeAll, expect, test } from 'bun:test';
import { createUserAgents } from '../../src/realtime/socket/user-agents.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { readAudit } from './log.ts';

onEachDatabase('an operation over the socket', (open) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open({ TRUST_PROXY: '1' });
  });

  const headers = { 'x-forwarded-for': '203.0.113.7', 'user-agent': 'Bell/1.0 (phone)' };
  const there = { ip: '203.0.113.7', user_agent: 'Bell/1.0 (phone)' };

  test('is audited with the address and the user agent of its upgrade, as one over HTTP is with those of its request', async () => {
    const ann = await server.register('Ann');
    const [first, second] = [await server.login(ann), await server.login(ann)];
    const client = await server.connect(ann, { headers });
    expect((await client.request('session.revoke', { sessionId: first.sessionId })).type).toBe('ok');
    // Another token, and the same connection.
    expect((await client.request('auth', { token: ann.accessToken })).type).toBe('ok');
    expect((await client.request('session.revoke', { sessionId: second.sessionId })).type).toBe('ok');
    const over = async (event: string) =>
      (await readAudit(server.db, ann.id)).filter((row) => row.event === event);
    expect(await over('session_revoked')).toMatchObject([there, there]);
    const third = await server.login(ann);
    const path = `/v1/auth/sessions/${third.sessionId}`;
    await server.request('DELETE', path, { token: ann.accessToken, headers });
    expect((await over('session_revoked'))[2]).toMatchObject(there);
  });

  test('that is refused is audited with them too', async () => {
    const ann = await server.register('Ann');
    const client = await server.connect(ann, { headers });
    const refused = await client.request('subscribe', {}, { topic: `chat:${crypto.randomUUID()}` });
    expect(refused.error.code).toBe('forbidden');
    const read = async () =>
      (await readAudit(server.db, ann.id)).find(({ event }) => event === 'subscription_refused');
    await until(async () => (await read()) !== undefined, 'it is in the audit log');
    expect(await read()).toMatchObject(there);
  });
});

test('user agents that were dropped from memory are kept anew, and equal to what was said', () => {
  const share = createUserAgents();
  for (let n = 0; n < 2_500; n += 1) expect(share(`agent ${n % 1_200}`)).toBe(`agent ${n % 1_200}`);
  expect(share('Zoë’s agent')).toBe('Zoë’s agent');
});
