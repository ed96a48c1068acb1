// Fills in the words of messages behind their senders' backs: in small batches with long pauses, so that it never costs the
// sending of messages more than a twentieth. Chats that it does not know of (written to on an instance that is gone) or has
// no room for are told to it by whoever searches in them.

import type { Db } from '../../db/database.ts';
import type { ModuleCore } from '../../realtime/index.ts';
import { fillWords } from './words.ts';

export interface Filler {
  /** These have messages that may not be filled in. Never waits, never fails. */
  note(chatIds: readonly string[]): void;
  /** Waits for the batch under way. */
  stop(): Promise<void>;
}

/** Chats that wait; more are left to whoever searches in them. */
const maxWaiting = 100_000;
const maxChats = 100;
/** Messages of a batch: fewer where it takes longer than it should. */
const sizes = { first: 100, least: 10, most: 500 };
const batchMs = 25;
/** A pause is so many times as long as the batch before it, and at least so long; behind a failure longer. */
const pauseTimes = 20;
const leastPauseMs = 100;
const failedPauseMs = 10_000;

export function startFiller(
  { db, reporter }: Pick<ModuleCore, 'db' | 'reporter'>,
  fill: (db: Db, chatIds: readonly string[], ofEach: number) => Promise<ReadonlySet<string>> = fillWords,
): Filler {
  const waiting = new Set<string>();
  let size = sizes.first;
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: Promise<void> | undefined;

  function plan(pauseMs: number): void {
    if (isStopped || waiting.size === 0 || timer !== undefined || current !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      current = run().then((nextPauseMs) => {
        current = undefined;
        plan(nextPauseMs);
      });
    }, pauseMs);
  }

  /** Answers how long to pause. */
  async function run(): Promise<number> {
    const chatIds = [...waiting.values().take(maxChats)];
    for (const chatId of chatIds) waiting.delete(chatId); // what is noted from now on is not in this batch
    const startedAt = performance.now();
    let left: readonly string[] = chatIds;
    try {
      const done = await fill(db, chatIds, Math.max(1, Math.floor(size / chatIds.length)));
      left = chatIds.filter((chatId) => !done.has(chatId));
      const tookMs = performance.now() - startedAt;
      size = Math.max(sizes.least, Math.min(sizes.most, tookMs > batchMs ? size / 2 : size * 2));
      return Math.max(leastPauseMs, pauseTimes * tookMs);
    } catch (error) {
      reporter.report(error, 'filling in words');
      return failedPauseMs;
    } finally {
      for (const chatId of left) waiting.add(chatId);
    }
  }

  return {
    note(chatIds) {
      for (const chatId of chatIds) if (waiting.size < maxWaiting) waiting.add(chatId);
      plan(leastPauseMs);
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
