// Events in a component, of whatever topic is followed.

import { useEffect, useEffectEvent } from 'react';
import type { AnyEvent, EventType } from '../typed.ts';
import { useProvided } from './context.ts';

/** Hears events of this type ('*': of all) on all topics that are followed, by whomever; what is on several, once. */
export function useEvent<Type extends EventType | '*'>(
  type: Type,
  listener: (event: AnyEvent<Type>) => void,
): void {
  const client = useProvided('useEvent');
  const hear = useEffectEvent(listener);
  useEffect(() => client?.on(type, (event) => hear(event)), [client, type]);
}
