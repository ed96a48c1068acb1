// The hacks that run: one's own, and those on one's computers.

import { useCommand } from '../../client/react/index.ts';
import type { Hack, PlayerState } from '../../modules/game/contract.ts';
import { progressOf } from '../../modules/game/rules.ts';
import { Refusal } from '../parts/refusal.tsx';
import { clockOf } from '../parts/time.tsx';
import { useAction } from '../parts/use-action.ts';
import { useNow } from '../parts/use-now.ts';

export function RunningHacks({ state }: { state: PlayerState }) {
  const { attacking, defending } = state.hacks;
  if (attacking.length + defending.length === 0) return null;
  return (
    <section className="card" aria-labelledby="running">
      <h3 id="running">Running</h3>
      {attacking.map((hack) => (
        <RunningHack key={hack.id} hack={hack} isMine />
      ))}
      {defending.map((hack) => (
        <RunningHack key={hack.id} hack={hack} isMine={false} />
      ))}
    </section>
  );
}

function RunningHack({ hack, isMine }: { hack: Hack; isMine: boolean }) {
  const now = useNow(250);
  const send = useCommand();
  const abort = useAction(() => send('hack.abort', { hackId: hack.id }));
  // As the server computes it: `hack.progress` says the same about once a second.
  const { percent, remainingMs } = progressOf(hack, now);
  return (
    <div className="hack">
      <p className="offer-head">
        <b>{hack.type}</b>
        <span className="subtitle">
          {isMine ? 'yours' : 'on one of your computers'}, {clockOf(remainingMs)} left
        </span>
      </p>
      <progress aria-label={`Progress of the hack: ${hack.type}`} max={100} value={percent} />
      {isMine && (
        <button type="button" className="quiet" disabled={abort.isBusy} onClick={() => void abort.run()}>
          Abort
        </button>
      )}
      <Refusal error={abort.error} />
    </div>
  );
}
