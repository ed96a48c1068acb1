// Says how the connection is, as a light and in words: green once it is there, and gone a little later; yellow while it is
// being made; red when the client gave up; grey when it was closed. Without a client it shows nothing.

import { type CSSProperties, type ReactNode, useEffect, useState } from 'react';
import type { ClientState } from '../client.ts';
import { useProvided } from './context.ts';
import { useConnection } from './use-connection.ts';

/** How long it says that all is well. */
const shownMs = 3_000;

const colors = { green: '#2e7d32', yellow: '#f9a825', red: '#c62828', grey: '#757575' };

export function ConnectionIndicator(): ReactNode {
  const client = useProvided('ConnectionIndicator');
  const { state, connect } = useConnection();
  const isSettled = useIsSettled(state);
  if (client === undefined || isSettled) return null;
  const { color, text } = describe(state);
  const mayConnect = state.name === 'error' || state.name === 'disconnected';
  return (
    <div className="carillon-connection" role="status" data-color={color} data-state={state.name}>
      <span aria-hidden="true" style={{ ...dot, backgroundColor: colors[color] }} />
      <span>{text}</span>
      {mayConnect && (
        <button type="button" onClick={connect}>
          Connect
        </button>
      )}
    </div>
  );
}

/** Whether it has been connected for long enough. */
function useIsSettled(state: ClientState): boolean {
  const [settled, setSettled] = useState<ClientState>();
  useEffect(() => {
    if (state.name !== 'connected') return;
    const timer = setTimeout(() => setSettled(state), shownMs);
    return () => clearTimeout(timer);
  }, [state]);
  return settled === state;
}

function describe(state: ClientState): { readonly color: keyof typeof colors; readonly text: string } {
  switch (state.name) {
    case 'connected':
      return { color: 'green', text: 'Connected' };
    case 'connecting':
      return {
        color: 'yellow',
        text: state.attempt === 1 ? 'Connecting …' : `Reconnecting (attempt ${state.attempt}) …`,
      };
    case 'error':
      return { color: 'red', text: state.error.message };
    case 'disconnected':
      return { color: 'grey', text: 'Not connected' };
  }
}

const dot: CSSProperties = {
  display: 'inline-block',
  width: '0.6em',
  height: '0.6em',
  marginInlineEnd: '0.4em',
  borderRadius: '50%',
};
