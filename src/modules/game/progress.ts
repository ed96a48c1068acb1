// How far hacks are, told about once a second: each instance asks the database once for those of the players who are followed
// on it, and tells its own followers. Nobody is asked where nobody follows.

import { type SQL, sql } from 'drizzle-orm';
import { queryRows } from '../../db/database.ts';
import { type ModuleCore, startRounds } from '../../realtime/index.ts';
import { maxComputers, maxListed, maxRunning } from './contract.ts';
import { progressOf } from './rules.ts';
import { player } from './topics.ts';

const everyMs = 1_000;

/** Stops with the server. */
export function startProgress(core: ModuleCore): void {
  let isFailing = false;
  const stop = startRounds(everyMs, async () => {
    try {
      await tellProgress(core);
      isFailing = false;
    } catch (error) {
      if (!isFailing) core.reporter.report(error, 'telling how far hacks are');
      isFailing = true; // said once: the next round tries again
    }
  });
  core.onStop(stop);
}

async function tellProgress({ db, followedTopics, announceHere }: ModuleCore): Promise<void> {
  const followed = new Set(followedTopics().flatMap((topic) => player.parse(topic) ?? []));
  if (followed.size === 0) return;
  const rows = await queryRows<Running>(db, selectProgress([...followed]));
  for (const { playerId, hackId, startedMs, completionMs, nowMs } of rows) {
    const progress = progressOf(
      { startedAt: toInstant(startedMs), completionAt: toInstant(completionMs) },
      nowMs,
    );
    announceHere(player.on(playerId), 'hack.progress', { hackId, ...progress }, { actor: undefined });
  }
}

interface Running {
  /** Attacker or defender: who is told. */
  readonly playerId: string;
  readonly hackId: string;
  readonly startedMs: number;
  readonly completionMs: number;
  readonly nowMs: number;
}

const toInstant = (ms: number): string => new Date(ms).toISOString();

/** Of each player the hacks that the snapshot has, by the indexes of running hacks. */
export function selectProgress(playerIds: readonly string[]): SQL {
  const columns = sql`id, target_computer_id, started_at, completion_at`;
  const isUnderWay = sql`status = 'running' AND completion_at > now()`;
  return sql`
    SELECT followed.id AS "playerId", hack.id AS "hackId", ${inMs(sql`hack.started_at`)} AS "startedMs",
      ${inMs(sql`hack.completion_at`)} AS "completionMs", ${inMs(sql`clock_timestamp()`)} AS "nowMs"
    FROM unnest(${sql.param(playerIds)}::text[]) AS followed(id)
    CROSS JOIN LATERAL (
      (SELECT ${columns} FROM hack_operations WHERE ${isUnderWay} AND attacker_id = followed.id::uuid
        ORDER BY target_computer_id LIMIT ${maxRunning})
      UNION ALL
      (SELECT ${columns} FROM hack_operations WHERE ${isUnderWay} AND defender_id = followed.id::uuid AND is_listed
        ORDER BY target_computer_id LIMIT ${maxComputers * maxListed})
    ) AS hack`;
}

const inMs = (time: SQL): SQL => sql`floor(extract(epoch FROM ${time}) * 1000)::float8`;
