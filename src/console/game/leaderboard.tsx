// All players, those with the most experience first.

import { useCommand, useEvent } from '../../client/react/index.ts';
import { Loading } from '../parts/empty.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAnswer } from '../parts/use-answer.ts';

export function Leaderboard({ playerId }: { playerId: string }) {
  const send = useCommand();
  const { data, error, reload } = useAnswer('players', () => send('player.list', { limit: 50 }));
  useEvent('resources.updated', reload);
  if (data === undefined) return error === undefined ? <Loading what="players" /> : <Refusal error={error} />;
  return (
    <table className="card table">
      <caption className="visually-hidden">Players by experience</caption>
      <thead>
        <tr>
          <th scope="col">Player</th>
          <th scope="col">Level</th>
          <th scope="col">Experience</th>
        </tr>
      </thead>
      <tbody>
        {data.items.map(({ id, handle, level, xp }) => (
          <tr key={id} aria-current={id === playerId ? 'true' : undefined}>
            <th scope="row">
              {handle}
              {id === playerId && ' (you)'}
            </th>
            <td>{level}</td>
            <td>{xp.toLocaleString()}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
