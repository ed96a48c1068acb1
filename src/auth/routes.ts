// The HTTP door to users and sessions.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { errorsOf } from '../protocol/http.ts';
import { bodyOf, noBody, queryOf, smallBodyOf } from '../protocol/http-input.ts';
import { Id } from '../protocol/values.ts';
import type { Actor } from '../realtime/actor.ts';
import type { Accounts } from './accounts.ts';
import type { Audit } from './audit.ts';
import * as contract from './contract.ts';
import type { ReadDevice } from './device.ts';
import { type Guard, requireAdmin } from './guard.ts';
import type { Sessions } from './sessions.ts';
import type { Users } from './users.ts';

export interface AuthServices {
  guard: Guard;
  /** The actor as it stands now. Throws `unauthorized`. */
  confirm: (actor: Actor) => Promise<Actor>;
  accounts: Accounts;
  sessions: Sessions;
  users: Users;
  audit: Audit;
  readDevice: ReadDevice;
}

export function createAuthRoutes(services: AuthServices) {
  return new Elysia({ name: 'auth' })
    .use(signInRoutes(services))
    .use(sessionRoutes(services))
    .use(userRoutes(services))
    .use(adminRoutes(services));
}

const bearer = [{ bearer: [] }];
const IdParams = Type.Object({ id: Id });

function signInRoutes({ accounts, sessions, readDevice }: AuthServices) {
  const tags = ['Sessions'];
  return new Elysia({ prefix: '/auth' })
    .post(
      '/register',
      async ({ body, request, status }) => status(201, await accounts.register(body, readDevice(request))),
      {
        body: smallBodyOf(contract.RegisterInput),
        response: {
          201: contract.SignedIn,
          ...errorsOf('invalid', 'conflict', 'too_large', 'rate_limited', 'unavailable'),
        },
        detail: { summary: 'Become a user', tags },
      },
    )
    .post('/login', ({ body, request }) => accounts.login(body, readDevice(request)), {
      body: smallBodyOf(contract.LoginInput),
      response: {
        200: contract.SignedIn,
        ...errorsOf('invalid', 'unauthorized', 'too_large', 'rate_limited', 'unavailable'),
      },
      detail: { summary: 'Open a session', tags },
    })
    .post('/refresh', ({ body, request }) => sessions.refresh(body.refreshToken, readDevice(request)), {
      body: smallBodyOf(contract.RefreshInput),
      response: {
        200: contract.SignedIn,
        ...errorsOf('invalid', 'unauthorized', 'too_large', 'unavailable'),
      },
      detail: {
        summary: 'Exchange a refresh token for new tokens',
        description:
          'Each refresh token is good once. Within 10 s it is answered again, as an answer may be lost; a later use ends the session.',
        tags,
      },
    });
}

function sessionRoutes({ guard, accounts, sessions, readDevice }: AuthServices) {
  const tags = ['Sessions'];
  return new Elysia({ prefix: '/auth' })
    .use(guard)
    .post('/logout', ({ actor, request }) => sessions.logout(actor, readDevice(request)), {
      body: noBody,
      response: {
        200: contract.RevokedSession,
        ...errorsOf('invalid', 'unauthorized', 'not_found', 'too_large'),
      },
      detail: { summary: 'End this session', tags, security: bearer },
    })
    .get('/sessions', ({ actor, query }) => sessions.list(actor, query), {
      query: queryOf(contract.SessionsQuery),
      response: { 200: contract.SessionPage, ...errorsOf('invalid', 'unauthorized') },
      detail: { summary: 'My live sessions, newest first', tags, security: bearer },
    })
    .delete(
      '/sessions/:id',
      ({ actor, params, request }) => sessions.revoke(actor, params.id, readDevice(request)),
      {
        params: IdParams,
        body: noBody,
        response: {
          200: contract.RevokedSession,
          ...errorsOf('invalid', 'unauthorized', 'not_found', 'too_large'),
        },
        detail: { summary: 'End one of my sessions', tags, security: bearer },
      },
    )
    .post(
      '/password',
      ({ actor, body, request }) => accounts.changePassword(actor, body, readDevice(request)),
      {
        body: smallBodyOf(contract.PasswordInput),
        response: {
          200: contract.OwnUser,
          ...errorsOf(
            'invalid',
            'unauthorized',
            'forbidden',
            'conflict',
            'too_large',
            'rate_limited',
            'unavailable',
          ),
        },
        detail: { summary: 'Change the password and end all other sessions', tags, security: bearer },
      },
    );
}

function userRoutes({ guard, users }: AuthServices) {
  const tags = ['Users'];
  return new Elysia({ prefix: '/users' })
    .use(guard)
    .get('/me', ({ actor }) => users.readOwn(actor), {
      response: { 200: contract.OwnUser, ...errorsOf('unauthorized') },
      detail: { summary: 'Me', tags, security: bearer },
    })
    .patch('/me', ({ actor, body }) => users.updateOwn(actor, body), {
      body: bodyOf(contract.ProfileInput),
      response: { 200: contract.OwnUser, ...errorsOf('invalid', 'unauthorized', 'too_large') },
      detail: { summary: 'Change my profile', tags, security: bearer },
    })
    .get('/:id', ({ params }) => users.readPublic(params.id), {
      params: IdParams,
      response: { 200: contract.PublicUser, ...errorsOf('invalid', 'unauthorized', 'not_found') },
      detail: { summary: 'A public profile', tags, security: bearer },
    })
    .get('', ({ actor, query }) => users.find(actor, query), {
      query: queryOf(contract.UsersQuery),
      response: { 200: contract.PublicUserPage, ...errorsOf('invalid', 'unauthorized', 'rate_limited') },
      detail: {
        summary: 'Public profiles, by ids or by a part of the name',
        description:
          'A page of a search may be short, even empty, and have a `nextCursor` all the same: `null` is the end.',
        tags,
        security: bearer,
      },
    });
}

function adminRoutes({ guard, confirm, users, audit, readDevice }: AuthServices) {
  const tags = ['Admin'];
  return new Elysia({ prefix: '/admin' })
    .use(guard)
    .onTransform(async ({ actor }) => requireAdmin(await confirm(actor)))
    .get('/users', ({ actor, query: { search, ...page } }) => users.listForAdmin(actor, search, page), {
      query: queryOf(contract.AdminUsersQuery),
      response: {
        200: contract.AdminUserPage,
        ...errorsOf('invalid', 'unauthorized', 'forbidden', 'rate_limited'),
      },
      detail: { summary: 'All users, by name', tags, security: bearer },
    })
    .patch(
      '/users/:id',
      ({ actor, params, body, request }) => users.updateAsAdmin(actor, params.id, body, readDevice(request)),
      {
        params: IdParams,
        body: bodyOf(contract.UserUpdateInput),
        response: {
          200: contract.AdminUser,
          ...errorsOf('invalid', 'unauthorized', 'forbidden', 'not_found', 'too_large'),
        },
        detail: { summary: "Change a user's role, disable or enable a user", tags, security: bearer },
      },
    )
    .get('/audit', ({ query }) => audit.list(query), {
      query: queryOf(contract.AuditQuery),
      response: { 200: contract.AuditPage, ...errorsOf('invalid', 'unauthorized', 'forbidden') },
      detail: { summary: 'The audit log, newest first', tags, security: bearer },
    });
}
