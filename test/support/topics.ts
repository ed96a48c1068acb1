// Topics on which a test may say anything.

import type { Topic } from '../../src/realtime/index.ts';
import { createTopicKinds, topicKind } from '../../src/realtime/topic-kind.ts';

/** The topic of that name: any event may be emitted on it. */
export const anyTopic = (name: string): Topic => ({ name, events: undefined });

/** `app:` topics, which everybody may follow. */
export const openKinds = createTopicKinds([
  topicKind('app', { id: '.+', findFollowable: async (_db, _actor, ids) => new Set(ids) }),
]);
