// Which topics are compared with the log, and when: those in motion in every round, quiet ones now and then, all of them
// while frames may be missing. The rounds are real but short; the hub only says what it was asked.

import { afterEach, expect, test } from 'bun:test';
import { type Healing, startHealing } from '../../../src/realtime/hub/heal.ts';
import { reportInto } from '../../support/reporter.ts';
import { until } from '../../support/until.ts';

const times = { roundMs: 5, quietRounds: 10, motionMs: 10_000 };
const running: Healing[] = [];
afterEach(() => Promise.all(running.splice(0).map((healing) => healing.stop())));

function start({ isComplete = true, roundMs = times.roundMs, count = 3 } = {}) {
  const topics = Array.from({ length: count }, (_, n) => `app:${n}`);
  /** Of each round: since when a topic had to have moved; undefined: all topics. */
  const rounds: (number | undefined)[] = [];
  const steps: string[] = [];
  const asked: string[][] = [];
  const healed: string[][] = [];
  const failures: unknown[] = [];
  const state = { isComplete, failure: undefined as Error | undefined };
  const healing = startHealing(
    {
      hub: {
        topics(movedSince) {
          steps.push('topics');
          rounds.push(movedSince);
          return topics;
        },
        healTo: async (heads) => void healed.push([...heads.keys()]),
      },
      bridge: state,
      async refreshLog() {
        steps.push('refresh');
        if (state.failure !== undefined) throw state.failure;
      },
      async readHeads(names) {
        asked.push([...names]);
        return new Map(names.map((name) => [name, 1]));
      },
      reporter: reportInto(failures),
    },
    { ...times, roundMs },
  );
  running.push(healing);
  const reach = (count: number) => until(() => rounds.length >= count, `${count} rounds`);
  return { healing, state, topics, rounds, steps, asked, healed, failures, reach };
}

test('quiet topics are compared in every tenth round, those in motion in each', async () => {
  const { rounds, reach } = start();
  await reach(30);
  const thorough = rounds
    .slice(0, 30)
    .flatMap((movedSince, index) => (movedSince === undefined ? index + 1 : []));
  expect(thorough).toEqual([10, 20, 30]);
  const since = rounds.find((movedSince) => movedSince !== undefined) ?? 0;
  expect(performance.now() - since).toBeGreaterThan(times.motionMs);
});

test('all of them in every round while frames of other instances may be missing', async () => {
  const { rounds, reach, state } = start({ isComplete: false });
  await reach(8);
  expect(rounds.slice(0, 8)).toEqual(Array.from({ length: 8 }));
  state.isComplete = true;
  rounds.length = 0;
  await reach(9);
  expect(rounds.filter((movedSince) => movedSince !== undefined).length).toBeGreaterThanOrEqual(8);
});

test('all of them at once when it is asked for, and again when it is asked for meanwhile', async () => {
  const { healing, rounds, reach } = start({ roundMs: 60_000 });
  healing.healNow();
  healing.healNow();
  await reach(2);
  await Bun.sleep(20);
  expect(rounds).toEqual([undefined, undefined]);
});

test('the log is looked at before it is asked, and not asked where that fails', async () => {
  const { state, steps, failures, healed, reach } = start();
  await reach(2);
  expect(steps.slice(0, 4)).toEqual(['refresh', 'topics', 'refresh', 'topics']);
  state.failure = new Error('away');
  await until(() => failures.length > 0, 'the failure is told');
  const count = healed.length;
  await until(() => failures.length > 3, 'it goes on trying');
  expect(healed.length).toBe(count);
});

test('a thousand topics are asked about in one query', async () => {
  const { healing, asked, healed, topics, reach } = start({ roundMs: 60_000, count: 2_500 });
  healing.healNow();
  await reach(1);
  await until(() => healed.length === 3, 'all are healed');
  expect(asked.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  expect(healed.flat()).toEqual(topics);
});
