// A few publishers, many subscribers, a closed loop: as many messages are on the way as there are publishers, and when one
// has reached all subscribers, the next is sent, by each publisher in turn. More on the way would flatter every server:
// what arrives together leaves in one write for each subscriber.

import { type DialectName, dialects, enter, type Visitor } from './dialects.ts';
import { gather } from './gather.ts';
import { startMeter } from './meter.ts';
import { encodeFrame, type LoadSocket } from './socket.ts';

export interface FanOutJob {
  readonly kind: 'fan-out';
  readonly dialect: DialectName;
  readonly publisherPort: number;
  readonly subscriberPort: number;
  readonly serverPids: readonly number[];
  readonly topic: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly message: string;
  readonly isDurable: boolean;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface FanOutFigures {
  readonly deliveriesPerSecond: number;
  readonly serverMicrosPerDelivery: number;
  readonly serverShare: number;
  readonly loadShare: number;
}

export async function runFanOut(job: FanOutJob): Promise<FanOutFigures> {
  const dialect = dialects[job.dialect];
  const { topic, subscribers } = job;
  const failed = Promise.withResolvers<never>();
  const frame = encodeFrame(dialect.publish(topic, job.message, job.isDurable));
  let sent = 0;
  let received = 0;
  /** So many deliveries, and the next message may go. */
  let due = 0;
  let isOver = false;

  const watch = (socket: LoadSocket) => {
    socket.onLost = (why) => failed.reject(new Error(why));
    socket.peekBytes = dialect.peekBytes;
  };
  const pong = encodeFrame(dialect.pong ?? '');
  const author: Visitor = { port: job.publisherPort, user: 0, topics: [], publishesTo: topic };
  const publishers = await gather(job.publishers, () => enter(dialect, author));
  for (const publisher of publishers) {
    watch(publisher);
    publisher.onFrame = (bytes, start, length) => {
      const kind = dialect.classify(bytes, start, length);
      if (kind === 'ping') publisher.write(pong);
      if (kind === 'refusal') failed.reject(new Error('The server refused to publish.'));
    };
  }

  // All of one user: else each would be told of the coming of each other one, which is not what is measured here.
  const visitor: Visitor = { port: job.subscriberPort, user: 1, topics: [topic] };
  const sockets = await gather(subscribers, () => enter(dialect, visitor));
  for (const socket of sockets) {
    watch(socket);
    socket.onFrame = (bytes, start, length) => {
      if (dialect.classify(bytes, start, length) === 'ping') {
        socket.write(pong);
        return;
      }
      received += 1;
      if (received >= due) pump();
    };
  }
  const pump = () => {
    if (isOver) return;
    const target = Math.floor(received / subscribers) + job.publishers;
    for (; sent < target; sent += 1) publishers[sent % publishers.length]?.write(frame);
    due = (sent - job.publishers + 1) * subscribers;
  };

  pump();
  const measured = async () => {
    await Bun.sleep(job.warmUpMs);
    const before = received;
    const stop = startMeter(job.serverPids);
    await Bun.sleep(job.measureMs);
    const reading = stop();
    isOver = true;
    return { deliveries: received - before, ...reading };
  };
  const { deliveries, seconds, serverCpuSeconds, serverShare, loadShare } = await Promise.race([
    measured(),
    failed.promise,
  ]);
  if (deliveries === 0) throw new Error('Nothing was delivered.');
  return {
    deliveriesPerSecond: deliveries / seconds,
    serverMicrosPerDelivery: (serverCpuSeconds / deliveries) * 1e6,
    serverShare,
    loadShare,
  };
}
