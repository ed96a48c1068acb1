// Every route that needs a user: `.use(guard)` gives the routes behind it an `actor`, or answers 401.

import { Elysia } from 'elysia';
import type { Auth } from '../auth/auth.ts';
import { AppError } from '../protocol/errors.ts';
import type { Actor } from '../realtime/index.ts';
import type { TraceContext } from '../telemetry/tracing.ts';
import { type Access, correlationOf } from './access.ts';

export type Guard = ReturnType<typeof createGuard>;

/** Runs before a route's schemas are checked: who is not logged in learns nothing of them. */
export function createGuard(
  auth: Pick<Auth, 'verify' | 'confirm' | 'readDevice' | 'requests'>,
  access: Pick<Access, 'noteUser' | 'traceOf'>,
) {
  return new Elysia({ name: 'guard' }).derive({ as: 'scoped' }, async ({ request }) => {
    const actor = await identify(request, auth, access.traceOf(request));
    access.noteUser(request, actor.userId);
    return { actor };
  });
}

async function identify(
  request: Request,
  { verify, confirm, readDevice, requests }: Pick<Auth, 'verify' | 'confirm' | 'readDevice' | 'requests'>,
  trace: TraceContext | undefined,
): Promise<Actor> {
  const token = findBearer(request);
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
    trace,
  };
  const confirmed = await confirm({ ...actor, ...here }, 'remembered');
  requests.takeUser(confirmed);
  return confirmed;
}

/** The access token in the header. */
export const findBearer = (request: Request): string | undefined =>
  /^Bearer ([\w.-]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
