// Kept-alive HTTP connections, one request in flight on each.

import type { Socket } from 'bun';
import { createToken } from '../users.ts';
import { gather } from './gather.ts';
import { startMeter } from './meter.ts';
import { concat } from './socket.ts';

export interface HttpJob {
  readonly kind: 'http';
  readonly port: number;
  readonly serverPids: readonly number[];
  readonly path: string;
  readonly body: object;
  readonly expectedStatus: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface HttpFigures {
  readonly requestsPerSecond: number;
  readonly serverMicrosPerRequest: number;
  readonly serverShare: number;
  readonly loadShare: number;
}

const decoder = new TextDecoder();

export async function runHttp(job: HttpJob): Promise<HttpFigures> {
  const body = JSON.stringify(job.body);
  const request = new TextEncoder().encode(
    `POST ${job.path} HTTP/1.1\r\nHost: 127.0.0.1:${job.port}\r\nAuthorization: Bearer ${await createToken(0)}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const failed = Promise.withResolvers<never>();
  let answers = 0;
  let isOver = false;

  const read = (socket: Socket<{ rest: Uint8Array }>, chunk: Uint8Array) => {
    const bytes = socket.data.rest.length === 0 ? chunk : concat(socket.data.rest, chunk);
    const text = decoder.decode(bytes);
    const end = text.indexOf('\r\n\r\n');
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(text) ?? [];
    if (end < 0 || length === undefined || bytes.length < end + 4 + Number(length)) {
      socket.data.rest = bytes.slice();
      return;
    }
    socket.data.rest = new Uint8Array();
    if (!text.startsWith(`HTTP/1.1 ${job.expectedStatus}`)) failed.reject(new Error(`Answered: ${text}`));
    answers += 1;
    if (!isOver) socket.write(request);
  };
  const lost = (why: string) => failed.reject(new Error(why));
  const handlers = {
    data: read,
    close: () => lost('The connection broke.'),
    error: (_: unknown, error: Error) => lost(error.message),
  };
  const sockets = await gather(job.connections, () =>
    Bun.connect({
      hostname: '127.0.0.1',
      port: job.port,
      data: { rest: new Uint8Array() },
      socket: handlers,
    }),
  );
  for (const socket of sockets) socket.write(request);

  const measured = async () => {
    await Bun.sleep(job.warmUpMs);
    const before = answers;
    const stop = startMeter(job.serverPids);
    await Bun.sleep(job.measureMs);
    isOver = true;
    return { count: answers - before, ...stop() };
  };
  const { count, seconds, serverCpuSeconds, serverShare, loadShare } = await Promise.race([
    measured(),
    failed.promise,
  ]);
  return {
    requestsPerSecond: count / seconds,
    serverMicrosPerRequest: (serverCpuSeconds / count) * 1e6,
    serverShare,
    loadShare,
  };
}
