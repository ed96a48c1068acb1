// Starts the console in the page.

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { runAlone } from './session/alone.ts';
import { createRequests } from './session/requests.ts';
import { createSession, storageKey } from './session/session.ts';
import { SessionProvider } from './session/use-session.tsx';
import { applyStoredTheme } from './shell/theme.tsx';

applyStoredTheme();
const session = createSession({
  requests: createRequests(location.origin),
  storage: localStorage,
  alone: runAlone,
  now: Date.now,
});
window.addEventListener('storage', ({ key }) => {
  if (key === storageKey || key === null) session.onStored();
});
void session.restore();

const place = document.getElementById('console');
if (place === null) throw new Error('The page has no place for the console.');
createRoot(place).render(
  <StrictMode>
    <SessionProvider session={session}>
      <App />
    </SessionProvider>
  </StrictMode>,
);
