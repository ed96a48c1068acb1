// The measuring instrument is measured first: what the ledger calls lost, repeated, reordered and invented.

import { beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Db } from '../../src/db/database.ts';
import { createLedger } from './ledger.ts';
import { onEachDatabase } from './server.ts';

const topic = 'app:ledger';
const idOf = (seq: number) => `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`;

onEachDatabase('the ledger', (open) => {
  let db: Db;

  beforeAll(async () => {
    db = (await open()).db;
    for (const seq of [1, 2, 3, 4, 5]) {
      await db.execute(sql`
        INSERT INTO events (topic, seq, id, type, at, payload, meta)
        VALUES (${topic}, ${seq}, ${idOf(seq)}, 'thing.happened', now(), '{}', '{}')`);
    }
  });

  describe('compared with a log of five events', () => {
    const whole = { logged: 5, received: 5, lost: 0, repeated: 0, reordered: 0, invented: 0 };
    test.each([
      ['everything once and in order', [1, 2, 3, 4, 5], whole],
      ['one lost in the middle', [1, 2, 4, 5], { ...whole, received: 4, lost: 1 }],
      ['the last two lost', [1, 2, 3], { ...whole, received: 3, lost: 2 }],
      ['one repeated at once', [1, 2, 2, 3, 4, 5], { ...whole, received: 6, repeated: 1 }],
      ['a part replayed', [1, 2, 3, 2, 3, 4, 5], { ...whole, received: 7, repeated: 2 }],
      ['two swapped', [1, 3, 2, 4, 5], { ...whole, reordered: 1 }],
      ['one that the log does not have', [1, 2, 3, 4, 5, 6], { ...whole, received: 6, invented: 1 }],
      ['nothing', [], { ...whole, received: 0, lost: 5 }],
    ])('%s', async (_, seqs, expected) => {
      const ledger = createLedger();
      for (const seq of seqs) ledger.record({ type: 'thing.happened', topic, seq, id: idOf(seq) });
      expect(await ledger.compare(db, topic)).toEqual(expected);
    });

    test('an event with the id of another one is invented, and the right one lost', async () => {
      const ledger = createLedger();
      for (const seq of [1, 2, 3, 4, 5]) {
        ledger.record({ type: 'thing.happened', topic, seq, id: seq === 3 ? idOf(9) : idOf(seq) });
      }
      expect(await ledger.compare(db, topic)).toMatchObject({ invented: 1, lost: 1 });
    });

    test('replies, ephemeral events and other topics are not in it', async () => {
      const ledger = createLedger();
      ledger.record({ type: 'ok', id: 'r1' });
      ledger.record({ type: 'typing', topic, id: idOf(1) });
      ledger.record({ type: 'thing.happened', topic: 'app:other', seq: 1, id: idOf(1) });
      expect(await ledger.compare(db, topic)).toMatchObject({ received: 0, lost: 5 });
    });
  });
});
