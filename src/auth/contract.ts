// What auth takes and answers over HTTP, and its events on `user:<id>`.

import { type Static, Type } from '@sinclair/typebox';
import { pageOf, pageQuery } from '../protocol/paging.ts';
import { Id, Instant, line, nullable, text } from '../protocol/values.ts';

const strict = { additionalProperties: false };

// The pattern of HTML's <input type=email> (WHATWG), bounded, with a dot in the domain. ASCII only: other domains are
// written in punycode, and what differs by case means the same to the database as to us.
const emailPattern = "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\\.[A-Za-z0-9-]{1,63})+$";

const Email = Type.String({
  maxLength: 254,
  pattern: emailPattern,
  description: 'An e-mail address',
  examples: ['ann@example.com'],
});
const Name = Type.String({ minLength: 1, maxLength: 80, ...line, examples: ['Ann'] });
const NewPassword = Type.String({ minLength: 10, maxLength: 128, ...text });
const GivenPassword = Type.String({ minLength: 1, maxLength: 128, ...text });
const AvatarUrl = Type.String({
  maxLength: 2048,
  pattern: '^https?://[\\u0021-\\u007e]+$',
  description: 'A URL with http:// or https://',
});
const Role = Type.Union([Type.Literal('user'), Type.Literal('worker'), Type.Literal('admin')]);

export const RegisterInput = Type.Object({ email: Email, password: NewPassword, name: Name }, strict);
export type RegisterInput = Static<typeof RegisterInput>;

export const LoginInput = Type.Object({ email: Email, password: GivenPassword }, strict);
export type LoginInput = Static<typeof LoginInput>;

export const RefreshInput = Type.Object(
  { refreshToken: Type.String({ minLength: 1, maxLength: 512 }) },
  strict,
);

export const PasswordInput = Type.Object({ oldPassword: GivenPassword, newPassword: NewPassword }, strict);
export type PasswordInput = Static<typeof PasswordInput>;

export const ProfileInput = Type.Object(
  { name: Type.Optional(Name), avatarUrl: Type.Optional(nullable(AvatarUrl)) },
  { ...strict, minProperties: 1 },
);
export type ProfileInput = Static<typeof ProfileInput>;

export const UserUpdateInput = Type.Object(
  { role: Type.Optional(Role), disabled: Type.Optional(Type.Boolean()) },
  { ...strict, minProperties: 1 },
);
export type UserUpdateInput = Static<typeof UserUpdateInput>;

/** What anyone logged in may see of a user. */
export const PublicUser = Type.Object({
  id: Id,
  name: Type.String(),
  avatarUrl: nullable(Type.String()),
  lastSeenAt: nullable(Instant),
});
export type PublicUser = Static<typeof PublicUser>;

/** What users see of themselves. */
export const OwnUser = Type.Object({
  ...PublicUser.properties,
  email: Type.String(),
  role: Role,
  emailVerified: Type.Boolean(),
  createdAt: Instant,
});
export type OwnUser = Static<typeof OwnUser>;

/** What admins see of a user. */
export const AdminUser = Type.Object({
  ...OwnUser.properties,
  disabledAt: nullable(Instant),
  updatedAt: Instant,
});
export type AdminUser = Static<typeof AdminUser>;

export const SignedIn = Type.Object({
  accessToken: Type.String({ description: 'A JWT, for the Authorization header and for /ws' }),
  refreshToken: Type.String({ description: 'Good once, and 10 s longer: each refresh answers the next one' }),
  /** When the access token ends. */
  expiresAt: Instant,
  sessionId: Id,
  user: OwnUser,
});
export type SignedIn = Static<typeof SignedIn>;

export const Session = Type.Object({
  id: Id,
  userAgent: nullable(Type.String()),
  ip: nullable(Type.String()),
  createdAt: Instant,
  lastUsedAt: Instant,
  expiresAt: Instant,
  /** The session that asks. */
  current: Type.Boolean(),
});
export type Session = Static<typeof Session>;
export const SessionPage = pageOf(Session);

export const RevokedSession = Type.Object({ id: Id, revokedAt: Instant });
export type RevokedSession = Static<typeof RevokedSession>;

const idPattern = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const IdList = Type.String({
  pattern: `^${idPattern}(?:,${idPattern}){0,99}$`,
  description: 'Up to 100 ids, with commas between',
});
const Search = Type.String({
  minLength: 1,
  maxLength: 80,
  ...line,
  description: 'A part of the name, on one line',
});

export const SessionsQuery = Type.Object(pageQuery, strict);

export const UsersQuery = Type.Object(
  {
    ids: Type.Optional(IdList),
    search: Type.Optional(Search),
    ...pageQuery,
  },
  strict,
);
export type UsersQuery = Static<typeof UsersQuery>;

export const AdminUsersQuery = Type.Object({ search: Type.Optional(Search), ...pageQuery }, strict);
export type AdminUsersQuery = Static<typeof AdminUsersQuery>;

export const PublicUserPage = pageOf(PublicUser);
export const AdminUserPage = pageOf(AdminUser);

export const PresenceQuery = Type.Object({ users: IdList }, strict);

/** Whether a user is connected, anywhere. [P2] */
export const UserPresence = Type.Object({
  userId: Id,
  online: Type.Boolean(),
  /** How many connections. */
  devices: Type.Integer(),
  lastSeenAt: nullable(Instant),
});
export type UserPresence = Static<typeof UserPresence>;
export const PresenceList = pageOf(UserPresence);

export const AuditEvent = Type.Union([
  Type.Literal('register'),
  Type.Literal('login'),
  Type.Literal('login_failed'),
  Type.Literal('refresh_reuse'),
  Type.Literal('logout'),
  Type.Literal('session_revoked'),
  Type.Literal('password_changed'),
  Type.Literal('role_changed'),
  Type.Literal('user_disabled'),
  Type.Literal('user_enabled'),
  Type.Literal('subscription_refused'),
  Type.Literal('rate_limited'),
  Type.Literal('message_sent'),
]);
export type AuditEvent = Static<typeof AuditEvent>;

export const AuditRow = Type.Object({
  id: Id,
  at: Instant,
  event: AuditEvent,
  userId: nullable(Id),
  ip: nullable(Type.String()),
  userAgent: nullable(Type.String()),
  details: Type.Record(Type.String(), Type.Unknown()),
});
export type AuditRow = Static<typeof AuditRow>;
export const AuditPage = pageOf(AuditRow);

export const AuditQuery = Type.Object(
  {
    event: Type.Optional(AuditEvent),
    user: Type.Optional(Id),
    since: Type.Optional(
      Type.String({
        pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,3})?Z$',
        description: 'ISO 8601 in UTC, such as 2026-11-21T09:30:00.000Z',
      }),
    ),
    ...pageQuery,
  },
  strict,
);
export type AuditQuery = Static<typeof AuditQuery>;

/** Why a session ended; also the reason with which its connections are closed. [H5] */
export const SessionEnd = Type.Union([
  Type.Literal('logout'),
  Type.Literal('revoked'),
  Type.Literal('password_changed'),
  Type.Literal('user_disabled'),
  Type.Literal('refresh_reused'),
]);
export type SessionEnd = Static<typeof SessionEnd>;

/** Durable events on `user:<id>`, by type. */
export const userEvents = {
  'profile.updated': Type.Object({ id: Id, name: Type.String(), avatarUrl: nullable(Type.String()) }),
  'session.revoked': Type.Object({ sessionId: Id, reason: SessionEnd }),
  'role.changed': Type.Object({ role: Role }),
};
