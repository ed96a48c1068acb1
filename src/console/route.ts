// Which part of the console is seen: the address behind `#`, so that links, reloads and the browser's buttons work, and the
// server sees one page. `#/campaigns/<id>/settlement/<id>` is `['campaigns', '<id>', 'settlement', '<id>']`.

import { useSyncExternalStore } from 'react';

export function useRoute(): readonly string[] {
  return parseRoute(useSyncExternalStore(onRoute, () => location.hash));
}

export const parseRoute = (hash: string): readonly string[] =>
  hash
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => /^[\w-]+$/.test(part));

export const linkTo = (...parts: readonly string[]): string => `#/${parts.join('/')}`;

export function goTo(...parts: readonly string[]): void {
  location.hash = linkTo(...parts);
}

function onRoute(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}
