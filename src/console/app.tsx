// What is seen: the way in, or the console of who is logged in, with a client of that session.

import { useEffect, useState } from 'react';
import { type Client, createClient } from '../client/index.ts';
import { CarillonProvider } from '../client/react/index.ts';
import { createJournal, type Journal } from './inspector/journal.ts';
import { Loading } from './parts/empty.tsx';
import { Refusal } from './parts/refusal.tsx';
import type { Session } from './session/session.ts';
import { SignIn } from './session/sign-in.tsx';
import { useSession, useSessionState } from './session/use-session.tsx';
import { Shell } from './shell/shell.tsx';

/** How many envelopes the inspector shows. */
const journalEntries = 500;

export function App() {
  const session = useSession();
  const state = useSessionState();
  switch (state.name) {
    case 'restoring':
      return (
        <main className="lobby">
          <Loading what="your session" />
        </main>
      );
    case 'unreachable':
      return (
        <main className="lobby">
          <h1>Carillon</h1>
          <Refusal error={state.error} />
          <button type="button" onClick={() => void session.restore()}>
            Try again
          </button>
        </main>
      );
    case 'out':
      return <SignIn notice={state.notice} />;
    case 'in':
      return <SignedIn key={state.sessionId} session={session} />;
  }
}

function SignedIn({ session }: { session: Session }) {
  const [{ client, journal }] = useState(() => start(session));
  useEffect(
    () =>
      client.onState((state) => {
        // Refused for good: logged out elsewhere, or nobody any more. [H5]
        if (state.name === 'error') session.end(state.error.message);
      }),
    [client, session],
  );
  return (
    <CarillonProvider client={client}>
      <Shell journal={journal} />
    </CarillonProvider>
  );
}

function start(session: Session): { client: Client; journal: Journal } {
  const journal = createJournal(journalEntries, () => new Date());
  const client = createClient({
    url: location.origin,
    getToken: (reason) => session.getToken(reason),
    onFrame: (frame) => journal.record('in', frame),
    onSend: (frame) => journal.record('out', frame),
  });
  return { client, journal };
}
