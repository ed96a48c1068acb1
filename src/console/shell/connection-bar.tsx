// How the connection is, for eyes and for ears; and what becomes of what is done meanwhile.

import { ConnectionIndicator, useConnection } from '../../client/react/index.ts';

export function ConnectionBar() {
  const { state } = useConnection();
  const isAway = state.name !== 'connected';
  const isTrying = state.name === 'connecting' && state.attempt === 1;
  return (
    <div className={`connection-bar${isAway && !isTrying ? ' away' : ''}`}>
      <ConnectionIndicator />
      {isAway && !isTrying && <p>What you send waits until the server is back. What you see is as it was.</p>}
    </div>
  );
}
