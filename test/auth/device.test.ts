// Whose address counts, with proxies in front and without.

import { expect, test } from 'bun:test';
import { createReadDevice } from '../../src/auth/device.ts';

const ipBehind = (
  trustProxy: number,
  forwarded: string | undefined,
  peer: string | undefined = '10.0.0.1',
) => {
  const headers = new Headers();
  if (forwarded !== undefined) headers.set('X-Forwarded-For', forwarded);
  return createReadDevice(trustProxy, () => peer)(new Request('http://localhost/', { headers })).ip;
};

test('without proxies the header is not believed', () => {
  expect(ipBehind(0, '192.0.2.1')).toBe('10.0.0.1');
  expect(ipBehind(0, undefined)).toBe('10.0.0.1');
});

test('with n proxies the address is the one that the outermost of them saw', () => {
  expect(ipBehind(1, '192.0.2.1')).toBe('192.0.2.1');
  expect(ipBehind(1, 'forged, 203.0.113.9, 192.0.2.1')).toBe('192.0.2.1');
  expect(ipBehind(2, '203.0.113.9, 192.0.2.1,10.0.0.2')).toBe('192.0.2.1');
  expect(ipBehind(1, '2001:db8::1')).toBe('2001:db8::1');
});

test('an address is the same with a port and without, which is the habit of some proxies', () => {
  expect(ipBehind(1, '192.0.2.1:4711')).toBe('192.0.2.1');
  expect(ipBehind(1, '192.0.2.7:80, 192.0.2.1:65535')).toBe('192.0.2.1');
  expect(ipBehind(1, '[2001:db8::1]:443')).toBe('2001:db8::1');
  expect(ipBehind(1, '[2001:db8::1]')).toBe('2001:db8::1');
  for (const odd of [
    '192.0.2.1:',
    '192.0.2.1:http',
    '[2001:db8::1',
    '[]:80',
    '[192.0.2.1',
    '192.0.2:80',
    ':80',
  ]) {
    expect([odd, ipBehind(1, odd)]).toEqual([odd, '10.0.0.1']);
  }
});

test('an address reads the same in whichever way it is written', () => {
  for (const written of [
    '::ffff:192.0.2.1',
    '::ffff:c000:201',
    '::FFFF:C000:0201',
    '0:0:0:0:0:ffff:192.0.2.1',
  ]) {
    expect([written, ipBehind(1, written)]).toEqual([written, '192.0.2.1']);
    expect([written, ipBehind(1, `[${written}]:443`)]).toEqual([written, '192.0.2.1']);
    expect([written, ipBehind(0, undefined, written)]).toEqual([written, '192.0.2.1']);
  }
  for (const written of ['2001:DB8::1', '2001:db8:0:0:0:0:0:1', '2001:0db8::0:1', '2001:db8::1%eth0']) {
    expect([written, ipBehind(1, written)]).toEqual([written, '2001:db8::1']);
  }
});

test('a list that did not come through all proxies, or is none, is not believed', () => {
  expect(ipBehind(2, '192.0.2.1')).toBe('10.0.0.1');
  expect(ipBehind(1, undefined)).toBe('10.0.0.1');
  expect(ipBehind(1, '')).toBe('10.0.0.1');
  expect(ipBehind(1, 'unknown')).toBe('10.0.0.1');
  expect(ipBehind(1, "'; DROP TABLE users; --")).toBe('10.0.0.1');
});

test('an IPv4 address reads the same through an IPv6 socket', () => {
  expect(ipBehind(0, undefined, '::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(ipBehind(0, undefined, '::1')).toBe('::1');
});

test('a user agent is cut to 400 characters and stays well-formed', () => {
  const headers = { 'User-Agent': 'x'.repeat(1_000) };
  const { userAgent } = createReadDevice(0, () => undefined)(new Request('http://localhost/', { headers }));
  expect(userAgent).toBe('x'.repeat(400));
});
