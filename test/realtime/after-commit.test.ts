// What a command asks for behind COMMIT: once, for the attempt that succeeded, and for nothing that was rolled back or repeated.

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../src/config.ts';
import { connectDatabase } from '../../src/db/connect.ts';
import { type Database, queryRows } from '../../src/db/database.ts';
import { AppError } from '../../src/protocol/errors.ts';
import type { Actor } from '../../src/realtime/actor.ts';
import { type CommandContext, command, type ModuleCore } from '../../src/realtime/index.ts';
import { createCommit } from '../../src/realtime/log/commit.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { onEachDatabase, quietEnv } from '../support/server.ts';
import { anyTopic } from '../support/topics.ts';

const actor: Actor = {
  userId: Bun.randomUUIDv7(),
  sessionId: Bun.randomUUIDv7(),
  role: 'user',
  source: 'ws',
};

onEachDatabase('behind the commit of a command', (_open, database) => {
  let own: Database;
  let core: ModuleCore;
  let steps: string[] = [];
  /** What the next attempts fail with, after they have asked for everything. */
  let failures: unknown[] = [];

  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
    await own.db.execute(sql`CREATE TABLE counts (n int)`);
    core = {
      commit: createCommit(own.db, (events) => void steps.push(`published ${events.length}`)),
      reporter: { report: (error: Error, what: string) => void steps.push(`${what}: ${error.message}`) },
      wakeIn: (ms: number) => void steps.push(`woken in ${ms}`),
    } as unknown as ModuleCore; // what a command uses of it
  });
  afterAll(() => own.close());
  beforeEach(() => {
    steps = [];
    failures = [];
  });

  const run = async ({ tx, emit, afterCommit, wakeIn }: CommandContext) => {
    await tx.execute(sql`INSERT INTO counts VALUES (1)`);
    const [row] = await queryRows<{ n: number }>(tx, sql`SELECT count(*)::integer AS n FROM counts`);
    emit(anyTopic(`app:${crypto.randomUUID()}`), 'thing.happened', {});
    afterCommit(() => void steps.push(`counted ${row?.n}`));
    wakeIn(300);
    afterCommit(() => void steps.push('last'));
    steps.push('attempt');
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return { n: row?.n ?? 0 };
  };
  const output = Type.Object({ n: Type.Integer() });
  const count = command('count', { summary: 'Count', takesKey: true, input: Type.Object({}), output, run });
  const call = (key?: string, given = core) =>
    count
      .start(given)({ actor, key, entered() {} }, {})
      .then(({ output }) => output);

  test('it is called once, in order, when the events are published', async () => {
    const n = await call();
    expect(steps).toEqual([
      'attempt',
      'published 1',
      `counted ${(n as { n: number }).n}`,
      'woken in 300',
      'last',
    ]);
  });

  test('it is not called where the command fails, and nothing of that is left for the next one', async () => {
    failures = [new AppError('conflict', 'Not now.')];
    await expect(call()).rejects.toThrow('Not now.');
    expect(steps).toEqual(['attempt']);
    await call();
    expect(steps.filter((step) => step === 'last')).toHaveLength(1);
  });

  test('it is called once where the transaction ran again after a deadlock, for the attempt that succeeded', async () => {
    failures = [1, 2].map(() => Object.assign(new Error('deadlock'), { code: '40P01' }));
    const n = await call();
    expect(steps).toEqual([
      ...['attempt', 'attempt', 'attempt', 'published 1'],
      ...[`counted ${(n as { n: number }).n}`, 'woken in 300', 'last'],
    ]);
  });

  test('[K1] it is not called for a repeat', async () => {
    const first = await call('one');
    steps = [];
    expect(await call('one')).toEqual(first);
    expect(steps).toEqual(['published 0']);
  });

  test('[K1] nor where an attempt was rolled back and another request with the key came first', async () => {
    const commit: ModuleCore['commit'] = async (actor, work) => {
      const committed = await core.commit(actor, work);
      return { ...committed, isRepeat: true }; // as where that attempt had been undone
    };
    await call(undefined, { ...core, commit });
    expect(steps).toEqual(['attempt', 'published 1']);
  });

  test('what it throws is reported: the command is answered, and the rest is called', async () => {
    const broken = command('break', {
      summary: 'Break',
      input: Type.Object({}),
      async run({ afterCommit }) {
        afterCommit(() => {
          throw new Error('no consequence');
        });
        afterCommit(() => void steps.push('last'));
        return undefined;
      },
    });
    const answer = await broken.start(core)({ actor, key: undefined, entered() {} }, {});
    expect(answer).toEqual({ output: undefined, events: [] });
    expect(steps).toEqual(['published 0', 'what follows a commit: no consequence', 'last']);
  });
});
