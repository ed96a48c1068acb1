// Whom to hack: a scan finds computers of others near one's level, and a hack is prepared on one of them.

import { useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import type { ComputerFace, PlayerState } from '../../modules/game/contract.ts';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import { HackDialog } from './hack-dialog.tsx';

export function Targets({ state }: { state: PlayerState }) {
  const send = useCommand();
  const [found, setFound] = useState<readonly ComputerFace[] | undefined>();
  const [target, setTarget] = useState<ComputerFace | undefined>();
  const scan = useAction(async () => setFound((await send('computer.scan', { scan: 1 })).items));
  return (
    <section className="card" aria-labelledby="targets">
      <div className="offer-head">
        <h3 id="targets">Targets</h3>
        <button type="button" disabled={scan.isBusy} onClick={() => void scan.run()}>
          Scan
        </button>
      </div>
      <Refusal error={scan.error} />
      {found === undefined && <p className="hint">A scan finds computers near your level.</p>}
      {found?.length === 0 && (
        <p className="hint">Nobody is in reach: new players are behind a shield for their first day.</p>
      )}
      <ul className="rows">
        {found?.map((computer) => (
          <li key={computer.id} className="row">
            <span className="grow">
              <b>{computer.name}</b> <span className="subtitle">{computer.ip}</span>
              <br />
              <span className="subtitle">
                level {computer.level}
                {computer.defenses.map(({ type, level }) => `, ${type} ${level}`)}
              </span>
            </span>
            <button type="button" onClick={() => setTarget(computer)}>
              Hack
            </button>
          </li>
        ))}
      </ul>
      {target !== undefined && (
        <HackDialog target={target} state={state} onClose={() => setTarget(undefined)} />
      )}
    </section>
  );
}
