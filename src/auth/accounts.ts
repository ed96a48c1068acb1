// How a person becomes a user, comes back, and changes the password.

import { and, eq, isNull } from 'drizzle-orm';
import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import type { Actor, Commit, Committed } from '../realtime/index.ts';
import { promoteListed } from './admins.ts';
import type { Audit } from './audit.ts';
import type { LoginInput, OwnUser, PasswordInput, RegisterInput, SignedIn } from './contract.ts';
import type { Device } from './device.ts';
import type { Passwords } from './passwords.ts';
import type { RateLimits } from './rate-limits.ts';
import { users } from './schema.ts';
import { revokeAll, type Sessions } from './sessions.ts';
import { lockStanding, type Standings } from './standings.ts';
import { foldName, found, hasEmail, toOwnUser, type UserRow } from './user-rows.ts';

export interface Accounts {
  /** User, session and audit row together. Throws `conflict` for a taken e-mail, also when two ask at once. */
  register(input: RegisterInput, device: Device): Promise<SignedIn>;
  /** Throws `unauthorized`: the same, after the same work, for a wrong e-mail, a wrong password and a disabled user. */
  login(input: LoginInput, device: Device): Promise<SignedIn>;
  /** Ends all other sessions of the user. Throws `forbidden` for a wrong old password. */
  changePassword(actor: Actor, input: PasswordInput): Promise<Committed<OwnUser>>;
  /**
   * The user behind it, as it was then. Throws `forbidden` for a wrong password, and `rate_limited`: a stolen access token must
   * not become a way to guess it.
   */
  checkPassword(actor: Actor, password: string): Promise<UserRow>;
  /** Makes admins of the users that ADMIN_EMAILS names, as far as their addresses are verified. */
  promoteAdmins(): Promise<void>;
}

export function createAccounts(deps: {
  config: Pick<Config, 'adminEmails'>;
  db: Db;
  commit: Commit;
  audit: Audit;
  limits: RateLimits;
  passwords: Passwords;
  sessions: Sessions;
  standings: Standings;
}): Accounts {
  const { config, db, commit, audit, limits, passwords, sessions, standings } = deps;

  async function checkPassword(actor: Actor, password: string): Promise<UserRow> {
    const { userId, sessionId, device } = actor;
    const user = found(await db.select().from(users).where(eq(users.id, userId)));
    await limits.takePasswordChange(actor);
    if (await passwords.verify(password, user.passwordHash)) return user;
    const details = { email: user.email };
    await audit.record(db, { event: 'login_failed', userId, sessionId, device, details });
    throw new AppError('forbidden', 'The password is wrong.');
  }

  return {
    async register({ email, password, name }, device) {
      await limits.takeRegistration(device);
      const passwordHash = await passwords.hash(password);
      const { value } = await commit(undefined, async (tx) => {
        const [user] = await tx
          .insert(users)
          .values({ id: Bun.randomUUIDv7(), email, passwordHash, name, foldedName: foldName(name) })
          .onConflictDoNothing()
          .returning();
        if (user === undefined)
          throw new AppError('conflict', 'This e-mail is taken. Log in, or use another.');
        const session = await sessions.open(tx, user.id, device);
        await audit.record(tx, {
          event: 'register',
          userId: user.id,
          sessionId: session.id,
          device,
          details: { sessionId: session.id },
        });
        return { user, session };
      });
      return sessions.signIn(value.user, value.session);
    },

    async login({ email, password }, device) {
      await limits.takeLogin(device, email, () => sessions.isKnown(email, device));
      const [user] = await db.select().from(users).where(hasEmail(email));
      const isRight = await passwords.verify(password, user?.passwordHash);
      if (user === undefined || !isRight || user.disabledAt !== null) {
        await audit.record(db, { event: 'login_failed', userId: user?.id, device, details: { email } });
        throw wrongLogin();
      }
      const { value } = await commit(undefined, async (tx) => {
        // A password change or a disabling since then has ended all sessions; it must not miss this one.
        const current = await lockUnchanged(tx, user);
        if (current === undefined) throw wrongLogin();
        const opened = await sessions.open(tx, user.id, device);
        await audit.record(tx, {
          event: 'login',
          userId: user.id,
          sessionId: opened.id,
          device,
          details: { sessionId: opened.id },
        });
        return { user: current, session: opened };
      });
      return sessions.signIn(value.user, value.session);
    },

    async changePassword(actor, { oldPassword, newPassword }) {
      const { sessionId, device } = actor;
      const before = await checkPassword(actor, oldPassword);
      const passwordHash = await passwords.hash(newPassword);
      const committed = await commit(actor, async (tx, emit) => {
        await lockStanding(tx, actor);
        const [user] = await tx
          .update(users)
          .set({ passwordHash, updatedAt: new Date() })
          .where(and(eq(users.id, before.id), eq(users.passwordHash, before.passwordHash)))
          .returning();
        if (user === undefined)
          throw new AppError('conflict', 'The password was changed meanwhile. Log in again.');
        await revokeAll(tx, emit, user.id, 'password_changed', actor.sessionId);
        await audit.record(tx, { event: 'password_changed', userId: user.id, sessionId, device });
        return toOwnUser(user);
      });
      standings.forgetUser(actor.userId);
      return committed;
    },

    checkPassword,

    async promoteAdmins() {
      if (config.adminEmails.length === 0) return;
      await commit(undefined, (tx, emit) => promoteListed(tx, emit, audit, config.adminEmails));
    },
  };
}

/** The user, if it may still come in as it was read; the lock makes changes wait until the session is written. */
async function lockUnchanged(tx: Db, user: UserRow): Promise<UserRow | undefined> {
  const [current] = await tx
    .select()
    .from(users)
    .where(and(eq(users.id, user.id), eq(users.passwordHash, user.passwordHash), isNull(users.disabledAt)))
    .for('share');
  return current;
}

const wrongLogin = () => new AppError('unauthorized', 'The e-mail or the password is wrong.');
