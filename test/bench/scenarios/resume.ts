// Everyone is cut off, misses 100 events, and comes back at once. Every client must end up with every event, in order; and
// the log is asked for each topic, not for each client.

import pg from 'pg';
import { type Case, carillonName, type Goal, type Scenario } from '../scenario.ts';
import type { Rigs } from '../servers.ts';
import { message, type Settings } from '../settings.ts';

export function resume(rigs: Rigs, { isQuick }: Settings): Scenario {
  const sizes = isQuick ? [100, 200] : [1_000, 5_000];
  const topicCount = isQuick ? 10 : 50;
  const missed = 100;
  const cases = sizes.map(
    (clients): Case => ({
      name: `${clients} clients on ${topicCount} topics, ${missed} events missed`,
      unit: 's until all have all',
      deadlineMs: 120_000,
      contenders: [
        {
          name: carillonName,
          measure: () =>
            rigs.use(async (rig) => {
              const databaseUrl = await rig.createDatabase({ users: clients + 1 });
              const { port, pid } = await rig.startCarillon({ env: { DATABASE_URL: databaseUrl } });
              const topics = Array.from({ length: topicCount }, (_, n) => `app:public.resume.${n}`);
              const { allSeconds, p50Ms, p99Ms, serverShare, loadShare } = await rig.load({
                kind: 'resume',
                port,
                serverPids: [pid],
                clients,
                topics,
                missed,
                message,
              });
              process.kill(pid, 'SIGKILL'); // its sessions end, and with that they hand in their statistics
              const logReads = await countLogReads(databaseUrl);
              const also = {
                'p50 ms': p50Ms,
                'p99 ms': p99Ms,
                'replayed/s': (clients * missed) / allSeconds,
                'log reads': logReads,
              };
              return { value: allSeconds, also, serverShare, loadShare };
            }),
        },
      ],
      goals: [fewLogReads(topicCount)],
    }),
  );
  return { name: 'resume', title: 'Resume storm', cases };
}

/** A few for each topic (its reach, its missed events), none for each client. */
function fewLogReads(topics: number): Goal {
  const perTopic = 10;
  return {
    contender: carillonName,
    text: `≤ ${perTopic} log reads a topic`,
    check(medians) {
      const reads = medians(carillonName)?.also?.['log reads'];
      if (reads === undefined) return undefined;
      return { found: `${(reads / topics).toFixed(1)} a topic`, isMet: reads <= perTopic * topics };
    },
  };
}

/** Scans of the events' primary key since the database was made, by PostgreSQL's own count, once all sessions are over. */
async function countLogReads(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query(`
        SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()
                  AND pid <> pg_backend_pid() AND backend_type = 'client backend') AS sessions,
          (SELECT sum(idx_scan)::int FROM pg_stat_user_indexes WHERE relname = 'events') AS reads`);
      if (rows[0].sessions === 0) return rows[0].reads;
      await Bun.sleep(50);
    }
  } finally {
    await client.end();
  }
}
