// Users of the bench by number: ids follow from it, so the load generator can make their tokens without being told any.

import { SignJWT } from 'jose';

export const jwtSecret = 'a secret of the bench, 32 characters or more';

export const userId = (number: number): string => `00000000-0000-7000-8000-${hex(number)}`;
const sessionId = (number: number): string => `00000000-0000-7000-9000-${hex(number)}`;
const hex = (number: number): string => number.toString(16).padStart(12, '0');

const key = new TextEncoder().encode(jwtSecret);

export function createToken(number: number): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ sid: sessionId(number), role: 'user' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId(number))
    .setIssuer('carillon')
    .setAudience('carillon')
    .setIssuedAt(now)
    .setExpirationTime(now + 3_600)
    .sign(key);
}
