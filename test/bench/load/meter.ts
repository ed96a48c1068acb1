// What a stretch of time cost: seconds on the clock, and the processor time of servers and of this process.

import { readFileSync } from 'node:fs';

export interface Reading {
  readonly seconds: number;
  /** Processor time of all servers, in seconds. */
  readonly serverCpuSeconds: number;
  /** Of one core: 1 is all of it. */
  readonly serverShare: number;
  readonly loadShare: number;
}

/** Starts the clock; answers what stops it. */
export function startMeter(serverPids: readonly number[]): () => Reading {
  const startedAt = performance.now();
  const own = process.cpuUsage();
  const servers = readServers(serverPids);
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(own);
    const serverCpuSeconds = readServers(serverPids) - servers;
    return {
      seconds,
      serverCpuSeconds,
      serverShare: serverCpuSeconds / seconds,
      loadShare: (user + system) / 1e6 / seconds,
    };
  };
}

/** The kernel counts in hundredths of a second, for every user of /proc. */
const ticksPerSecond = 100;

function readServers(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readCpuSeconds(pid), 0);
}

/** All threads of the process. */
function readCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program, in brackets, may hold spaces; utime and stime are the 14th and 15th fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** What the process holds in memory, in bytes. */
export function readMemory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kilobytes === undefined) throw new Error(`/proc says nothing of the memory of ${pid}.`);
  return Number(kilobytes) * 1_024;
}
