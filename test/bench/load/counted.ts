// A server that does its work by itself, and answers at `/` how much of it is done: what it does in a stretch of time.

import { startMeter } from './meter.ts';

export interface CountedJob {
  readonly kind: 'counted';
  readonly port: number;
  readonly serverPids: readonly number[];
  /** Of what it keeps things in. */
  readonly databasePid: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface CountedFigures {
  readonly donePerSecond: number;
  readonly serverMicrosEach: number;
  readonly storeMicrosEach: number;
  readonly serverShare: number;
  readonly loadShare: number;
}

export async function runCounted(job: CountedJob): Promise<CountedFigures> {
  const readDone = async (): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${job.port}/`);
    if (!response.ok) throw new Error(`The peer: ${await response.text()}`);
    return Number(await response.text());
  };
  await Bun.sleep(job.warmUpMs);
  const before = await readDone();
  const stop = startMeter(job.serverPids, job.databasePid);
  await Bun.sleep(job.measureMs);
  const { seconds, serverCpuSeconds, databaseCpuSeconds, serverShare, loadShare } = stop();
  const done = (await readDone()) - before;
  if (done === 0) throw new Error('Nothing was done.');
  return {
    donePerSecond: done / seconds,
    serverMicrosEach: (serverCpuSeconds / done) * 1e6,
    storeMicrosEach: ((databaseCpuSeconds ?? Number.NaN) / done) * 1e6,
    serverShare,
    loadShare,
  };
}
