// Everyone drops, events happen, everyone comes back at once with `since`. Each event of each client is checked: lost,
// repeated or reordered ones are a failure, however fast it was.

import { dialects, enter, type Visitor } from './dialects.ts';
import { gather } from './gather.ts';
import { startMeter } from './meter.ts';
import { percentile } from './percentile.ts';
import { decodeText, LoadSocket } from './socket.ts';

export interface ResumeJob {
  readonly kind: 'resume';
  readonly port: number;
  readonly serverPids: readonly number[];
  readonly clients: number;
  readonly topics: readonly string[];
  /** Events that each client misses. */
  readonly missed: number;
  readonly message: string;
}

export interface ResumeFigures {
  /** From the first reconnect until the last client has everything. */
  readonly allSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverShare: number;
  readonly loadShare: number;
}

const { carillon } = dialects;

export async function runResume(job: ResumeJob): Promise<ResumeFigures> {
  const visitorOf = (user: number): Visitor & { topic: string } => {
    const topic = job.topics[user % job.topics.length] ?? '';
    return { port: job.port, user, topics: [topic], topic };
  };
  const sockets = await gather(job.clients, (user) => enter(carillon, visitorOf(user)));
  for (const socket of sockets) socket.terminate();
  await publishMissed(job);

  const stop = startMeter(job.serverPids);
  const durations = await gather(job.clients, (user) => resume(visitorOf(user), job.missed));
  const { seconds, serverShare, loadShare } = stop();
  durations.sort((a, b) => a - b);
  return {
    allSeconds: seconds,
    p50Ms: percentile(durations, 0.5),
    p99Ms: percentile(durations, 0.99),
    serverShare,
    loadShare,
  };
}

async function publishMissed({ port, clients, topics, missed, message }: ResumeJob): Promise<void> {
  const publisher = await enter(carillon, { port, user: clients, topics: [] });
  for (let n = 0; n < missed; n += 1) {
    const published = Promise.withResolvers<void>();
    let open = topics.length;
    publisher.onLost = (why) => published.reject(new Error(why));
    publisher.onFrame = (bytes, start, length) => {
      const text = decodeText(bytes, start, length);
      if (!text.startsWith('{"type":"ok"')) published.reject(new Error(`Refused: ${text}`));
      open -= 1;
      if (open === 0) published.resolve();
    };
    for (const topic of topics) {
      const payload = { event: 'bench.ticked', data: message, durable: true };
      publisher.sendText(JSON.stringify({ id: 'p', type: 'publish', topic, payload }));
    }
    await published.promise;
  }
  publisher.terminate();
}

/** Milliseconds from connecting until the last missed event is there. */
async function resume(visitor: Visitor & { topic: string }, missed: number): Promise<number> {
  const startedAt = performance.now();
  const socket = new LoadSocket(await carillon.upgrade(visitor));
  const done = Promise.withResolvers<void>();
  const subscribe = { id: 'join', type: 'subscribe', topic: visitor.topic, payload: { since: 0 } };
  let seq = 0;
  socket.onLost = (why) => done.reject(new Error(why));
  socket.onFrame = (bytes, start, length) => {
    const text = decodeText(bytes, start, length);
    if (text.startsWith('{"type":"welcome"')) socket.sendText(JSON.stringify(subscribe));
    if (text.startsWith('{"type":"error"') || text.includes('"reset":true')) {
      done.reject(new Error(`Not resumed: ${text}`));
    }
    if (!text.startsWith('{"type":"bench.ticked"')) return;
    const { seq: next } = JSON.parse(text);
    if (next !== seq + 1) done.reject(new Error(`After seq ${seq} came ${next}.`));
    seq = next;
    if (seq === missed) done.resolve();
  };
  await socket.open();
  await done.promise;
  return performance.now() - startedAt;
}
