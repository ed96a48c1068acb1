// Every route that needs a user: `.use(guard)` gives the routes behind it an `actor`, or answers 401.

import { Elysia } from 'elysia';
import type { Auth } from '../auth/auth.ts';
import { AppError } from '../protocol/errors.ts';
import type { Actor } from '../realtime/index.ts';

export type Guard = ReturnType<typeof createGuard>;

/** Runs before a route's schemas are checked: who is not logged in learns nothing of them. */
export function createGuard(auth: Pick<Auth, 'verify' | 'confirm' | 'readDevice' | 'requests'>) {
  return new Elysia({ name: 'guard' }).derive({ as: 'scoped' }, async ({ request }) => ({
    actor: await identify(request, auth),
  }));
}

async function identify(
  request: Request,
  { verify, confirm, readDevice, requests }: Pick<Auth, 'verify' | 'confirm' | 'readDevice' | 'requests'>,
): Promise<Actor> {
  const [, token] = /^Bearer ([\w.-]+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
  if (token === undefined) {
    throw new AppError(
      'unauthorized',
      'Log in, and send the access token as "Authorization: Bearer <token>".',
    );
  }
  const { actor } = await verify(token);
  const here = {
    source: 'http' as const,
    correlationId: correlationOf(request),
    device: readDevice(request),
  };
  const confirmed = await confirm({ ...actor, ...here }, 'remembered');
  requests.takeUser(confirmed);
  return confirmed;
}

/** One that is no plain word is left out: it is a convenience, and proxies put all sorts of things there. */
function correlationOf(request: Request): string | undefined {
  return /^[\w.-]{1,64}$/.exec(request.headers.get('x-correlation-id') ?? '')?.[0];
}
