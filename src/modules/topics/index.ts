// The topics module: plain pub/sub for whatever has no module of its own.

import { defineModule } from '../../realtime/index.ts';
import { app, publish } from './operations.ts';

export const topicsModule = defineModule('topics', {
  topicKinds: [app],
  operations: [publish],
});
