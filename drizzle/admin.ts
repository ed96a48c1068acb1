// `bun run admin <email>`: makes an admin of the user who registered with the address, verified or not. Instances that run on
// PostgreSQL know it within a second; the embedded database takes it while its server is stopped.

import { promoteOne } from '../src/auth/admins.ts';
import { createAudit } from '../src/auth/audit.ts';
import { users } from '../src/auth/schema.ts';
import { hasEmail } from '../src/auth/user-rows.ts';
import { createCommit } from '../src/realtime/log/commit.ts';
import { onDatabase } from './on-database.ts';

await onDatabase('Nobody was made an admin.', async ({ db }) => {
  const [email, ...others] = process.argv.slice(2);
  if (email === undefined || others.length > 0)
    throw new Error('Name one e-mail address: bun run admin <email>');
  const commit = createCommit(db, () => {}); // whoever follows the user's topic gets the event from the log
  const { value } = await commit(undefined, async (tx, emit) => {
    const promoted = await promoteOne(tx, emit, createAudit(db), email);
    const [user] = await tx.select().from(users).where(hasEmail(email));
    return { isNew: promoted.length > 0, user };
  });
  const { isNew, user } = value;
  if (user === undefined) throw new Error(`Nobody has registered with ${email}.`);
  if (user.disabledAt !== null) throw new Error(`${email} is disabled: enable the user first.`);
  return isNew
    ? `${user.name} (${user.email}) is an admin now.`
    : `${user.name} (${user.email}) was one already.`;
});
