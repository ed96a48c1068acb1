// `bun run admin <email>`: makes an admin of the user who registered with the address, verified or not. Instances that run on
// PostgreSQL know it within a second; the embedded database takes it while its server is stopped.

import { promoteOne } from '../auth/admins.ts';
import { createAudit } from '../auth/audit.ts';
import { users } from '../auth/schema.ts';
import { hasEmail } from '../auth/user-rows.ts';
import { createCommit } from '../realtime/log/commit.ts';
import { withDatabase } from './existing.ts';

export async function makeAdmin(email: string): Promise<void> {
  const { isNew, user } = await withDatabase(async ({ db, migrate }) => {
    await migrate(); // a backup may be older than this version
    const commit = createCommit(db, () => {}); // whoever follows the user's topic gets the event from the log
    const { value } = await commit(undefined, async (tx, emit) => {
      const promoted = await promoteOne(tx, emit, createAudit(db), email);
      const [user] = await tx.select().from(users).where(hasEmail(email));
      return { isNew: promoted.length > 0, user };
    });
    return value;
  });
  if (user === undefined) throw new Error(`Nobody has registered with ${email}.`);
  if (user.disabledAt !== null) throw new Error(`${email} is disabled: enable the user first.`);
  const name = `${user.name} (${user.email})`;
  process.stdout.write(isNew ? `${name} is an admin now.\n` : `${name} was one already.\n`);
}
