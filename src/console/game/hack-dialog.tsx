// Prepares a hack: its type and the tools that are unlocked.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { hackKinds, tools } from '../../modules/game/catalogue.ts';
import type { ComputerFace, HackType, PlayerState } from '../../modules/game/contract.ts';
import { durationMs, energyAt, toolLimit } from '../../modules/game/rules.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { clockOf } from '../parts/time.tsx';
import { useAction } from '../parts/use-action.ts';
import { useNow } from '../parts/use-now.ts';

interface HackDialogProps {
  readonly target: ComputerFace;
  readonly state: PlayerState;
  readonly onClose: () => void;
}

const types = Object.keys(hackKinds) as HackType[]; // the keys of a table by type

export function HackDialog({ target, state, onClose }: HackDialogProps) {
  const send = useCommand();
  const now = useNow(1_000);
  const [type, setType] = useState<HackType>('bruteforce');
  const [used, setUsed] = useState<readonly string[]>([]);
  const start = useAction(async () => {
    await send('hack.start', { targetComputerId: target.id, type, tools: [...used] });
    onClose();
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void start.run();
  };
  const energy = energyAt(state.player.energy, now);
  const held = new Set(state.unlocks.map(({ key }) => key));
  const limit = toolLimit(Math.max(...state.computers.map(({ memory }) => memory)));
  const cpu = Math.max(...state.computers.map((computer) => computer.cpu));
  return (
    <Dialog title={`Hack ${target.name}`} onClose={onClose}>
      <form aria-label="Hack" onSubmit={submit}>
        <fieldset className="choices">
          <legend>How</legend>
          {types.map((name) => (
            <label key={name} className="check">
              <input type="radio" name="type" checked={type === name} onChange={() => setType(name)} />
              <span>
                {name}{' '}
                <span className="subtitle">
                  {hackKinds[name].energy} energy, {clockOf(durationMs(name, cpu))}
                </span>
              </span>
            </label>
          ))}
        </fieldset>
        <fieldset className="choices">
          <legend>Tools, up to {limit}</legend>
          {[...tools]
            .filter(([, tool]) => held.has(tool.unlock))
            .map(([key, tool]) => (
              <label key={key} className="check">
                <input
                  type="checkbox"
                  checked={used.includes(key)}
                  disabled={!used.includes(key) && used.length >= limit}
                  onChange={({ target: { checked } }) =>
                    setUsed(checked ? [...used, key] : used.filter((other) => other !== key))
                  }
                />
                <span>
                  {tool.name}{' '}
                  <span className="subtitle">
                    {tool.adds[type] === undefined
                      ? 'of no use here'
                      : `+${Math.round(100 * tool.adds[type])} % odds`}
                  </span>
                </span>
              </label>
            ))}
        </fieldset>
        <Refusal error={start.error} />
        <button type="submit" className="primary" disabled={start.isBusy || energy < hackKinds[type].energy}>
          {energy < hackKinds[type].energy ? `You have ${energy} energy` : 'Start the hack'}
        </button>
      </form>
    </Dialog>
  );
}
