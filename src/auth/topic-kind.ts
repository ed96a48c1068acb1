// `user:<id>`: what concerns one user, for that user alone.

import type { TopicKind } from '../realtime/module.ts';

export const userTopicKind: TopicKind = {
  kind: 'user',
  hasPresence: false,
  mayFollow: async (_db, actor, id) => actor.userId === id,
};
