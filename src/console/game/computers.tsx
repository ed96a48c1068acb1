// A player's computers and what protects them.

import { useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { maxComputers, maxDefenseLevel } from '../../modules/game/bounds.ts';
import { defenseKinds } from '../../modules/game/catalogue.ts';
import type { Computer, DefenseType, PlayerState } from '../../modules/game/contract.ts';
import { computerPrice, defensePrice } from '../../modules/game/rules.ts';
import { Field } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

export function Computers({ state: { computers, player } }: { state: PlayerState }) {
  return (
    <section className="board-column" aria-label="Your computers">
      {computers.map((computer) => (
        <ComputerCard key={computer.id} computer={computer} money={player.money} />
      ))}
      {computers.length < maxComputers && (
        <BuyComputer price={computerPrice(computers.length)} money={player.money} />
      )}
    </section>
  );
}

function ComputerCard({ computer, money }: { computer: Computer; money: number }) {
  const send = useCommand();
  const install = useAction((type: DefenseType) =>
    send('defense.install', { computerId: computer.id, type }),
  );
  const { name, ip, cpu, memory, storage, defenses } = computer;
  const types = Object.keys(defenseKinds) as DefenseType[]; // the keys of a table by type
  return (
    <section className="card" aria-label={`Computer ${name}`}>
      <p className="offer-head">
        <b>{name}</b> <span className="subtitle">{ip}</span>
      </p>
      <p className="subtitle">
        cpu {cpu}, memory {memory}, room for {storage} kinds of defense
      </p>
      <ul className="rows">
        {types.map((type) => {
          const level = defenses.find((defense) => defense.type === type)?.level ?? 0;
          const hasRoom = level > 0 || defenses.length < storage;
          const price = defensePrice(type, level + 1);
          return (
            <li key={type} className="row">
              <span className="grow">
                {type} <span className="subtitle">{level === 0 ? 'not there' : `level ${level}`}</span>
              </span>
              {hasRoom && level < maxDefenseLevel && (
                <button
                  type="button"
                  disabled={install.isBusy || money < price}
                  onClick={() => void install.run(type)}
                >
                  {level === 0 ? 'Install' : 'Improve'}
                  <span className="visually-hidden">{type}</span> for {price}
                </button>
              )}
            </li>
          );
        })}
      </ul>
      <Refusal error={install.error} />
    </section>
  );
}

function BuyComputer({ price, money }: { price: number; money: number }) {
  const send = useCommand();
  const [name, setName] = useState('');
  const buy = useAction(async () => {
    await send('computer.buy', { name: name.trim() });
    setName('');
  });
  return (
    <form
      className="card"
      aria-label="Buy a computer"
      onSubmit={(event) => {
        event.preventDefault();
        void buy.run();
      }}
    >
      <Field
        label="Another computer"
        required
        maxLength={60}
        placeholder="Its name"
        value={name}
        onChange={(event) => setName(event.target.value)}
        hint={`It costs ${price.toLocaleString()}.`}
      />
      <Refusal error={buy.error} />
      <button type="submit" disabled={buy.isBusy || money < price}>
        {money < price ? `${(price - money).toLocaleString()} more are needed` : 'Buy it'}
      </button>
    </form>
  );
}
