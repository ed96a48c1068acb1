// `bun run db:renew-epoch`: after a backup was restored, and before clients come back.

import { renewEpoch } from '../src/realtime/log/identity.ts';
import { onDatabase } from './on-database.ts';

await onDatabase('The epoch was not renewed.', async ({ db }) => {
  const epoch = await renewEpoch(db);
  return (
    `The epoch is ${epoch} now: whoever subscribes with an older one gets a reset.\n` +
    'Start the server. Instances that run on PostgreSQL find the new epoch by themselves, within a second.'
  );
});
