// A topic in a component: followed while it is mounted, with the state that the topic's events add up to.

import { useCallback, useMemo, useRef, useSyncExternalStore } from 'react';
import type { TopicStatus, TopicView } from '../topic.ts';
import type { Client, StateOf, Topic } from '../typed.ts';
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
  const client = useProvided('useTopic');
  /** Its own, even where it has ended: the client knows no more of it then. */
  const followed = useRef<{ readonly client: Client; readonly topic: Topic }>(undefined);
  const subscribe = useCallback(
    (onChange: () => void) => {
      if (client === undefined || name === undefined) return () => {};
      const topic: Topic = client.topic(name);
      const stops = [topic.subscribe(onChange), topic.hold()];
      followed.current = { client, topic };
      return () => {
        for (const stop of stops) stop();
        followed.current = undefined;
      };
    },
    [client, name],
  );
  const read = (): TopicView | undefined => {
    if (client === undefined || name === undefined) return undefined;
    const own = followed.current;
    // What is rendered before the subscription must show nothing of another client or topic.
    return own?.client === client && own.topic.name === name ? own.topic.getSnapshot() : joining;
  };
  const view = useSyncExternalStore(subscribe, read, read);
  return useMemo(() => {
    const topic = view === undefined || view === joining ? undefined : followed.current?.topic;
    const used = view === undefined ? { ...joining, status: 'idle', topic } : { ...view, topic };
    return used as UsedTopic<Name>; // the state is that of topics of this name
  }, [view]);
}
