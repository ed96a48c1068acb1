// The two kinds of token. Access: a JWT, HS256 and nothing else, short-lived. Refresh: opaque, sealed with the generation
// for which it is good.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { jwt } from '@elysiajs/jwt';
import { LRUCache } from 'lru-cache';
import { AppError } from '../protocol/errors.ts';
import { type Role, roles } from '../protocol/roles.ts';
import { uuidPattern } from '../protocol/topics.ts';
import type { Credentials } from '../realtime/index.ts';
import { readTopicGrants } from './topic-claim.ts';

export interface AccessClaims {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: Role;
}

export interface AccessToken {
  readonly token: string;
  readonly expiresAt: Date;
}

/** What a refresh token stands for. Each exchange moves its session on to the next generation. */
export interface RefreshClaims {
  readonly sessionId: string;
  readonly generation: number;
}

export interface Tokens {
  /** Ends with the session at the latest. */
  signAccess(claims: AccessClaims, sessionExpiresAt: Date): Promise<AccessToken>;
  /** Signature, algorithm, issuer, audience, times and the shape of the claims. Throws `unauthorized`. */
  verifyAccess(token: string): Promise<Credentials>;
  /** Another one each time. */
  createRefresh(claims: RefreshClaims): string;
  /** What a refresh token says, if it is one that we issued, at any time; undefined for a forged one. */
  readRefresh(token: string): RefreshClaims | undefined;
}

const issuer = 'carillon';
const algorithm = 'HS256';
/** Ours have about 350 characters; more is refused before any work is spent on it. */
const maxTokenLength = 8_192;

/**
 * Some 5 MB of ours. Tokens that grant topics cost more: 20 MB at this length, and 270 at the longest, so longer ones are
 * checked anew each time.
 */
const maxVerified = 10_000;
const maxVerifiedLength = 1_024;

/** Of the year 9999, behind which ISO 8601 has other names for the years. */
const lastSecond = 253_402_300_799;

const uuid = new RegExp(uuidPattern);
const refreshPattern = /^([0-9a-f-]{36})\.(\d{1,9})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

export function createTokens(secret: string, accessTokenSeconds: number): Tokens {
  // The plugin's own object: it signs and verifies for the routes and for the socket alike.
  const { access } = jwt({ name: 'access', secret, alg: algorithm, iss: issuer, aud: issuer }).decorator;
  // A key of its own, so that neither kind of token can ever be taken for the other.
  const refreshKey = createHmac('sha256', secret).update('carillon refresh token').digest();
  const sealOf = (body: string) => createHmac('sha256', refreshKey).update(body).digest('base64url');

  /**
   * Tokens that were found good, by their hashes: the signature of each is computed once, not for every request. A token
   * itself has some 350 bytes, and an idle connection would keep them.
   */
  const verified = new LRUCache<string, Credentials>({ max: maxVerified });
  const readAccess = async (token: string): Promise<Credentials> => {
    const payload = await access.verify(token, {
      algorithms: [algorithm],
      issuer,
      audience: issuer,
      requiredClaims: ['sub', 'sid', 'role', 'iat', 'exp'],
    });
    if (payload === false) throw badToken();
    // Checked here whatever the library declares: it lets a list pass as `sub`, and any number as a time.
    const { sub, sid, role, iat, exp, topics }: Record<string, unknown> = payload;
    const knownRole = roles.find((known) => known === role);
    if (!isId(sub) || !isId(sid) || knownRole === undefined || !isTime(iat) || !isTime(exp)) throw badToken();
    return {
      actor: {
        userId: sub,
        sessionId: sid,
        role: knownRole,
        source: 'ws',
        topicGrants: readTopicGrants(topics),
      },
      issuedAtMs: iat * 1000,
      expiresAtMs: exp * 1000,
    };
  };

  return {
    async signAccess({ userId, sessionId, role }, sessionExpiresAt) {
      const now = Math.floor(Date.now() / 1000);
      const end = Math.min(now + accessTokenSeconds, Math.floor(sessionExpiresAt.getTime() / 1000));
      const token = await access.sign({ sub: userId, sid: sessionId, role, exp: end });
      return { token, expiresAt: new Date(end * 1000) };
    },

    async verifyAccess(token) {
      if (token.length > maxTokenLength) throw badToken();
      const hash = hashOf(token);
      const known = verified.get(hash);
      if (known !== undefined && Date.now() < known.expiresAtMs) return known;
      const claims = await readAccess(token);
      if (token.length > maxVerifiedLength) return claims;
      verified.set(hash, claims);
      return claims;
    },

    createRefresh({ sessionId, generation }) {
      const body = `${sessionId}.${generation}.${randomBytes(16).toString('base64url')}`;
      return `${body}.${sealOf(body)}`;
    },

    readRefresh(token) {
      const [, sessionId, generation, random, seal] = refreshPattern.exec(token) ?? [];
      if (sessionId === undefined || seal === undefined || !uuid.test(sessionId)) return undefined;
      const expected = sealOf(`${sessionId}.${generation}.${random}`);
      if (!timingSafeEqual(Buffer.from(seal), Buffer.from(expected))) return undefined;
      return { sessionId, generation: Number(generation) };
    },
  };
}

const isId = (claim: unknown): claim is string => typeof claim === 'string' && uuid.test(claim);

const isTime = (claim: unknown): claim is number =>
  typeof claim === 'number' && claim >= 0 && claim <= lastSecond;

const badToken = () =>
  new AppError('unauthorized', 'The access token is not valid, or no longer. Refresh it or log in.');

/** Bun's own, of one call: half of what `createHash` costs, for every request. */
const hashOf = (token: string): string => Bun.SHA256.hash(token, 'base64url');
