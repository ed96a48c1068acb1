// Members of rooms who each keep a fixed number of messages in flight: one that is acknowledged makes place for the next.

import { type DialectName, dialects, enter } from './dialects.ts';
import { gather } from './gather.ts';
import { startMeter } from './meter.ts';
import { percentile } from './percentile.ts';
import { createReader, type ReadFigures } from './reader.ts';
import { decodeText, encodeFrame, type LoadSocket } from './socket.ts';

export interface RequestsJob {
  readonly kind: 'requests';
  readonly dialect: DialectName;
  readonly port: number;
  readonly serverPids: readonly number[];
  /** Undefined: the database is the server's own. */
  readonly databasePid: number | undefined;
  /** The topic of each room. The members of room r are the users from r × members on. */
  readonly rooms: readonly string[];
  readonly members: number;
  /** Up to 10: a slot is one digit. */
  readonly inFlight: number;
  readonly message: string;
  /** Every member reads every message, as Carillon's clients do. Of one room only. */
  readonly isRead?: boolean;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface RequestsFigures {
  readonly acknowledgedPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Frames that are no answers, for each answer: the members of a room, unless something was lost. */
  readonly deliveriesPerMessage: number;
  readonly serverMicrosPerMessage: number;
  readonly databaseMicrosPerMessage: number | undefined;
  readonly reads: ReadFigures | undefined;
  readonly serverShare: number;
  readonly loadShare: number;
}

export async function runRequests(job: RequestsJob): Promise<RequestsFigures> {
  const dialect = dialects[job.dialect];
  const failed = Promise.withResolvers<never>();
  const pong = encodeFrame(dialect.pong ?? '');
  const reader = job.isRead ? createReader(job.rooms[0] ?? '') : undefined;
  let deliveries = 0;
  let isOver = false;
  let latencies: number[] = [];

  const roomOf = (index: number): string => job.rooms[Math.floor(index / job.members)] ?? '';
  const sockets = await gather(job.rooms.length * job.members, (user) =>
    enter(dialect, { port: job.port, user, topics: [roomOf(user)] }),
  );
  const start = (socket: LoadSocket, room: string) => {
    const frames = Array.from({ length: job.inFlight }, (_, slot) =>
      encodeFrame(dialect.send(slot, room, job.message)),
    );
    const sentAt = new Float64Array(job.inFlight);
    const send = (slot: number) => {
      const frame = frames[slot];
      if (frame === undefined) throw new Error(`There is no slot ${slot}.`);
      sentAt[slot] = performance.now();
      socket.write(frame);
    };
    socket.peekBytes = reader?.peekBytes ?? dialect.peekBytes;
    socket.onLost = (why) => failed.reject(new Error(why));
    socket.onFrame = (bytes, start, length) => {
      const kind = dialect.classify(bytes, start, length);
      if (kind === 'other') {
        deliveries += 1;
        reader?.onEvent(socket, bytes, start);
      } else if (kind === 'ping') socket.write(pong);
      else if (kind === 'refusal') {
        if (reader?.takesRefusal(bytes, start, length)) return;
        failed.reject(new Error(`Refused: ${decodeText(bytes, start, length)}`));
      } else if (kind >= job.inFlight) {
        reader?.onAnswer(); // no message has this slot
      } else {
        latencies.push(performance.now() - (sentAt[kind] ?? 0));
        if (!isOver) send(kind);
      }
    };
    for (let slot = 0; slot < job.inFlight; slot += 1) send(slot);
  };
  sockets.forEach((socket, index) => {
    start(socket, roomOf(index));
  });

  const measured = async () => {
    await Bun.sleep(job.warmUpMs);
    latencies = [];
    deliveries = 0;
    const stop = startMeter(job.serverPids, job.databasePid);
    const stopReading = reader?.start();
    await Bun.sleep(job.measureMs);
    isOver = true;
    const reading = stop();
    const counted = { latencies, deliveries, reads: stopReading?.(reading.seconds) };
    latencies = [];
    await reader?.settle();
    return { ...reading, ...counted };
  };
  const counted = await Promise.race([measured(), failed.promise]);
  const { seconds, serverCpuSeconds, databaseCpuSeconds, serverShare, loadShare, reads } = counted;
  const sorted = counted.latencies.sort((a, b) => a - b);
  const acknowledged = sorted.length;
  if (acknowledged === 0) throw new Error('Nothing was acknowledged.');
  const microsOf = (cpuSeconds: number) => (cpuSeconds / acknowledged) * 1e6;
  return {
    acknowledgedPerSecond: acknowledged / seconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    deliveriesPerMessage: counted.deliveries / acknowledged,
    serverMicrosPerMessage: microsOf(serverCpuSeconds),
    databaseMicrosPerMessage: databaseCpuSeconds === undefined ? undefined : microsOf(databaseCpuSeconds),
    reads,
    serverShare,
    loadShare,
  };
}
