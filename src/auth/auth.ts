// Users and sessions, assembled: what the server, the socket and the modules use of them.

import type { Config } from '../config.ts';
import type { Db } from '../db/connect.ts';
import type { Actor } from '../realtime/actor.ts';
import type { Commit } from '../realtime/commit.ts';
import type { Credentials } from '../realtime/hello.ts';
import type { TopicKind } from '../realtime/module.ts';
import { createAccounts } from './accounts.ts';
import { type Audit, createAudit } from './audit.ts';
import { createReadDevice, type ReadDevice } from './device.ts';
import { createGuard, type Guard } from './guard.ts';
import { createPasswords } from './passwords.ts';
import { type CreateLimiter, createRateLimits, type RateLimits } from './rate-limits.ts';
import { createAuthRoutes } from './routes.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createStandings, readStanding, requireLive } from './standings.ts';
import { createTokens } from './tokens.ts';
import { userTopicKind } from './topic-kind.ts';
import { createUsers, type Users } from './users.ts';

export interface AuthDeps {
  readonly config: Config;
  readonly db: Db;
  readonly commit: Commit;
  readonly createLimiter: CreateLimiter;
  readonly jwtSecret: string;
  /** The other end of the connection that the request came through. */
  readonly peerAddress: (request: Request) => string | undefined;
}

export interface Auth {
  /** `.use(guard)` gives the routes behind it an `actor`. */
  readonly guard: Guard;
  readonly routes: ReturnType<typeof createAuthRoutes>;
  readonly topicKinds: readonly TopicKind[];
  readonly limits: RateLimits;
  readonly audit: Audit;
  readonly users: Users;
  readonly sessions: Sessions;
  /** Where a request comes from. */
  readonly readDevice: ReadDevice;
  /** Whose access token it is, by the token alone. Throws `unauthorized`. */
  verify(token: string): Promise<Credentials>;
  /** The actor with the role that the user has now. Throws `unauthorized` where the session has ended. */
  confirm(actor: Actor): Promise<Actor>;
  /** Makes admins of those whom ADMIN_EMAILS names. */
  promoteAdmins(): Promise<void>;
}

export function createAuth({ config, db, commit, createLimiter, jwtSecret, peerAddress }: AuthDeps): Auth {
  const audit = createAudit(db);
  const limits = createRateLimits(config, db, audit, createLimiter);
  const tokens = createTokens(jwtSecret, config.accessTokenSeconds);
  const standings = createStandings(db);
  const passwords = createPasswords();
  const sessions = createSessions({ config, db, commit, audit, tokens, standings });
  const users = createUsers({ db, commit, audit, sessions, standings, limits });
  const accounts = createAccounts({ config, db, commit, audit, limits, passwords, sessions, standings });
  const guard = createGuard(tokens, standings);
  // Not from the guard's memory, which may be a second old: no connection may begin with a session that has ended.
  const confirm = async (actor: Actor): Promise<Actor> => ({
    ...actor,
    role: requireLive(await readStanding(db, actor)),
  });
  const readDevice = createReadDevice(config.trustProxy, peerAddress);

  return {
    guard,
    routes: createAuthRoutes({ guard, confirm, accounts, sessions, users, audit, readDevice }),
    topicKinds: [userTopicKind],
    limits,
    audit,
    users,
    sessions,
    readDevice,
    async verify(token) {
      const { issuedAtMs, expiresAtMs, ...claims } = await tokens.verifyAccess(token);
      return { actor: { ...claims, source: 'ws' }, issuedAtMs, expiresAtMs };
    },
    confirm,
    promoteAdmins: accounts.promoteAdmins,
  };
}
