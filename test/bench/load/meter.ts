// What a stretch of time cost: seconds on the clock, and the processor time of servers, of PostgreSQL and of this process.

import { readdirSync, readFileSync } from 'node:fs';

export interface Reading {
  readonly seconds: number;
  /** Processor time of all servers, in seconds. */
  readonly serverCpuSeconds: number;
  /** Of PostgreSQL with all its processes; undefined where it was not asked for. */
  readonly databaseCpuSeconds: number | undefined;
  /** Of one core: 1 is all of it. */
  readonly serverShare: number;
  readonly loadShare: number;
}

/** Starts the clock; answers what stops it. */
export function startMeter(serverPids: readonly number[], databasePid?: number): () => Reading {
  const startedAt = performance.now();
  const own = process.cpuUsage();
  const servers = readServers(serverPids);
  const database = readDatabase(databasePid);
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(own);
    const serverCpuSeconds = readServers(serverPids) - servers;
    return {
      seconds,
      serverCpuSeconds,
      databaseCpuSeconds: database === undefined ? undefined : (readDatabase(databasePid) ?? 0) - database,
      serverShare: serverCpuSeconds / seconds,
      loadShare: (user + system) / 1e6 / seconds,
    };
  };
}

/** The kernel counts in hundredths of a second, for every user of /proc. */
const ticksPerSecond = 100;

function readServers(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (readUsage(pid)?.ownSeconds ?? 0), 0);
}

/** The first process, and all those that it started: one for each connection, and helpers. Those that ended count on in it. */
function readDatabase(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  const first = readUsage(pid);
  if (first === undefined) throw new Error('PostgreSQL is gone.');
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readUsage(Number(name)))
    .filter((usage) => usage?.parentPid === pid);
  return children.reduce(
    (sum, child) => sum + (child?.ownSeconds ?? 0),
    first.ownSeconds + first.endedSeconds,
  );
}

interface Usage {
  readonly parentPid: number;
  /** All its threads. */
  readonly ownSeconds: number;
  /** Its children that have ended. */
  readonly endedSeconds: number;
}

/** Undefined where the process has ended. */
function readUsage(pid: number): Usage | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name of the program, in brackets, may hold spaces. Behind it: the state, the parent, and the 14th to 17th fields
  // are utime, stime, cutime and cstime.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const seconds = (first: number) => ((fields[first] ?? 0) + (fields[first + 1] ?? 0)) / ticksPerSecond;
  return { parentPid: fields[1] ?? 0, ownSeconds: seconds(11), endedSeconds: seconds(13) };
}

/** What the process holds in memory, in bytes. */
export function readMemory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kilobytes === undefined) throw new Error(`/proc says nothing of the memory of ${pid}.`);
  return Number(kilobytes) * 1_024;
}
