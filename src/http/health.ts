// For load balancers and people: is the process alive, and should it get traffic?

import { Type } from '@sinclair/typebox';
import { sql } from 'drizzle-orm';
import { Elysia } from 'elysia';
import type { Db } from '../db/connect.ts';

export interface HealthSources {
  readonly db: Db;
  readonly instanceId: string;
  /** Undefined until the instance listens. */
  readonly port: () => number | undefined;
  readonly redis: () => RedisState;
  readonly isDraining: () => boolean;
}

/** `none`: not configured, so nothing is missing. Redis is never needed for correctness: down is still ready. */
export type RedisState = 'up' | 'down' | 'none';

const Live = Type.Object({ status: Type.Literal('ok') });

const Readiness = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('unavailable'), Type.Literal('draining')]),
  instanceId: Type.String(),
  database: Type.Union([Type.Literal('up'), Type.Literal('down')]),
  redis: Type.Union([Type.Literal('up'), Type.Literal('down'), Type.Literal('none')]),
  port: Type.Optional(Type.Integer()),
});

const databaseTimeoutMs = 1_000;

export function createHealth({ db, instanceId, port, redis, isDraining }: HealthSources) {
  const tags = ['Health'];
  return new Elysia({ prefix: '/health', normalize: false })
    .get('/live', () => ({ status: 'ok' as const }), {
      response: { 200: Live },
      detail: { summary: 'Whether the process answers', tags },
    })
    .get(
      '/ready',
      async ({ status }) => {
        const database = (await answersInTime(db)) ? ('up' as const) : ('down' as const);
        const parts = { instanceId, database, redis: redis(), port: port() };
        if (isDraining()) return status(503, { status: 'draining', ...parts });
        if (database === 'down') return status(503, { status: 'unavailable', ...parts });
        return { status: 'ready' as const, ...parts };
      },
      {
        response: { 200: Readiness, 503: Readiness },
        detail: { summary: 'Whether this instance should get traffic', tags },
      },
    );
}

async function answersInTime(db: Db): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), databaseTimeoutMs);
  const asked = db.execute(sql`SELECT 1`).then(
    () => true,
    () => false,
  );
  return await Promise.race([asked, late.promise]).finally(() => clearTimeout(timer));
}
