// The upgrade, asked for in ways that would cost too much: compression, giant headers, thousands of protocols. [H1]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import { patienceMs, standBy } from '../support/bystander.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { encodeFrame, opcodes, openRawSocket } from '../support/raw-socket.ts';
import { onEachDatabase } from '../support/server.ts';
import { range } from './chat.ts';

onEachDatabase('upgrades', (_open, database) => {
  // Once is enough: the database has no part in it.
  if (database.kind !== 'embedded') return;
  let server: ServerProcess;
  let ann: TestUser;

  beforeAll(async () => {
    server = await spawnServer(await database.create());
    ann = await server.register('Ann');
  });
  afterAll(() => server.stop());

  test('compression is not given to who offers it, and a compressed frame breaks the protocol', async () => {
    for (const offer of [
      'permessage-deflate',
      'permessage-deflate; client_max_window_bits; server_no_context_takeover, x-webkit-deflate-frame',
    ]) {
      const raw = await openRawSocket(server.port, {
        token: ann.accessToken,
        headers: { 'Sec-WebSocket-Extensions': offer },
      });
      expect(raw.status).toBe(101);
      expect(raw.head.toLowerCase()).not.toContain('sec-websocket-extensions');
      await raw.next(({ type }) => type === 'welcome');
      // A bomb: 10 MB of spaces in 10 KB.
      const bomb = Bun.deflateSync(new Uint8Array(10_000_000).fill(0x20));
      await raw.write(encodeFrame(bomb, opcodes.text, true, true));
      expect(await raw.closed).toBe(1002);
    }
  });

  test('giant lists of protocols, and headers beyond what fits, keep nobody waiting', async () => {
    const bystander = await standBy(server, ann);
    const attempts: [headers: Record<string, string>, status: number][] = [
      [{ 'Sec-WebSocket-Protocol': 'a,'.repeat(6_000) }, 101],
      [{ 'Sec-WebSocket-Protocol': `bearer.${'x'.repeat(12_000)}` }, 101],
      [{ 'Sec-WebSocket-Protocol': `bearer.${'x'.repeat(100_000)}` }, 431],
      [Object.fromEntries(range(1, 3_000).map((n) => [`X-${n}`, 'x'])), 431],
    ];
    for (const [headers, status] of attempts) {
      for (const _ of range(1, 100)) {
        const raw = await openRawSocket(server.port, { headers });
        expect(raw.status).toBe(status);
        expect(raw.head.toLowerCase()).not.toContain('sec-websocket-protocol');
        raw.destroy();
      }
    }
    expect(await bystander.leave()).toBeLessThan(patienceMs);
  });
});
