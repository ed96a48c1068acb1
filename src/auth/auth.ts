// Users and sessions, assembled: what the server, the socket and the modules use of them.

import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import type { Mailer } from '../mail/mailer.ts';
import {
  type Actor,
  type Commit,
  type Credentials,
  type DefinedModule,
  defineModule,
  type Module,
  type OnUserDeleted,
  type Reporter,
  type TopicsAround,
} from '../realtime/index.ts';
import { createAccountMails } from './account-mails.ts';
import { type Accounts, createAccounts } from './accounts.ts';
import { adminOperations } from './admin-operations.ts';
import { type Audit, createAudit } from './audit.ts';
import { auditEvents, events } from './contract.ts';
import { deleteOwn } from './deleting.ts';
import { createReadDevice, type ReadDevice } from './device.ts';
import { explainEvent } from './event-operations.ts';
import { createPasswords } from './passwords.ts';
import { startPruning } from './pruning.ts';
import { type CreateLimiter, createRateLimits, type RateLimits } from './rate-limits.ts';
import { createRecovery, type Recovery } from './recovery.ts';
import { createRequestLimits, type RequestLimits } from './request-limits.ts';
import { sessionOperations } from './session-operations.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createStandings, requireLive } from './standings.ts';
import { createTokens } from './tokens.ts';
import { userTopics } from './topics.ts';
import { userOperations } from './user-operations.ts';

export interface AuthDeps {
  readonly config: Config;
  readonly db: Db;
  readonly commit: Commit;
  readonly createLimiter: CreateLimiter;
  readonly jwtSecret: string;
  /** The other end of the connection that the request came through. */
  readonly peerAddress: (request: Request) => string | undefined;
  /** What the modules write into the audit log, and what it tells from their own tables. */
  readonly listAudited: () => readonly Pick<Module, 'auditEvents' | 'auditReaders'>[];
  /** Those of all modules. */
  readonly topicsAround: TopicsAround;
  /** What all modules do. */
  readonly onUserDeleted: OnUserDeleted;
  readonly mailer: Mailer;
  readonly reporter: Pick<Reporter, 'report'>;
}

export interface Auth {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly recovery: Recovery;
  readonly limits: RateLimits;
  readonly requests: RequestLimits;
  readonly audit: Audit;
  /** What users can do, but for signing in. */
  readonly module: DefinedModule;
  /** Where a request comes from. */
  readonly readDevice: ReadDevice;
  /** Whose access token it is, by the token alone. Throws `unauthorized`. */
  verify(token: string): Promise<Credentials>;
  /**
   * The actor with the role that the user has now. Throws `unauthorized` where the session has ended. `remembered`: what
   * was so up to a second ago will do; no connection may begin like that, but a request may.
   */
  confirm(actor: Actor, how?: 'remembered'): Promise<Actor>;
  /** Makes admins of those whom ADMIN_EMAILS names. */
  promoteAdmins(): Promise<void>;
}

export function createAuth(deps: AuthDeps): Auth {
  const {
    config,
    db,
    commit,
    createLimiter,
    jwtSecret,
    peerAddress,
    listAudited,
    topicsAround,
    onUserDeleted,
  } = deps;
  const readers = () => Object.assign({}, ...listAudited().map(({ auditReaders }) => auditReaders));
  const audit = createAudit(db, readers);
  const limits = createRateLimits(config, db, audit, createLimiter);
  const tokens = createTokens(jwtSecret, config.accessTokenSeconds);
  const standings = createStandings(db);
  const passwords = createPasswords();
  const sessions = createSessions({ config, db, commit, audit, tokens, standings });
  const accounts = createAccounts({ config, db, commit, audit, limits, passwords, sessions, standings });
  const recovery = createRecovery({ config, db, commit, audit, limits, passwords, sessions, standings });
  const mails = createAccountMails(deps);
  const readDevice = createReadDevice(config.trustProxy, peerAddress);
  const listAuditEvents = () => [
    ...listAudited().flatMap(({ auditEvents }) => auditEvents),
    ...Object.keys(readers()),
  ];

  return {
    accounts,
    sessions,
    recovery,
    limits,
    requests: createRequestLimits({ ...deps, audit }),
    audit,
    readDevice,
    module: defineModule('auth', {
      topicKinds: [userTopics],
      events,
      auditEvents,
      tags: {
        Sessions: 'Becoming a user, logging in and out',
        Users: 'Profiles',
        Presence: 'Who is online',
        Admin: 'For users with the role admin',
      },
      timed: [mails.sending],
      operations(core) {
        core.onStop(mails.stop);
        core.onStop(startPruning(db, config.auditRetentionDays, core.reporter));
        return [
          ...userOperations(core, topicsAround),
          ...sessionOperations({ accounts, recovery, standings }),
          ...adminOperations({ audit, standings, listAuditEvents }),
          explainEvent(core, config.instanceId),
          deleteOwn({ accounts, standings, topicsAround, onUserDeleted }),
        ];
      },
    }),
    verify: tokens.verifyAccess,
    async confirm(actor, how) {
      const standing = how === 'remembered' ? standings.read(actor) : standings.readNow(actor);
      const role = requireLive(await standing);
      return role === actor.role ? actor : { ...actor, role };
    },
    promoteAdmins: accounts.promoteAdmins,
  };
}
