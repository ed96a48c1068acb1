// `bun run db:renew-epoch`: after a backup was restored, and before clients come back.

import { renewEpoch as renew } from '../realtime/log/identity.ts';
import { withDatabase } from './existing.ts';

export async function renewEpoch(): Promise<void> {
  const epoch = await withDatabase(async ({ db, migrate }) => {
    await migrate(); // the backup may be older than this version
    return await renew(db);
  });
  process.stdout.write(
    `The epoch is ${epoch} now: whoever subscribes with an older one gets a reset.\n` +
      'Start the server. Instances that run on PostgreSQL find the new epoch by themselves, within a second.\n',
  );
}
