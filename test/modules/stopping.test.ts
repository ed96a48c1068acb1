// What a module starts is stopped with the server, once, while the database is still there.

import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../src/db/database.ts';
import { defineModule } from '../../src/realtime/index.ts';
import { onEachDatabase } from '../support/server.ts';

onEachDatabase('a module that starts something', (open) => {
  test('is told when the server stops, and can still write', async () => {
    const answers: unknown[] = [];
    const clock = defineModule('clock', {
      operations(core) {
        core.onStop(async () => {
          answers.push(await queryRows(core.db, sql`SELECT 1 AS one`));
        });
        return [];
      },
    });
    const server = await open({}, [clock]);
    expect(answers).toEqual([]);
    await Promise.all([server.stop(), server.stop()]);
    expect(answers).toEqual([[{ one: 1 }]]);
  });
});
