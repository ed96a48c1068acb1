// A topic in a component: followed while it is mounted, with the state that the topic's events add up to.

import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { TopicStatus, TopicView } from '../topic.ts';
import type { StateOf, Topic } from '../typed.ts';
import { useProvided } from './context.ts';

export interface UsedTopic<Name extends string> {
  /** Undefined before the first snapshot, and where topics of this name have no state. */
  readonly state: StateOf<Name> | undefined;
  /** `idle`: there is no name, or no client. */
  readonly status: TopicStatus | 'idle';
  /** Why it ended. */
  readonly error: Error | undefined;
  /** For its events, and to wait for one's own. Undefined until it is followed. */
  readonly topic: Topic<Name> | undefined;
}

const joining: TopicView = { state: undefined, status: 'joining', error: undefined };

/** Components that use the same topic share it: it is left when the last one goes. */
export function useTopic<const Name extends string>(name: Name | undefined): UsedTopic<Name> {
  const { follows } = useProvided('useTopic');
  const subscribe = useCallback(
    (onChange: () => void) =>
      follows === undefined || name === undefined ? () => {} : follows.follow(name, onChange),
    [follows, name],
  );
  const read = (): TopicView | undefined => {
    if (follows === undefined || name === undefined) return undefined;
    return follows.find(name)?.getSnapshot() ?? joining;
  };
  const view = useSyncExternalStore(subscribe, read, read);
  return useMemo(() => {
    const topic = name === undefined ? undefined : follows?.find(name);
    const used = view === undefined ? { ...joining, status: 'idle', topic } : { ...view, topic };
    return used as UsedTopic<Name>; // the state is that of topics of this name
  }, [view, follows, name]);
}
