// How soon what never arrived is found in the log: topics in motion every second, quiet ones every ten, all of them every
// second while frames may be missing. The log is real; the clock is the test's.

import { afterAll, afterEach, beforeAll, expect, jest, test } from 'bun:test';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { type Healing, startHealing } from '../../../src/realtime/hub/heal.ts';
import { readHeads } from '../../../src/realtime/log/event-log.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createHub } from '../../support/hub.ts';
import { reporter } from '../../support/reporter.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';

const quietMs = 60_000;

onEachDatabase('healing', (_open, database) => {
  let own: Database;
  let healing: Healing | undefined;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());
  afterEach(async () => {
    jest.useRealTimers();
    await healing?.stop();
  });

  /** A followed topic on which something was committed that never arrived. */
  async function start(isComplete: boolean, isQuiet: boolean) {
    const topic = `app:${crypto.randomUUID()}`;
    const { hub, write, left } = createHub(own.db);
    jest.useFakeTimers();
    const stream = await hub.follow(topic);
    if (isQuiet) jest.advanceTimersByTime(quietMs);
    let isAsked = false;
    healing = startHealing({
      hub,
      bridge: { isComplete },
      async refreshLog() {},
      readHeads(topics) {
        isAsked ||= topics.includes(topic);
        return readHeads(own.db, topics);
      },
      reporter,
    });
    await write(topic, 1);
    /** Resolves when the topic that the log was asked about is healed. */
    const healed = async () => {
      expect(isAsked).toBe(true);
      while (stream.position === 0) await turn();
      expect(left(topic)).toEqual([1]);
    };
    /** After how many seconds it was. */
    const secondsUntilHealed = async (): Promise<number> => {
      let seconds = 0;
      while (!isAsked && seconds < 60) {
        jest.advanceTimersByTime(1_000);
        seconds += 1;
        await turn(); // the round that asked nothing is over
      }
      await healed();
      return seconds;
    };
    return { healing, healed, secondsUntilHealed };
  }

  test('asks about a topic in motion within a second', async () => {
    const { secondsUntilHealed } = await start(true, false);
    expect(await secondsUntilHealed()).toBe(1);
  });

  test('asks about a quiet topic within ten seconds', async () => {
    const { secondsUntilHealed } = await start(true, true);
    expect(await secondsUntilHealed()).toBe(10);
  });

  test('asks about a quiet topic within a second while frames may be missing', async () => {
    const { secondsUntilHealed } = await start(false, true);
    expect(await secondsUntilHealed()).toBe(1);
  });

  test('asks about every topic at once when it is told to', async () => {
    const { healing, healed } = await start(true, true);
    healing.healNow();
    await turn();
    await healed();
  });
});

/** Of the event loop: its clock stands still, its input and output do not. */
const turn = () => new Promise(setImmediate);
