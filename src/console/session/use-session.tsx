// The session for components.

import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react';
import type { OwnUser } from '../../auth/contract.ts';
import type { Session, SessionState } from './session.ts';

const SessionContext = createContext<Session | undefined>(undefined);

export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  return <SessionContext value={session}>{children}</SessionContext>;
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('useSession needs a SessionProvider above it.');
  return session;
}

export function useSessionState(): SessionState {
  const session = useSession();
  return useSyncExternalStore(session.subscribe, () => session.state);
}

/** Of whoever is logged in; for components that are not there otherwise. */
export function useMe(): OwnUser {
  const state = useSessionState();
  if (state.name !== 'in') throw new Error('useMe needs somebody who is logged in.');
  return state.user;
}
