// Tokens as a backend makes them that shares the secret: for a session of ours, with claims of its own.

import { SignJWT } from 'jose';
import type { TestUser } from '../../support/api.ts';
import { quietEnv } from '../../support/server.ts';

export function signToken(user: TestUser, claims: Record<string, unknown>, seconds = 600): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const standard = { sub: user.id, sid: user.sessionId, role: 'user', iss: 'carillon', aud: 'carillon' };
  return new SignJWT({ ...standard, iat: now, exp: now + seconds, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(quietEnv.JWT_SECRET));
}
