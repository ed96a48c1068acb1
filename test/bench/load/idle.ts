// Connections that say nothing: how much memory the server holds for one.

import { type DialectName, dialects, enter } from './dialects.ts';
import { gather } from './gather.ts';
import { readMemory } from './meter.ts';
import { encodeFrame, type LoadSocket } from './socket.ts';

export interface IdleJob {
  readonly kind: 'idle';
  readonly dialect: DialectName;
  readonly port: number;
  readonly serverPids: readonly number[];
  /** Opened first and not counted: what they cost is mostly the server's own growth. */
  readonly first: number;
  readonly counted: number;
  /** Two for each user, by number. */
  readonly membersPerTopic: number;
  readonly topicPrefix: string;
  readonly settleMs: number;
}

export interface IdleFigures {
  readonly bytesPerConnection: number;
  readonly serverBytes: number;
}

export async function runIdle(job: IdleJob): Promise<IdleFigures> {
  const dialect = dialects[job.dialect];
  const failed = Promise.withResolvers<never>();
  const pong = encodeFrame(dialect.pong ?? '');
  const sockets: LoadSocket[] = [];
  const open = async (count: number) => {
    const offset = sockets.length;
    const opened = await gather(count, (index) => {
      const user = offset + index;
      const room = Math.floor(user / job.membersPerTopic);
      const topics = [`${job.topicPrefix}a${room}`, `${job.topicPrefix}b${room}`];
      return enter(dialect, { port: job.port, user, topics });
    });
    for (const socket of opened) {
      socket.onFrame = (bytes, start, length) => {
        if (dialect.classify(bytes, start, length) === 'ping') socket.write(pong);
      };
      socket.onLost = (why) => failed.reject(new Error(why));
    }
    sockets.push(...opened);
  };
  const settled = async () => {
    await Bun.sleep(job.settleMs);
    return job.serverPids.reduce((sum, pid) => sum + readMemory(pid), 0);
  };
  const measured = async () => {
    await open(job.first);
    const before = await settled();
    await open(job.counted);
    const after = await settled();
    return { bytesPerConnection: (after - before) / job.counted, serverBytes: after };
  };
  return await Promise.race([measured(), failed.promise]);
}
