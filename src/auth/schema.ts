// The tables of users and their sessions, of what is sent to them by mail, and the audit log.

import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant } from '../db/columns.ts';
import { type Role, roles } from '../protocol/roles.ts';
import type { SessionEnd } from './contract.ts';

/** What a mail is for, and the secret in it. */
export type MailPurpose = 'verify' | 'reset';

/** Word for word the condition of the index of mails. */
export const isMailWaiting = sql`send_at IS NOT NULL`;

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    /** As the user wrote it; compared without regard to case. */
    email: text('email').notNull(),
    passwordHash: text('password_hash').notNull(),
    name: text('name').notNull(),
    /** What search and order go by. Folded by us: what lower() does to an Ë depends on the database's locale. */
    foldedName: text('folded_name').notNull(),
    avatarUrl: text('avatar_url'),
    role: text('role').$type<Role>().notNull().default('user'),
    emailVerified: boolean('email_verified').notNull().default(false),
    disabledAt: instant('disabled_at'),
    /** By the user: what said who it was is gone from the row, which stays for what refers to it. Such a user is disabled, too. */
    deletedAt: instant('deleted_at'),
    lastSeenAt: instant('last_seen_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex('users_email').on(sql`lower(${table.email})`),
    // The order in which lists and searches page.
    index('users_name').on(table.foldedName, table.id),
    // Which names contain a text, by the parts of one to three characters that a name has. No list of what is yet to be
    // written in: nobody empties it on the embedded database, and every search would read it.
    index('users_name_parts').using('gin', sql`name_parts(${table.foldedName})`).with({ fastupdate: false }),
    check('users_role', sql`${table.role} IN (${sql.raw(roles.map((role) => `'${role}'`).join(', '))})`),
  ],
);

/** Word for word what its index is by. */
export const endOfSession = sql`least(expires_at, revoked_at)`;

export const userSessions = pgTable(
  'user_sessions',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    /** Of the refresh tokens that are good now. Each is sealed with its generation; the tokens themselves are stored nowhere. */
    generation: integer('generation').notNull().default(0),
    /** By the database's clock, when each of the last generations was followed by the next one; the newest first. */
    rotatedAt: instant('rotated_at').array().notNull().default(sql`'{}'`),
    userAgent: text('user_agent'),
    ip: text('ip'),
    /** Where it was opened from, which is known to the account from then on; `ip` follows the refreshes. */
    network: text('network'),
    /** Absolute: login plus REFRESH_TOKEN_DAYS; refreshing does not extend it. */
    expiresAt: instant('expires_at').notNull(),
    revokedAt: instant('revoked_at'),
    /** Why, with `revokedAt`. */
    endReason: text('end_reason').$type<SessionEnd>(),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at').notNull().defaultNow(),
  },
  (table) => [
    index('user_sessions_user').on(table.userId, table.id),
    index('user_sessions_network').on(table.userId, table.network),
    // When it ended, or will.
    index('user_sessions_end').on(endOfSession),
  ],
);

/** What was sent by mail and is not used yet, by the hash of its secret: at most one of each purpose a user. */
export const accountTokens = pgTable(
  'account_tokens',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    purpose: text('purpose').$type<MailPurpose>().notNull(),
    hash: text('hash').notNull().unique(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.purpose] })],
);

/** Mails that were asked for and are not sent yet: whether there is such a user is found out when it is sent. */
export const accountMails = pgTable(
  'account_mails',
  {
    id: uuid('id').primaryKey(),
    purpose: text('purpose').$type<MailPurpose>().notNull(),
    email: text('email').notNull(),
    attempts: integer('attempts').notNull().default(0),
    /** Null: never. */
    sendAt: instant('send_at').defaultNow(),
  },
  (table) => [index('account_mails_due').on(table.sendAt).where(isMailWaiting)],
);

export const auditLog = pgTable(
  'audit_log',
  {
    id: uuid('id').notNull(),
    at: instant('at').notNull().defaultNow(),
    event: text('event').notNull(),
    /** No foreign key: it would lock the user's row for every message sent. */
    userId: uuid('user_id'),
    /** From whose request it came. */
    sessionId: uuid('session_id'),
    ip: text('ip'),
    userAgent: text('user_agent'),
    details: jsonb('details').$type<Record<string, unknown>>().notNull().default({}),
  },
  (table) => [
    primaryKey({ columns: [table.at, table.id] }),
    index('audit_log_event').on(table.event, table.at),
    index('audit_log_user').on(table.userId, table.at),
  ],
);
