// The door of every route that needs a user: `.use(guard)` gives the routes behind it an `actor`, or answers 401.

import { Elysia } from 'elysia';
import { AppError } from '../protocol/errors.ts';
import type { Actor } from '../realtime/actor.ts';
import { requireLive, type Standings } from './standings.ts';
import type { Tokens } from './tokens.ts';

export type Guard = ReturnType<typeof createGuard>;

/** Runs before a route's schemas are checked: who is not logged in learns nothing of them. */
export function createGuard(tokens: Tokens, standings: Standings) {
  return new Elysia({ name: 'guard' }).derive({ as: 'scoped' }, async ({ request }) => ({
    actor: await identify(request, tokens, standings),
  }));
}

/** Throws `forbidden` unless the actor is an admin. Give it one that was read just now: the guard's may be a second old. */
export function requireAdmin(actor: Actor): void {
  if (actor.role !== 'admin') throw new AppError('forbidden', 'Only admins may do this.');
}

async function identify(request: Request, tokens: Tokens, standings: Standings): Promise<Actor> {
  const [, token] = /^Bearer ([\w.-]+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
  if (token === undefined) {
    throw new AppError(
      'unauthorized',
      'Log in, and send the access token as "Authorization: Bearer <token>".',
    );
  }
  const { userId, sessionId, topicGrants } = await tokens.verifyAccess(token);
  const role = requireLive(await standings.read({ userId, sessionId }));
  return { userId, sessionId, role, source: 'http', correlationId: correlationOf(request), topicGrants };
}

/** One that is no plain word is left out: it is a convenience, and proxies put all sorts of things there. */
function correlationOf(request: Request): string | undefined {
  return /^[\w.-]{1,64}$/.exec(request.headers.get('x-correlation-id') ?? '')?.[0];
}
