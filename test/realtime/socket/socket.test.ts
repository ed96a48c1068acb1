// Upgrades, while the server drains.

import { expect, test } from 'bun:test';
import { openRawSocket } from '../../support/raw-socket.ts';
import { openSocketServer } from '../../support/socket-server.ts';

test('[X] [C1] while it drains, an upgrade is refused like any request: unavailable, and when to come again', async () => {
  const house = await openSocketServer();
  await house.sockets.drain(0);
  const raw = await openRawSocket(house.port);
  expect(raw.status).toBe(503);
  expect(raw.head.toLowerCase()).toContain('retry-after: 1\r\n');
  expect(JSON.parse(raw.body)).toEqual({
    error: { code: 'unavailable', message: expect.any(String), retryAfterMs: 1_000 },
  });
  raw.destroy();
  await house.stop();
}, 30_000);
