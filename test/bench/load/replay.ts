// One client reads a stretch of a topic's log, again and again. In between it lets go of the topic, so that the server has
// nothing of it in memory.

import { dialects, enter } from './dialects.ts';
import { median } from './percentile.ts';
import { decodeText } from './socket.ts';

export interface ReplayJob {
  readonly kind: 'replay';
  readonly port: number;
  readonly topic: string;
  /** The newest seq of the topic. */
  readonly head: number;
  /** Events of each replay. */
  readonly events: number;
  readonly warmUps: number;
  readonly repeats: number;
}

export interface ReplayFigures {
  readonly replayMs: number;
}

export async function runReplay(job: ReplayJob): Promise<ReplayFigures> {
  const socket = await enter(dialects.carillon, { port: job.port, user: 0, topics: [] });
  const { topic } = job;
  let onText: (text: string) => void = () => {};
  const failed = Promise.withResolvers<never>();
  socket.onLost = (why) => failed.reject(new Error(why));
  socket.onFrame = (bytes, start, length) => onText(decodeText(bytes, start, Math.min(length, 200)));

  const replayOnce = async (): Promise<number> => {
    const done = Promise.withResolvers<void>();
    let left = job.events;
    onText = (text) => {
      if (text.startsWith('{"type":"error"')) failed.reject(new Error(`Refused: ${text}`));
      if (text.includes('"seq":') && !text.startsWith('{"type":"ok"')) left -= 1;
      if (left === 0) done.resolve();
    };
    const startedAt = performance.now();
    socket.sendText(
      JSON.stringify({ id: 's', type: 'subscribe', topic, payload: { since: job.head - job.events } }),
    );
    await Promise.race([done.promise, failed.promise]);
    return performance.now() - startedAt;
  };
  const letGo = async (): Promise<void> => {
    const done = Promise.withResolvers<void>();
    onText = (text) => {
      if (text.startsWith('{"type":"ok"')) done.resolve();
    };
    socket.sendText(JSON.stringify({ id: 'u', type: 'unsubscribe', topic }));
    await Promise.race([done.promise, failed.promise]);
  };

  const durations: number[] = [];
  for (let round = 0; round < job.warmUps + job.repeats; round += 1) {
    const durationMs = await replayOnce();
    if (round >= job.warmUps) durations.push(durationMs);
    await letGo();
  }
  return { replayMs: median(durations) };
}
