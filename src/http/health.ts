// For load balancers and people: is the process alive, and should it get traffic?

import { Type } from '@sinclair/typebox';
import { sql } from 'drizzle-orm';
import { Elysia } from 'elysia';
import type { Db } from '../db/database.ts';

export interface HealthSources {
  readonly isDatabaseUp: () => Promise<boolean>;
  readonly instanceId: string;
  /** Undefined until the instance listens. */
  readonly port: () => number | undefined;
  readonly redis: () => RedisState;
  readonly isDraining: () => boolean;
}

/** `none`: not configured, so nothing is missing. Redis is never needed for correctness: down is still ready. */
export type RedisState = 'up' | 'down' | 'none';

const Live = Type.Object({ status: Type.Literal('ok') }, { title: 'Liveness' });

const Readiness = Type.Object(
  {
    status: Type.Union([Type.Literal('ready'), Type.Literal('unavailable'), Type.Literal('draining')]),
    instanceId: Type.String(),
    database: Type.Union([Type.Literal('up'), Type.Literal('down')]),
    redis: Type.Union([Type.Literal('up'), Type.Literal('down'), Type.Literal('none')]),
    port: Type.Optional(Type.Integer()),
  },
  { title: 'Readiness' },
);

const databaseTimeoutMs = 1_000;
/** An answer counts for so long: whoever asks more often costs the database nothing. */
const freshMs = 1_000;

/** Whether the database can be written, now or a moment ago. Never fails, and never takes longer than a second. */
export function createDatabaseCheck(db: Db): () => Promise<boolean> {
  let latest: { readonly isUp: Promise<boolean>; readonly askedAt: number } | undefined;
  return () => {
    if (latest === undefined || performance.now() - latest.askedAt > freshMs) {
      latest = { isUp: writesInTime(db), askedAt: performance.now() };
    }
    return latest.isUp;
  };
}

export function createHealth({ isDatabaseUp, instanceId, port, redis, isDraining }: HealthSources) {
  const tags = ['Health'];
  return new Elysia({ prefix: '/health', normalize: false })
    .get('/live', () => ({ status: 'ok' as const }), {
      response: { 200: Live },
      detail: { operationId: 'health.live', summary: 'Whether the process answers', tags },
    })
    .get(
      '/ready',
      async ({ status }) => {
        const database = (await isDatabaseUp()) ? ('up' as const) : ('down' as const);
        const parts = { instanceId, database, redis: redis(), port: port() };
        if (isDraining()) return status(503, { status: 'draining', ...parts });
        if (database === 'down') return status(503, { status: 'unavailable', ...parts });
        return { status: 'ready' as const, ...parts };
      },
      {
        response: { 200: Readiness, 503: Readiness },
        detail: { operationId: 'health.ready', summary: 'Whether this instance should get traffic', tags },
      },
    );
}

/**
 * Reading works from memory where the disk is full, the server a standby, or no file can be opened. So a row is written
 * that is there anyway, as it was. Where another instance writes it at this moment, it need not be written again.
 */
async function writesInTime(db: Db): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), databaseTimeoutMs);
  const written = db
    .execute(sql`
      WITH free AS MATERIALIZED (SELECT id FROM event_log FOR NO KEY UPDATE SKIP LOCKED)
      UPDATE event_log SET epoch = epoch FROM free WHERE event_log.id = free.id`)
    .then(
      () => true,
      () => false,
    );
  return await Promise.race([written, late.promise]).finally(() => clearTimeout(timer));
}
