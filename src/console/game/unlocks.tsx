// The tree of what can be learned: what is held, what can be bought, and what has to come first.

import { useCommand } from '../../client/react/index.ts';
import type { UnlockNode } from '../../modules/game/contract.ts';
import { Loading } from '../parts/empty.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import { useAnswer } from '../parts/use-answer.ts';

/** With other `xp`, or other ones held, it is asked for anew. */
export function Unlocks({ xp, held }: { xp: number; held: number }) {
  const send = useCommand();
  const { data, error } = useAnswer(`unlocks ${xp} ${held}`, () => send('unlock.list', {}));
  const buy = useAction((key: string) => send('unlock.buy', { key }));
  if (data === undefined) return error === undefined ? <Loading what="skills" /> : <Refusal error={error} />;
  const names = new Map(data.items.map(({ key, name }) => [key, name]));
  const holds = (key: string): boolean =>
    data.items.some((node) => node.key === key && node.unlockedAt !== null);
  return (
    <>
      <p>
        You have <b>{data.unspentXp}</b> experience to spend. Levels go by all that you ever earned, so
        spending costs none.
      </p>
      <Refusal error={buy.error} />
      <ul className="skills">
        {data.items.map((node) => (
          <li key={node.key} className={`card${node.unlockedAt === null ? '' : ' held'}`}>
            <p className="offer-head">
              <b>{node.name}</b>
              {node.unlockedAt === null ? (
                <span className="subtitle">{node.cost} xp</span>
              ) : (
                <span className="tag completed">yours</span>
              )}
            </p>
            <p className="subtitle">{describe(node, names)}</p>
            {node.unlockedAt === null && node.parents.every(holds) && (
              <button
                type="button"
                aria-label={`Learn ${node.name}`}
                disabled={buy.isBusy || data.unspentXp < node.cost}
                onClick={() => void buy.run(node.key)}
              >
                Learn
              </button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

function describe({ parents, tool }: UnlockNode, names: ReadonlyMap<string, string>): string {
  const use = tool === null ? 'Leads to more.' : 'A tool.';
  if (parents.length === 0) return use;
  return `${use} Needs ${parents.map((key) => names.get(key) ?? key).join(' and ')}.`;
}
