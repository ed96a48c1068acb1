// What auth takes and answers over HTTP, and its events on `user:<id>`.

import { type Static, Type } from '@sinclair/typebox';
import { durable } from '../protocol/events.ts';
import { pageOf, pageQuery } from '../protocol/paging.ts';
import { Role } from '../protocol/roles.ts';
import { exampleId, Id, Instant, instantPattern, line, nullable, Profile, text } from '../protocol/values.ts';

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
const password = { ...text, examples: ['correct horse battery'] };
const NewPassword = Type.String({ minLength: 10, maxLength: 128, ...password });
const GivenPassword = Type.String({ minLength: 1, maxLength: 128, ...password });
const AvatarUrl = Type.String({
  maxLength: 2048,
  pattern: '^https?://[\\u0021-\\u007e]+$',
  description: 'A URL with http:// or https://',
});

export const RegisterInput = Type.Object({ email: Email, password: NewPassword, name: Name }, strict);
export type RegisterInput = Static<typeof RegisterInput>;

export const LoginInput = Type.Object({ email: Email, password: GivenPassword }, strict);
export type LoginInput = Static<typeof LoginInput>;

export const RefreshInput = Type.Object(
  {
    refreshToken: Type.String({
      minLength: 1,
      maxLength: 512,
      description: 'As the newest answer had it',
      examples: ['(of the newest answer)'],
    }),
  },
  strict,
);

const MailedToken = Type.String({
  minLength: 1,
  maxLength: 128,
  description: 'As the mail has it',
  examples: ['(of the mail)'],
});
export const VerifyInput = Type.Object({ token: MailedToken }, strict);
export const ResetRequestInput = Type.Object({ email: Email }, strict);
export const ResetInput = Type.Object({ token: MailedToken, password: NewPassword }, strict);
export type ResetInput = Static<typeof ResetInput>;

export const DeletionInput = Type.Object(
  { password: GivenPassword },
  { ...strict, examples: [{ password: 'correct horse battery' }] },
);
export const DeletedUser = Type.Object({ id: Id, deletedAt: Instant }, { title: 'DeletedUser' });

export const PasswordInput = Type.Object(
  { oldPassword: GivenPassword, newPassword: NewPassword },
  {
    ...strict,
    examples: [{ oldPassword: 'correct horse battery', newPassword: 'another horse battery' }],
  },
);
export type PasswordInput = Static<typeof PasswordInput>;

export const ProfileInput = Type.Object(
  { name: Type.Optional(Name), avatarUrl: Type.Optional(nullable(AvatarUrl)) },
  { ...strict, minProperties: 1, examples: [{ name: 'Ann' }] },
);
export type ProfileInput = Static<typeof ProfileInput>;

export const UserUpdateInput = Type.Object(
  { userId: Id, role: Type.Optional(Role), disabled: Type.Optional(Type.Boolean()) },
  { ...strict, minProperties: 2, examples: [{ userId: exampleId, role: 'worker' }] },
);

/** What anyone logged in may see of a user. */
export const PublicUser = Type.Object(
  {
    id: Id,
    name: Type.String(),
    avatarUrl: nullable(Type.String()),
    lastSeenAt: nullable(Instant),
  },
  { title: 'PublicUser' },
);
export type PublicUser = Static<typeof PublicUser>;

/** What users see of themselves. */
export const OwnUser = Type.Object(
  {
    ...PublicUser.properties,
    email: Type.String(),
    role: Role,
    emailVerified: Type.Boolean(),
    createdAt: Instant,
  },
  { title: 'OwnUser' },
);
export type OwnUser = Static<typeof OwnUser>;

/** What admins see of a user. */
export const AdminUser = Type.Object(
  {
    ...OwnUser.properties,
    disabledAt: nullable(Instant),
    updatedAt: Instant,
  },
  { title: 'AdminUser' },
);
export type AdminUser = Static<typeof AdminUser>;

export const SignedIn = Type.Object(
  {
    accessToken: Type.String({ description: 'A JWT, for the Authorization header and for /ws' }),
    refreshToken: Type.String({
      description: 'Good once, and 10 s longer: each refresh answers the next one',
    }),
    /** When the access token ends. */
    expiresAt: Instant,
    sessionId: Id,
    user: OwnUser,
  },
  { title: 'SignedIn' },
);
export type SignedIn = Static<typeof SignedIn>;

export const Session = Type.Object(
  {
    id: Id,
    userAgent: nullable(Type.String()),
    ip: nullable(Type.String()),
    createdAt: Instant,
    lastUsedAt: Instant,
    expiresAt: Instant,
    /** The session that asks. */
    current: Type.Boolean(),
  },
  { title: 'Session' },
);
export type Session = Static<typeof Session>;
export const SessionPage = pageOf(Session);

export const RevokedSession = Type.Object({ id: Id, revokedAt: Instant }, { title: 'RevokedSession' });
export type RevokedSession = Static<typeof RevokedSession>;

const idPattern = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const IdList = Type.String({
  pattern: `^${idPattern}(?:,${idPattern}){0,99}$`,
  description: 'Up to 100 ids of users, with commas between',
});
const Search = Type.String({
  minLength: 1,
  maxLength: 80,
  ...line,
  description: 'A part of the name, on one line',
  examples: ['ann'],
});

export const SessionsQuery = Type.Object(pageQuery, strict);

export const UsersQuery = Type.Object(
  {
    ids: Type.Optional(IdList),
    search: Type.Optional(Search),
    ...pageQuery,
  },
  { ...strict, examples: [{ search: 'ann' }] },
);
export type UsersQuery = Static<typeof UsersQuery>;

export const AdminUsersQuery = Type.Object({ search: Type.Optional(Search), ...pageQuery }, strict);
export type AdminUsersQuery = Static<typeof AdminUsersQuery>;

export const PublicUserPage = pageOf(PublicUser);
export const AdminUserPage = pageOf(AdminUser);

export const PresenceQuery = Type.Object(
  { users: Type.String({ ...IdList, examples: [exampleId] }) },
  strict,
);

/** Whether a user is connected, anywhere. [P2] */
export const UserPresence = Type.Object(
  {
    userId: Id,
    online: Type.Boolean(),
    /** How many connections. */
    devices: Type.Integer(),
    lastSeenAt: nullable(Instant),
  },
  { title: 'UserPresence' },
);
export type UserPresence = Static<typeof UserPresence>;
export const PresenceList = pageOf(UserPresence);

/** What auth and the socket write into the audit log; modules declare their own. */
export const auditEvents = [
  'register',
  'login',
  'login_failed',
  'refresh_reuse',
  'logout',
  'session_revoked',
  'password_changed',
  'password_reset_requested',
  'password_reset',
  'email_verified',
  'profile_updated',
  'role_changed',
  'user_disabled',
  'user_enabled',
  'user_deleted',
  'subscription_refused',
  'rate_limited',
] as const;

const AuditEvent = Type.String({ pattern: '^[a-z_]{1,64}$', description: 'Such as login or message_sent' });
/** A query by user. */
const ByUser = Type.String({ ...Id, description: 'Only of this user' });

export const AuditRow = Type.Object(
  {
    id: Id,
    at: Instant,
    event: AuditEvent,
    userId: nullable(Id),
    /** From which it came. */
    sessionId: nullable(Id),
    ip: nullable(Type.String()),
    userAgent: nullable(Type.String()),
    details: Type.Record(Type.String(), Type.Unknown()),
  },
  { title: 'AuditRow' },
);
export type AuditRow = Static<typeof AuditRow>;
export const AuditPage = pageOf(AuditRow, 'AuditPage');

export const AuditQuery = Type.Object(
  {
    event: Type.Optional(AuditEvent),
    user: Type.Optional(ByUser),
    since: Type.Optional(
      Type.String({
        pattern: instantPattern,
        description: 'Only from then on: ISO 8601 in UTC, such as 2026-11-21T09:30:00.000Z',
      }),
    ),
    ...pageQuery,
  },
  strict,
);
export type AuditQuery = Static<typeof AuditQuery>;

export const EventQuery = Type.Object(
  {
    topic: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'The whole name',
      examples: [`user:${exampleId}`],
    }),
    /** As text: it comes in the path. */
    seq: Type.String({ pattern: '^[1-9][0-9]{0,14}$', description: 'A number from 1', examples: ['1'] }),
  },
  strict,
);

/** The life of an event. */
export const EventLife = Type.Object(
  {
    topic: Type.String(),
    seq: Type.Integer(),
    log: Type.Union(
      [
        Type.Object({
          id: Id,
          type: Type.String(),
          committedAt: Instant,
          actorId: nullable(Id),
          source: Type.Union([Type.Literal('ws'), Type.Literal('http'), Type.Literal('system')]),
          correlationId: nullable(Type.String()),
        }),
        Type.Null(),
      ],
      {
        description:
          'As the log has it; null where it was pruned. `actorId` is null for the system and where nobody is to know',
      },
    ),
    here: Type.Object(
      {
        instanceId: Type.String(),
        isRemembered: Type.Boolean({ description: 'False: not any more, or it never passed through here' }),
        publishedAt: nullable(Instant),
        bridgedAt: nullable(Instant),
        receivedAt: nullable(Instant),
        deliveredAt: nullable(Instant),
        connections: Type.Integer({ description: 'Those that it was delivered to, live' }),
        isHealed: Type.Boolean({ description: 'It did not arrive by itself, and was read from the log' }),
      },
      {
        description:
          'On the instance that answers: announced behind COMMIT if that was here, handed to the bridge for other instances, ' +
          'received from one of them, and delivered to followers; null where that did not happen',
      },
    ),
  },
  { title: 'EventLife' },
);
export type EventLife = Static<typeof EventLife>;

/** Why a session ended; also the reason with which its connections are closed. [H5] */
export const SessionEnd = Type.Union([
  Type.Literal('logout'),
  Type.Literal('revoked'),
  Type.Literal('password_changed'),
  Type.Literal('user_disabled'),
  Type.Literal('user_deleted'),
  Type.Literal('refresh_reused'),
]);
export type SessionEnd = Static<typeof SessionEnd>;

export const events = {
  'profile.updated': durable(['user'], Profile),
  'session.revoked': durable(['user'], Type.Object({ sessionId: Id, reason: SessionEnd })),
  'role.changed': durable(['user'], Type.Object({ role: Role })),
};
