// Becoming a user, logging in, refreshing, and what a secret from a mail is good for: plain HTTP, since whoever does it is
// nobody yet.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Auth } from '../auth/auth.ts';
import * as contract from '../auth/contract.ts';
import { answerOf, smallBodyOf } from './input.ts';
import { errorsOf } from './responses.ts';

const tags = ['Sessions'];
const answer = answerOf(contract.SignedIn);
const nothing = answerOf(Type.Object({}, { description: 'Nothing: it is done' }));

export function createSignIn({
  accounts,
  sessions,
  recovery,
  readDevice,
}: Pick<Auth, 'accounts' | 'sessions' | 'recovery' | 'readDevice'>) {
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
    })
    .post(
      '/verify',
      async ({ body, request }) => {
        await recovery.verify(body.token, readDevice(request));
        return {};
      },
      {
        body: smallBodyOf(contract.VerifyInput),
        response: { 200: nothing, ...errorsOf('invalid', 'too_large', 'rate_limited', 'unavailable') },
        detail: {
          operationId: 'auth.verify',
          summary: 'Prove an e-mail address, by the token of a mail',
          tags,
        },
      },
    )
    .post(
      '/password/reset/request',
      async ({ body, request }) => {
        await recovery.requestReset(body.email, readDevice(request));
        return {};
      },
      {
        body: smallBodyOf(contract.ResetRequestInput),
        response: { 200: nothing, ...errorsOf('invalid', 'too_large', 'rate_limited', 'unavailable') },
        detail: {
          operationId: 'auth.password.reset.request',
          summary: 'Ask for a mail with which a forgotten password is replaced',
          description:
            'The answer is the same whether there is such an account. The token is good for an hour.',
          tags,
        },
      },
    )
    .post(
      '/password/reset',
      async ({ body, request }) => {
        await recovery.reset(body, readDevice(request));
        return {};
      },
      {
        body: smallBodyOf(contract.ResetInput),
        response: { 200: nothing, ...errorsOf('invalid', 'too_large', 'rate_limited', 'unavailable') },
        detail: {
          operationId: 'auth.password.reset',
          summary: 'Choose a new password by the token of a mail, and end all sessions',
          tags,
        },
      },
    );
}
