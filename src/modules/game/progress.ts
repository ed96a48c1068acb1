// How far hacks are, told about once a second: each instance asks the database once for those of the players who are followed
// on it, and tells its own followers. Nobody is asked where nobody follows.

import { and, asc, inArray, or, sql } from 'drizzle-orm';
import { type ModuleCore, startRounds } from '../../realtime/index.ts';
import { progressOf } from './rules.ts';
import { hackOperations } from './schema.ts';
import { readNowMs } from './time.ts';
import { isRunning, player } from './topics.ts';

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
  const ids = [...followed];
  const running = await db
    .select({
      id: hackOperations.id,
      attackerId: hackOperations.attackerId,
      defenderId: hackOperations.defenderId,
      startedAt: hackOperations.startedAt,
      completionAt: hackOperations.completionAt,
    })
    .from(hackOperations)
    .where(
      and(
        isRunning,
        sql`${hackOperations.completionAt} > now()`,
        or(inArray(hackOperations.attackerId, ids), inArray(hackOperations.defenderId, ids)),
      ),
    )
    .orderBy(asc(hackOperations.id));
  if (running.length === 0) return;
  const nowMs = await readNowMs(db);
  for (const { id, attackerId, defenderId, startedAt, completionAt } of running) {
    const times = { startedAt: startedAt.toISOString(), completionAt: completionAt.toISOString() };
    const progress = { hackId: id, ...progressOf(times, nowMs) };
    for (const side of [attackerId, defenderId]) {
      if (followed.has(side)) announceHere(player.on(side), 'hack.progress', progress, { actor: undefined });
    }
  }
}
