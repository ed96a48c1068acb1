// The secrets in mails: good once and for a while, and stored as hashes alone. The newest of a purpose is the one that counts.

import { createHash, randomBytes } from 'node:crypto';
import { and, eq, gt, sql } from 'drizzle-orm';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import { accountTokens, type MailPurpose } from './schema.ts';

/** How long each is good. By the database's clock. */
export const tokenHours: Readonly<Record<MailPurpose, number>> = { verify: 24, reset: 1 };

/** A new token, in the place of an earlier one. */
export async function createAccountToken(tx: Db, userId: string, purpose: MailPurpose): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const fresh = {
    hash: hashOf(token),
    expiresAt: sql`now() + make_interval(hours => ${tokenHours[purpose]})`,
  };
  await tx
    .insert(accountTokens)
    .values({ userId, purpose, ...fresh })
    .onConflictDoUpdate({ target: [accountTokens.userId, accountTokens.purpose], set: fresh });
  return token;
}

/** Whose token it is. Throws `invalid`. It stays good: for what comes before the transaction that takes it. */
export async function findTokenOwner(db: Db, purpose: MailPurpose, token: string): Promise<string> {
  const [row] = await db.select().from(accountTokens).where(isGood(purpose, token));
  return row?.userId ?? badToken();
}

/** Whose token it was: of two that bring it at once, one gets through. Throws `invalid`. */
export async function takeAccountToken(tx: Db, purpose: MailPurpose, token: string): Promise<string> {
  const [row] = await tx.delete(accountTokens).where(isGood(purpose, token)).returning();
  return row?.userId ?? badToken();
}

const isGood = (purpose: MailPurpose, token: string) =>
  and(
    eq(accountTokens.hash, hashOf(token)),
    eq(accountTokens.purpose, purpose),
    gt(accountTokens.expiresAt, sql`now()`),
  );

/** It has 256 random bits: there is nothing to guess that salt or a slow hash would make harder. */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');

/** Throws `invalid`. */
export function badToken(): never {
  const message = 'Expected the token of the newest mail, not used yet and not too old';
  throw new AppError('invalid', `${message}. Ask for a new one.`, { fields: [{ path: '/token', message }] });
}
