// What a REDIS_URL may say. That channels are found on the right nodes is shown by the suite of the bridge.

import { expect, test } from 'bun:test';
import { parseRedisUrl, reconnectDelayMs } from '../../src/redis/servers.ts';

test('a URL names a server, its login and its database', () => {
  expect(parseRedisUrl('redis://10.0.0.1')).toMatchObject({
    isCluster: false,
    seeds: [
      { host: '10.0.0.1', port: 6379, username: undefined, password: undefined, db: 0, tls: undefined },
    ],
  });
  expect(parseRedisUrl('redis://ann:p%40ss%2C@[::1]:7000/3')).toMatchObject({
    seeds: [{ host: '::1', port: 7000, username: 'ann', password: 'p@ss,', db: 3 }],
  });
  expect(parseRedisUrl('rediss://:secret@redis.example')).toMatchObject({
    seeds: [{ host: 'redis.example', port: 6379, username: undefined, password: 'secret', tls: {} }],
  });
});

test('a cluster is named by some of its nodes, with one login for all', () => {
  expect(parseRedisUrl('redis+cluster://:secret@one:7001,two:7002,three')).toMatchObject({
    isCluster: true,
    seeds: [
      { host: 'one', port: 7001, password: 'secret' },
      { host: 'two', port: 7002, password: 'secret' },
      { host: 'three', port: 6379, password: 'secret' },
    ],
  });
});

test('attempts to reconnect come ever more slowly, but every second at the latest, and for ever', () => {
  expect(reconnectDelayMs(1)).toBeLessThanOrEqual(100);
  for (const attempt of [1, 10, 100, 10_000]) {
    expect(reconnectDelayMs(attempt)).toBeGreaterThanOrEqual(50);
    expect(reconnectDelayMs(attempt)).toBeLessThanOrEqual(1_000);
  }
});
