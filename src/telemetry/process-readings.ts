// What Prometheus' clients tell of their process, under the names that dashboards know. prom-client's own set is Node's: under
// Bun 1.4.5 its heaps and event loop percentiles are zeros, `Nan` and 2^63.

import { readdir } from 'node:fs/promises';
import type { Reading } from './metrics.ts';

export function listProcessReadings(): Reading[] {
  const startedAt = Date.now() / 1_000 - process.uptime();
  return [
    {
      name: 'process_cpu_seconds_total',
      help: 'CPU time of the process, its own and the kernel for it',
      type: 'counter',
      read() {
        const { user, system } = process.cpuUsage();
        return [{ value: (user + system) / 1e6 }];
      },
    },
    {
      name: 'process_start_time_seconds',
      help: 'When the process started, in seconds since 1970',
      type: 'gauge',
      read: () => [{ value: startedAt }],
    },
    {
      name: 'process_resident_memory_bytes',
      help: 'Memory of the process that is not swapped out',
      type: 'gauge',
      read: () => [{ value: process.memoryUsage.rss() }],
    },
    {
      name: 'process_open_fds',
      help: 'Files and sockets that are open; none where there is no /proc',
      type: 'gauge',
      read: async () => [{ value: (await readdir('/proc/self/fd')).length }],
    },
    {
      name: 'nodejs_eventloop_lag_seconds',
      help: 'How long the event loop took just now to come to what was next',
      type: 'gauge',
      async read() {
        const askedAt = performance.now();
        await new Promise(setImmediate);
        return [{ value: (performance.now() - askedAt) / 1_000 }];
      },
    },
  ];
}
