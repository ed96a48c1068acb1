// What a subscriber got, kept across its reconnects, and compared with the log: the delivery promise as four numbers.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import type { Subscribed } from '../../src/protocol/envelope.ts';
import type { Frame, TestClient } from './client.ts';

export interface Comparison {
  /** Durable events in the log behind the position where the subscriber began. */
  logged: number;
  received: number;
  /** In the log, never received. */
  lost: number;
  /** Received more than once. */
  repeated: number;
  /** Received behind an event that follows it. */
  reordered: number;
  /** Received, but not in the log, or with another id there. */
  invented: number;
}

export interface Ledger {
  /** Give it to the client as `onFrame`, so that no frame passes unseen. */
  record(frame: Frame): void;
  /** Subscribes where this ledger ends: with `since`, unless it is the first time. */
  follow(client: TestClient, topic: string): Promise<Subscribed>;
  /** Whoever subscribes by itself says where it began; only the first time counts. Throws on a reset. */
  join(subscribed: Subscribed): void;
  /** The newest seq received on the topic. */
  newest(topic: string): number | undefined;
  compare(db: Db, topic: string): Promise<Comparison>;
}

export function createLedger(): Ledger {
  const starts = new Map<string, number>();
  const entries = new Map<string, { seq: number; id: string }[]>();
  const newest = (topic: string) => {
    const seqs = entries.get(topic)?.map(({ seq }) => seq) ?? [];
    return seqs.length === 0 ? starts.get(topic) : seqs.reduce((a, b) => Math.max(a, b));
  };
  const join: Ledger['join'] = ({ topic, seq, reset }) => {
    if (reset) throw new Error(`${topic} was reset: the log does not reach back to ${newest(topic)}.`);
    if (!starts.has(topic)) starts.set(topic, seq);
  };
  return {
    record({ topic, seq, id }) {
      if (topic === undefined || seq === undefined || id === undefined) return;
      const entry = { seq, id };
      const list = entries.get(topic);
      if (list === undefined) entries.set(topic, [entry]);
      else list.push(entry);
    },
    async follow(client, topic) {
      const since = newest(topic);
      const subscribed = await client.subscribe(topic, since === undefined ? undefined : { since });
      join(subscribed);
      return subscribed;
    },
    join,
    newest,
    async compare(db, topic) {
      const log = await readLog(db, topic, starts.get(topic) ?? 0);
      return compareWithLog(log, entries.get(topic) ?? []);
    },
  };
}

function compareWithLog(
  log: ReadonlyMap<number, string>,
  received: readonly { seq: number; id: string }[],
): Comparison {
  const result: Comparison = {
    logged: log.size,
    received: received.length,
    lost: 0,
    repeated: 0,
    reordered: 0,
    invented: 0,
  };
  const seen = new Set<number>();
  let highest = 0;
  for (const { seq, id } of received) {
    if (log.get(seq) !== id) {
      result.invented += 1;
      continue;
    }
    if (seen.has(seq)) result.repeated += 1;
    else if (seq < highest) result.reordered += 1;
    seen.add(seq);
    highest = Math.max(highest, seq);
  }
  for (const seq of log.keys()) if (!seen.has(seq)) result.lost += 1;
  return result;
}

async function readLog(db: Db, topic: string, after: number): Promise<Map<number, string>> {
  const rows = await queryRows<{ seq: number | string; id: string }>(
    db,
    sql`SELECT seq, id FROM events WHERE topic = ${topic} AND seq > ${after} ORDER BY seq`,
  );
  return new Map(rows.map(({ seq, id }) => [Number(seq), id]));
}
