// Sessions as their user sees and ends them. Becoming a user, logging in and refreshing are plain HTTP: `http/sign-in.ts`.

import { Type } from '@sinclair/typebox';
import { AppError } from '../protocol/errors.ts';
import { Id } from '../protocol/values.ts';
import { action, type CommandContext, command, query } from '../realtime/index.ts';
import type { Accounts } from './accounts.ts';
import * as contract from './contract.ts';
import type { Recovery } from './recovery.ts';
import { endOne, listSessions } from './sessions.ts';
import { lockStanding, type Standings } from './standings.ts';

const tag = 'Sessions';
const nothing = Type.Object({}, { additionalProperties: false });

const list = query('session.list', {
  summary: 'My live sessions, newest first',
  tag,
  http: 'GET /auth/sessions',
  input: contract.SessionsQuery,
  output: contract.SessionPage,
  run: ({ actor, db }, page) => listSessions(db, actor, page),
});

type Ending = ['logout', 'logout'] | ['revoked', 'session_revoked'];

async function end({ actor, tx, emit, audit }: CommandContext, sessionId: string, [reason, event]: Ending) {
  await lockStanding(tx, actor);
  const revokedAt = await endOne(tx, emit, actor.userId, sessionId, reason);
  if (revokedAt === undefined) throw new AppError('not_found', 'You have no such session.');
  await audit(event, { sessionId });
  return { id: sessionId, revokedAt: revokedAt.toISOString() };
}

export function sessionOperations(services: {
  accounts: Pick<Accounts, 'changePassword'>;
  recovery: Pick<Recovery, 'requestVerification'>;
  standings: Pick<Standings, 'forgetUser'>;
}) {
  const { accounts, recovery, standings } = services;
  const endHere: typeof end = (context, ...which) => {
    context.afterCommit(() => standings.forgetUser(context.actor.userId));
    return end(context, ...which);
  };
  return [
    command('session.logout', {
      summary: 'End this session',
      tag,
      http: 'POST /auth/logout',
      input: nothing,
      output: contract.RevokedSession,
      refuses: ['not_found'],
      run: (context) => endHere(context, context.actor.sessionId, ['logout', 'logout']),
    }),
    list,
    command('session.revoke', {
      summary: 'End one of my sessions',
      tag,
      http: 'DELETE /auth/sessions/:sessionId',
      input: Type.Object({ sessionId: Id }, { additionalProperties: false }),
      output: contract.RevokedSession,
      refuses: ['not_found'],
      run: (context, { sessionId }) => endHere(context, sessionId, ['revoked', 'session_revoked']),
    }),
    action('password.change', {
      summary: 'Change the password and end all other sessions',
      tag,
      http: 'POST /auth/password',
      socket: false,
      writes: true,
      input: contract.PasswordInput,
      output: contract.OwnUser,
      refuses: ['forbidden', 'conflict', 'rate_limited', 'unavailable'],
      start:
        () =>
        async ({ actor }, input) => {
          const { value, events } = await accounts.changePassword(actor, input);
          return { output: value, events };
        },
    }),
    action('email.verify', {
      summary: 'Ask for a mail that proves my e-mail address',
      description: 'Its token is good for a day: `POST /auth/verify`.',
      tag,
      http: 'POST /auth/verify/request',
      socket: false,
      input: nothing,
      refuses: ['conflict', 'rate_limited'],
      start:
        () =>
        async ({ actor }) => {
          await recovery.requestVerification(actor);
          return { output: undefined };
        },
    }),
  ] as const;
}
