// The module, whole: in a server its line stands in `src/modules/index.ts`.

import { defineModule } from '../../../src/realtime/index.ts';
import { events } from './contract.ts';
import { createPoll, getPoll, poll, vote } from './operations.ts';

export const pollsModule = defineModule('polls', {
  topicKinds: [poll],
  events,
  auditEvents: ['poll_created'],
  operations: [createPoll, vote, getPoll],
});
