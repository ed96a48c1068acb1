// The newest hacks that concern a player, and how they ended.

import { useCommand, useEvent } from '../../client/react/index.ts';
import type { Hack } from '../../modules/game/contract.ts';
import { Refusal } from '../parts/refusal.tsx';
import { Time } from '../parts/time.tsx';
import { useAnswer } from '../parts/use-answer.ts';

const shown = 10;

export function HackLog({ playerId }: { playerId: string }) {
  const send = useCommand();
  const { data, error, reload } = useAnswer('hacks', () => send('hack.list', { limit: shown }));
  useEvent('hack.completed', reload);
  useEvent('hack.failed', reload);
  useEvent('hack.aborted', reload);
  const ended = data?.items.filter(({ status }) => status !== 'running') ?? [];
  return (
    <section className="card" aria-labelledby="log">
      <h3 id="log">Results</h3>
      <Refusal error={error} />
      {ended.length === 0 && <p className="hint">No hack has ended yet.</p>}
      <ul className="rows" aria-live="polite">
        {ended.map((hack) => (
          <li key={hack.id} className="row">
            <span className={`tag ${hack.status}`}>{hack.status}</span>
            <span className="grow">{describe(hack, playerId)}</span>
            <Time at={hack.completionAt} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function describe({ attackerId, type, result }: Hack, playerId: string): string {
  const isMine = attackerId === playerId;
  const who = isMine
    ? `Your ${type}`
    : `A ${type} on you${attackerId === null ? ', by nobody knows whom' : ''}`;
  if (result === null) return who;
  return isMine ? `${who}: ${result.loot} money, ${result.xp} xp` : `${who}: ${result.loot} money lost`;
}
