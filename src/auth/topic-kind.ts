// `user:<id>`: what concerns one user, for that user alone.

import type { TopicKind } from '../realtime/module.ts';

export const userTopicKind: TopicKind = {
  kind: 'user',
  hasPresence: false,
  findFollowable: async (_db, actor, ids) => new Set(ids.filter((id) => id === actor.userId)),
};
