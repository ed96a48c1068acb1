// What a player has. Energy comes back by the clock on the screen: what is kept is how much it was at one time.

import type { Player } from '../../modules/game/contract.ts';
import { energyAt, isShielded } from '../../modules/game/rules.ts';
import { clockOf } from '../parts/time.tsx';
import { useNow } from '../parts/use-now.ts';

export function Stats({ player }: { player: Player }) {
  const now = useNow(1_000);
  const { money, energy, xp, level, shieldUntil } = player;
  const present = energyAt(energy, now);
  return (
    <dl className="stats">
      <div>
        <dt>Money</dt>
        <dd>{money.toLocaleString()}</dd>
      </div>
      <div>
        <dt>Energy</dt>
        <dd>
          {present} of {energy.max}
          <progress aria-label="Energy" max={energy.max} value={present} />
        </dd>
      </div>
      <div>
        <dt>Experience</dt>
        <dd>
          {xp.toLocaleString()}
          <progress
            aria-label={`Experience towards level ${level + 1}`}
            max={100}
            value={shareOfLevel(xp, level)}
          />
        </dd>
      </div>
      <div>
        <dt>Shield</dt>
        <dd>
          {shieldUntil !== null && isShielded(shieldUntil, now)
            ? clockOf(Date.parse(shieldUntil) - now)
            : 'none'}
        </dd>
      </div>
    </dl>
  );
}

/** Level n begins at 100 (n − 1)² xp. */
const shareOfLevel = (xp: number, level: number): number => {
  const [from, to] = [100 * (level - 1) ** 2, 100 * level ** 2];
  return (100 * (xp - from)) / (to - from);
};
