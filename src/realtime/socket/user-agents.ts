// User agents as connections remember them: browsers by the thousand say the same, and share one string.

import { LRUCache } from 'lru-cache';

/** At most 400 characters each, so some 400 KB. Whoever's was dropped keeps a string of its own. */
const maxKept = 1_000;

/** Answers an equal string, the same one for all who say it. */
export function createUserAgents(): (userAgent: string) => string {
  const kept = new LRUCache<string, string>({ max: maxKept });
  return (userAgent) => {
    const known = kept.get(userAgent);
    if (known !== undefined) return known;
    const own = Buffer.from(userAgent).toString(); // a part of a longer text would keep the whole of it
    kept.set(own, own);
    return own;
  };
}
