// Who may do what on `app:` topics: everyone who is logged in on public ones, elsewhere whom the access token lets. [T2]

import type { Actor, TopicGrants } from '../../realtime/index.ts';

export type Right = keyof TopicGrants;

const publicPrefix = 'public.';

export function isGranted(actor: Actor, right: Right, name: string): boolean {
  if (name.startsWith(publicPrefix)) return true;
  return actor.topicGrants?.[right].some((pattern) => matches(pattern, name)) ?? false;
}

/**
 * Whether `*` in the pattern can stand for some characters, or none, so that it is the name. One pass over the name: a
 * regular expression with many stars could be made to try for hours.
 */
export function matches(pattern: string, name: string): boolean {
  const [start = '', ...parts] = pattern.split('*');
  const end = parts.pop();
  if (end === undefined) return name === start;
  if (name.length < start.length + end.length || !name.startsWith(start) || !name.endsWith(end)) return false;
  const between = name.slice(start.length, name.length - end.length);
  let position = 0;
  for (const part of parts) {
    const found = between.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return true;
}
