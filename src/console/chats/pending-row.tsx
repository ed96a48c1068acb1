// A message that the server does not have yet.

import { useConnection } from '../../client/react/index.ts';
import { Refusal } from '../parts/refusal.tsx';
import type { PendingMessage } from './use-pending.ts';

export function PendingRow({ message: { input, error, retry, discard } }: { message: PendingMessage }) {
  const { state } = useConnection();
  return (
    <li className="message mine pending">
      <div className="bubble">
        <p className="content">{input.content}</p>
        {error === undefined ? (
          <p className="meta">{state.name === 'connected' ? 'Sending …' : 'Waits for the connection'}</p>
        ) : (
          <>
            <Refusal error={error} />
            <button type="button" onClick={retry}>
              Send again
            </button>
            <button type="button" className="quiet" onClick={discard}>
              Discard
            </button>
          </>
        )}
      </div>
    </li>
  );
}
