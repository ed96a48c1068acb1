// Where this user is logged in, and how to end that there.

import { useCommand, useEvent } from '../../client/react/index.ts';
import { Refusal } from '../parts/refusal.tsx';
import { Time } from '../parts/time.tsx';
import { useAction } from '../parts/use-action.ts';
import { useAnswer } from '../parts/use-answer.ts';

export function SessionList() {
  const send = useCommand();
  const { data, error, reload } = useAnswer('sessions', () => send('session.list', { limit: 100 }));
  useEvent('session.revoked', reload);
  const end = useAction(async (sessionId: string) => {
    await send('session.revoke', { sessionId });
    reload();
  });
  return (
    <section className="card" aria-labelledby="sessions">
      <h3 id="sessions">Where you are logged in</h3>
      <Refusal error={error ?? end.error} />
      <ul className="rows">
        {data?.items.map(({ id, userAgent, ip, lastUsedAt, current }) => (
          <li key={id} className="row">
            <span className="grow">
              {deviceOf(userAgent)}
              <br />
              <span className="subtitle">
                {ip ?? 'unknown address'}, <Time at={lastUsedAt} />
              </span>
            </span>
            {current ? (
              <span className="tag">here</span>
            ) : (
              <button type="button" disabled={end.isBusy} onClick={() => void end.run(id)}>
                End
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function deviceOf(userAgent: string | null): string {
  if (userAgent === null) return 'A program';
  const known = ['Firefox', 'Edg', 'Chrome', 'Safari'].find((name) => userAgent.includes(`${name}/`));
  return known?.replace('Edg', 'Edge') ?? userAgent.slice(0, 40);
}
