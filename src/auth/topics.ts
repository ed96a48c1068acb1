// `user:<id>`: what concerns one user, for that user alone. Modules put their own events on it, too.

import { topicKind } from '../realtime/index.ts';
import { events } from './contract.ts';

export const userTopics = topicKind('user', {
  events,
  mayFollow: async (_db, actor, id) => actor.userId === id,
});
