// The newest 1,000 events of a topic, read from the log: the same cost whether the log is short or long.

import pg from 'pg';
import { atMostOf } from '../goals.ts';
import type { Contender, Scenario } from '../scenario.ts';
import type { Rigs } from '../servers.ts';
import { message, type Settings } from '../settings.ts';

const topic = 'app:public.replay';
const events = 1_000;

export function replay(rigs: Rigs, { isQuick }: Settings): Scenario {
  const [short, long] = isQuick ? [2_000, 20_000] : [10_000, 1_000_000];
  const nameOf = (size: number) => `Carillon, log of ${size}`;
  const contender = (size: number): Contender => ({
    name: nameOf(size),
    measure: () =>
      rigs.use(async (rig) => {
        const databaseUrl = await rig.createDatabase({ users: 1 });
        await fillLog(databaseUrl, size);
        const { port } = await rig.startCarillon({ env: { DATABASE_URL: databaseUrl } });
        const { replayMs } = await rig.load({
          kind: 'replay',
          port,
          topic,
          head: size,
          events,
          warmUps: isQuick ? 5 : 50,
          repeats: isQuick ? 20 : 200,
        });
        return { value: replayMs };
      }),
  });
  return {
    name: 'replay',
    title: `Replay of ${events} events`,
    cases: [
      {
        name: 'against the size of the log',
        unit: 'ms',
        deadlineMs: 180_000,
        contenders: [contender(short), contender(long)],
        // Noise of a shared machine; a scan would cost a hundred times as much.
        goals: [atMostOf(1.2, nameOf(long), nameOf(short))],
      },
    ],
  };
}

async function fillLog(databaseUrl: string, size: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('INSERT INTO topics (name, head) VALUES ($1, $2)', [topic, size]);
  await client.query(
    `INSERT INTO events (topic, seq, id, type, at, payload, meta)
     SELECT $1, n, gen_random_uuid(), 'bench.ticked', now(), to_json($2::text), '{"source":"system"}'
     FROM generate_series(1, $3::int) AS n`,
    [topic, message, size],
  );
  await client.query('VACUUM ANALYZE events'); // as autovacuum would have done by then
  await client.end();
}
