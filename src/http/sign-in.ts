// Becoming a user, logging in, refreshing: plain HTTP, since whoever does it is nobody yet.

import { Elysia } from 'elysia';
import type { Auth } from '../auth/auth.ts';
import * as contract from '../auth/contract.ts';
import { answerOf, smallBodyOf } from './input.ts';
import { errorsOf } from './responses.ts';

const tags = ['Sessions'];
const answer = answerOf(contract.SignedIn);

export function createSignIn({
  accounts,
  sessions,
  readDevice,
}: Pick<Auth, 'accounts' | 'sessions' | 'readDevice'>) {
  return new Elysia({ name: 'sign-in', prefix: '/auth' })
    .post(
      '/register',
      async ({ body, request, status }) => status(201, await accounts.register(body, readDevice(request))),
      {
        body: smallBodyOf(contract.RegisterInput),
        response: {
          201: answer,
          ...errorsOf('invalid', 'conflict', 'too_large', 'rate_limited', 'unavailable'),
        },
        detail: { operationId: 'auth.register', summary: 'Become a user', tags },
      },
    )
    .post('/login', ({ body, request }) => accounts.login(body, readDevice(request)), {
      body: smallBodyOf(contract.LoginInput),
      response: {
        200: answer,
        ...errorsOf('invalid', 'unauthorized', 'too_large', 'rate_limited', 'unavailable'),
      },
      detail: { operationId: 'auth.login', summary: 'Open a session', tags },
    })
    .post('/refresh', ({ body, request }) => sessions.refresh(body.refreshToken, readDevice(request)), {
      body: smallBodyOf(contract.RefreshInput),
      response: {
        200: answer,
        ...errorsOf('invalid', 'unauthorized', 'too_large', 'unavailable'),
      },
      detail: {
        operationId: 'auth.refresh',
        summary: 'Exchange a refresh token for new tokens',
        description:
          'Each refresh token is good once. Within 10 s it is answered again, as an answer may be lost; a later use ends the session.',
        tags,
      },
    });
}
