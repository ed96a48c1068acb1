// What a mailbox proves: that an address is its user's, and that who forgot a password may choose a new one.

import { and, eq, isNull } from 'drizzle-orm';
import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import type { Actor, Commit, Emit } from '../realtime/index.ts';
import { requestMail } from './account-mails.ts';
import { badToken, findTokenOwner, takeAccountToken } from './account-tokens.ts';
import { promoteListed } from './admins.ts';
import type { Audit } from './audit.ts';
import type { ResetInput } from './contract.ts';
import type { Device } from './device.ts';
import type { Passwords } from './passwords.ts';
import type { RateLimits } from './rate-limits.ts';
import { users } from './schema.ts';
import { revokeAll, type Sessions } from './sessions.ts';
import type { Standings } from './standings.ts';
import { found, type UserRow } from './user-rows.ts';

export interface Recovery {
  /** Has the actor's own address asked whether it is theirs. Throws `conflict` where that is known. */
  requestVerification(actor: Actor): Promise<void>;
  /** Throws `invalid` for a token that is not good. */
  verify(token: string, device: Device): Promise<void>;
  /** Does the same, and takes as long, whether there is such an account or not. */
  requestReset(email: string, device: Device): Promise<void>;
  /** Ends all sessions. It proves the address, too. Throws `invalid` for a token that is not good. */
  reset(input: ResetInput, device: Device): Promise<void>;
}

export function createRecovery(deps: {
  config: Pick<Config, 'adminEmails'>;
  db: Db;
  commit: Commit;
  audit: Audit;
  limits: RateLimits;
  passwords: Passwords;
  sessions: Pick<Sessions, 'isKnown'>;
  standings: Standings;
}): Recovery {
  const { config, db, commit, audit, limits, passwords, sessions, standings } = deps;

  /** The address is the user's: what hangs on that comes with it. */
  async function noteVerified(tx: Db, emit: Emit, user: UserRow, device: Device): Promise<void> {
    if (user.emailVerified) return;
    await tx.update(users).set({ emailVerified: true, updatedAt: new Date() }).where(eq(users.id, user.id));
    await audit.record(tx, { event: 'email_verified', userId: user.id, device });
    if (config.adminEmails.includes(user.email.toLowerCase())) {
      await promoteListed(tx, emit, audit, [user.email.toLowerCase()]);
    }
  }

  return {
    async requestVerification({ userId, sessionId, device }) {
      const { email, emailVerified } = found(await db.select().from(users).where(eq(users.id, userId)));
      if (emailVerified) throw new AppError('conflict', 'Your address is verified already.');
      await limits.takeVerificationMail({ userId, sessionId, device });
      await requestMail(db, 'verify', email);
    },

    async verify(token, device) {
      await limits.takeMailedToken(device);
      const { value } = await commit(undefined, async (tx, emit) => {
        const user = await lockUser(tx, await takeAccountToken(tx, 'verify', token));
        await noteVerified(tx, emit, user, device);
        return user;
      });
      standings.forgetUser(value.id);
    },

    async requestReset(email, device) {
      await limits.takeResetMail(device, email, () => sessions.isKnown(email, device));
      await db.transaction(async (tx) => {
        await requestMail(tx, 'reset', email);
        await audit.record(tx, { event: 'password_reset_requested', device, details: { email } });
      });
    },

    async reset({ token, password }, device) {
      await limits.takeMailedToken(device);
      await findTokenOwner(db, 'reset', token); // a hash is dear: none for who has no token
      const passwordHash = await passwords.hash(password);
      const { value } = await commit(undefined, async (tx, emit) => {
        const user = await lockUser(tx, await takeAccountToken(tx, 'reset', token));
        await tx.update(users).set({ passwordHash, updatedAt: new Date() }).where(eq(users.id, user.id));
        await revokeAll(tx, emit, user.id, 'password_changed');
        await audit.record(tx, { event: 'password_reset', userId: user.id, device });
        await noteVerified(tx, emit, user, device);
        return user;
      });
      standings.forgetUser(value.id);
    },
  };
}

/** Throws `invalid` for who was disabled meanwhile: with that the token is over, too. */
async function lockUser(tx: Db, userId: string): Promise<UserRow> {
  const isIt = and(eq(users.id, userId), isNull(users.disabledAt));
  const [user] = await tx.select().from(users).where(isIt).for('no key update');
  return user ?? badToken();
}
