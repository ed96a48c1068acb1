// The proxy between client and server: what it lets through, and what it breaks.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

describe('the TCP proxy', () => {
  let echo: Server;
  let echoPort: number;
  let proxy: TcpProxy;

  beforeAll(async () => {
    echo = createServer((socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const address = echo.address();
    if (address === null || typeof address === 'string') throw new Error('The echo server has no port.');
    echoPort = address.port;
  });

  beforeEach(async () => {
    proxy = await startTcpProxy(echoPort);
  });

  afterEach(() => proxy.stop());
  afterAll(() => void echo.close());

  const dial = async (): Promise<Socket> => {
    const socket = connect(proxy.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };

  test('passes bytes in both directions, in slices and slowly, and changes none', async () => {
    proxy.toServer.sliceBytes = 7;
    proxy.toClient.sliceBytes = 3;
    proxy.toClient.latencyMs = 1;
    const socket = await dial();
    const sent = Buffer.from(crypto.getRandomValues(new Uint8Array(100)));
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(Buffer.from(chunk)));
    socket.end(sent);
    await once(socket, 'close');
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  test('cuts every connection, after so many bytes if asked, and takes new ones', async () => {
    const socket = await dial();
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(Buffer.from(chunk)));
    proxy.toClient.bytesUntilCut = 4;
    socket.write('1234567890');
    await once(socket, 'close');
    expect(Buffer.concat(received).toString()).toBe('1234');

    const next = await dial();
    next.write('again');
    expect(String((await once(next, 'data'))[0])).toBe('again');
    proxy.cut();
    await once(next, 'close');
  });

  test('holds everything back while paused', async () => {
    proxy.toServer.isPaused = true;
    const socket = await dial();
    const came = once(socket, 'data');
    socket.write('late');
    expect(await Promise.race([came, Bun.sleep(50).then(() => 'nothing')])).toBe('nothing');
    proxy.toServer.isPaused = false;
    expect(String((await came)[0])).toBe('late');
    socket.destroy();
  });
});
