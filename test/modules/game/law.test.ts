// The law: apply(snapshot before, durable events) = snapshot after, but for `live`, for `player:` and `computer:` and random
// sequences of every command and of ends of hacks, one after another and all at once. LAW_SEED repeats a run.

import { beforeAll, expect, test } from 'bun:test';
import { type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import {
  type ComputerState,
  computerTopic,
  type PlayerState,
  playerTopic,
  events as table,
} from '../../../src/modules/game/contract.ts';
import { endHacks } from '../../../src/modules/game/ending.ts';
import { applyComputer, applyPlayer } from '../../../src/modules/game/state.ts';
import { readComputerState, readPlayerState } from '../../../src/modules/game/topics.ts';
import { createCommit } from '../../../src/realtime/log/commit.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  eventsOf,
  frameOf,
  makeDue,
  makePlayers,
  type seeds,
  type TestPlayer,
  unknownId,
  withoutLive,
} from './setup.ts';
import { type Draft, steps } from './steps.ts';

interface Step {
  readonly by: number;
  readonly name: string;
  readonly draft: Draft;
  readonly overSocket: boolean;
}
/** The nth running hack ends. */
interface End {
  readonly ends: number;
  readonly as: keyof typeof seeds;
}

const playerCount = 3;
const seed = Number(process.env.LAW_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** What is needed for much of the rest comes more often. */
const weights: Readonly<Record<string, number>> = {
  'player.create': 1,
  'hack.start': 10,
  'defense.install': 5,
};
const draftOf = (name: string): fc.Arbitrary<Draft> => {
  const drafts = steps[name];
  if (drafts === undefined) throw new Error(`There are no steps for ${name}.`);
  return drafts;
};
const anyStep: fc.Arbitrary<Step | End> = fc.oneof(
  ...Object.keys(steps).map((name) => ({
    weight: weights[name] ?? 3,
    arbitrary: fc.record({
      by: fc.nat(playerCount - 1),
      name: fc.constant(name),
      draft: draftOf(name),
      overSocket: fc.boolean(),
    }),
  })),
  {
    weight: 5,
    arbitrary: fc.record({ ends: fc.nat(1_000), as: fc.constantFrom('success', 'failure') }),
  },
);

const taken = (by: number, name: string, draft: Draft, overSocket = false): Step => ({
  by,
  name,
  draft,
  overSocket,
});
const attack: Draft = ({ computerIds, ownComputerIds }) => ({
  targetComputerId: computerIds.find((id) => !ownComputerIds.includes(id)),
  type: 'bruteforce',
});
const abort: Draft = ({ runningIds }) => ({ hackId: runningIds[0] });
/** Everything that can happen, once, whatever chance brings beside. */
const tour: (Step | End)[] = [
  taken(0, 'computer.buy', () => ({ name: 'Garage' })),
  taken(0, 'defense.install', ({ ownComputerIds }) => ({ computerId: ownComputerIds[0], type: 'firewall' })),
  taken(0, 'unlock.buy', () => ({ key: 'networking' }), true),
  taken(1, 'hack.start', attack, true),
  taken(1, 'hack.abort', abort),
  taken(1, 'hack.start', attack),
  { ends: 0, as: 'failure' },
  taken(1, 'hack.start', attack),
  { ends: 0, as: 'success' },
];

onEachDatabase('the law of the game', (open) => {
  let server: TestServer;
  /** Which events came, on which kinds of topic. */
  const seen = new Map<string, Set<string>>();
  const succeeded = new Set<string>();

  beforeAll(async () => {
    console.log(`LAW_SEED=${seed}`);
    server = await open();
  });

  test('there are steps for every operation that writes, and for no other', () => {
    const own = server.modules.find(({ name }) => name === 'game')?.operations ?? [];
    const writing = own.filter(({ writes }) => writes !== false).map(({ name }) => name);
    expect(Object.keys(steps).sort()).toEqual(writing.sort());
  });

  interface Party {
    readonly players: readonly TestPlayer[];
    readonly clients: readonly TestClient[];
  }

  /** Rich enough for all of it, and 5 xp below the next level. */
  async function start(): Promise<Party> {
    const players = await makePlayers(server, playerCount, { money: 60_000, xp: 1_595 });
    return { players, clients: await Promise.all(players.map(({ user }) => server.connect(user))) };
  }

  const runningIds = (states: readonly PlayerState[]): string[] =>
    states.flatMap(({ hacks }) => hacks.attacking.map(({ id }) => id));
  const computerIds = (states: readonly PlayerState[]): string[] =>
    states.flatMap(({ computers }) => computers.map(({ id }) => id));

  /** As the clockwork does it, but at once: a test that looks behind every step cannot have it happen at any time. */
  async function end({ ends, as }: End, states: readonly PlayerState[]): Promise<void> {
    const ids = runningIds(states);
    const id = ids[ends % Math.max(1, ids.length)];
    if (id === undefined) return;
    await makeDue(server, { id }, as, 3_600_000); // not due, so that nobody else ends it
    await createCommit(server.db, () => {})(undefined, async (tx, emit) => {
      await endHacks(tx, emit, [id]);
      return {};
    });
  }

  async function take(
    step: Step | End,
    { players, clients }: Party,
    states: readonly PlayerState[],
    isLive = false,
  ) {
    if ('ends' in step) {
      const ids = runningIds(states);
      if (!isLive) return await end(step, states);
      const id = ids[step.ends % Math.max(1, ids.length)];
      if (id !== undefined) await makeDue(server, { id }, step.as);
      return;
    }
    const { by, name, draft, overSocket } = step;
    const [player, client] = [players[by], clients[by]];
    if (player === undefined || client === undefined) throw new Error('There is no such player.');
    const payload = draft({
      computerIds: computerIds(states),
      ownComputerIds: states[by]?.computers.map(({ id }) => id) ?? [],
      runningIds: runningIds(states),
    });
    if (overSocket) {
      const reply = await client.request(name, payload);
      expect([name, reply.error?.code]).not.toEqual([name, 'internal']);
      if (reply.type === 'ok') succeeded.add(name);
      return;
    }
    const operation = server.modules
      .flatMap(({ operations }) => operations)
      .find((candidate) => candidate.name === name);
    const [method = '', route = ''] = operation?.http?.split(' ') ?? [];
    const inPath = new Set<string>();
    const path = route.replace(/:(\w+)/g, (_, field: string) => {
      inPath.add(field);
      return String(payload[field] ?? unknownId);
    });
    const body = Object.fromEntries(Object.entries(payload).filter(([field]) => !inPath.has(field)));
    const { status } = await attempt(
      server,
      player.user,
      method,
      path,
      method === 'DELETE' ? undefined : body,
    );
    expect([name, status < 500]).toEqual([name, true]);
    if (status < 300) succeeded.add(name);
  }

  /** The events behind the seq, each as the table has it. */
  async function readOn(topic: string, seq: number): Promise<Frame[]> {
    const frames = await eventsOf(server, topic, seq);
    expect(frames.map((frame) => frame.seq)).toEqual(frames.map((_, n) => seq + 1 + n));
    const kind = topic.split(':')[0] ?? '';
    for (const { type, payload } of frames) {
      const found = Object.entries<{ on: readonly string[]; payload: TSchema; isDurable: boolean }>(
        table,
      ).find(([name, { on, isDurable }]) => name === type && on.includes(kind) && isDurable);
      expect([type, ...Value.Errors(found?.[1].payload ?? Type.Never(), payload)]).toEqual([type]);
      seen.set(type, (seen.get(type) ?? new Set()).add(kind));
    }
    return frames;
  }

  /** Somebody who follows a topic since it was first seen. */
  interface Watch {
    seq: number;
    known: object;
    readonly read: () => Promise<object>;
    readonly apply: (known: object, frame: Frame) => object;
  }

  async function watchAll(
    watches: Map<string, Watch>,
    players: readonly TestPlayer[],
  ): Promise<PlayerState[]> {
    const { db } = server;
    const states = await Promise.all(players.map(({ id }) => readPlayerState(db, id)));
    const add = async (topic: string, read: Watch['read'], apply: Watch['apply']) => {
      if (watches.has(topic)) return;
      const seq = (await eventsOf(server, topic)).length;
      watches.set(topic, { seq, known: await read(), read, apply });
    };
    for (const { id } of players) {
      const apply: Watch['apply'] = (known, frame) => applyPlayer(known as PlayerState, frameOf(frame)); // of that topic
      await add(playerTopic(id), () => readPlayerState(db, id), apply);
    }
    for (const id of computerIds(states)) {
      const apply: Watch['apply'] = (known, frame) => applyComputer(known as ComputerState, frameOf(frame)); // as above
      await add(computerTopic(id), () => readComputerState(db, id), apply);
    }
    return states;
  }

  const durable = (state: object) => withoutLive(state as { live: unknown }); // of either kind

  async function expectLaw(watches: Map<string, Watch>): Promise<void> {
    for (const [topic, watch] of watches) {
      const frames = await readOn(topic, watch.seq);
      watch.known = frames.reduce(watch.apply, watch.known);
      watch.seq += frames.length;
      expect([topic, durable(watch.known)]).toEqual([topic, durable(await watch.read())]);
    }
  }

  test('one after another: the law holds behind every command, and from each to the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 10, maxLength: 40 }), async (chosen) => {
        const party = await start();
        const watches = new Map<string, Watch>();
        const past: { topic: string; seq: number; known: object }[] = [];
        for (const step of chosen) {
          const states = await watchAll(watches, party.players);
          for (const [topic, { seq, known }] of watches) past.push({ topic, seq, known });
          await take(step, party, states);
          await expectLaw(watches);
        }
        const logs = new Map<string, Frame[]>();
        for (const topic of watches.keys()) logs.set(topic, await eventsOf(server, topic));
        for (const { topic, seq, known } of past) {
          const watch = watches.get(topic);
          if (watch === undefined) throw new Error('It was watched.');
          const built = (logs.get(topic) ?? []).slice(seq).reduce(watch.apply, known);
          expect(durable(built)).toEqual(durable(watch.known));
        }
        for (const client of party.clients) client.close();
      }),
      { seed, numRuns: 12, examples: [[tour]], endOnFailure: true },
    );
    succeeded.add('player.create'); // each party began with it; a second one is refused
    expect([...succeeded].sort()).toEqual(Object.keys(steps).sort());
    // What came is all that the table has, on each kind of topic.
    const expected = Object.entries(table).flatMap(([type, { on, isDurable }]) =>
      isDurable ? on.map((kind) => `${type} on ${kind}`) : [],
    );
    const came = [...seen].flatMap(([type, kinds]) => [...kinds].map((kind) => `${type} on ${kind}`));
    expect(came.sort()).toEqual(expected.sort());
  }, 120_000);

  test('all at once: what a follower builds from a snapshot and frames is the next snapshot', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyStep, { minLength: 2, maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        async (rounds) => {
          const party = await start();
          const [first] = party.players;
          if (first === undefined) throw new Error('They were made.');
          const follower = await server.connect(first.user);
          const topics = [playerTopic(first.id), computerTopic(first.computerId)];
          const joined = await Promise.all(
            topics.map((topic) => follower.subscribe(topic, { snapshot: true })),
          );
          const known = joined.map(({ seq, snapshot }) => ({ seq, state: snapshot as object })); // both have one
          for (const chosen of rounds) {
            const states = await Promise.all(party.players.map(({ id }) => readPlayerState(server.db, id)));
            await Promise.all(chosen.map((step) => take(step, party, states, true)));
            const late = await server.connect(first.user);
            for (const [n, topic] of topics.entries()) {
              const place = known[n];
              if (place === undefined) throw new Error('Both were followed.');
              const { snapshot, seq } = await late.subscribe(topic, { snapshot: true });
              for (; place.seq < seq; place.seq += 1) {
                const frame = await follower.next((each) => each.topic === topic && each.seq !== undefined);
                expect(frame.seq).toBe(place.seq + 1);
                place.state =
                  n === 0
                    ? applyPlayer(place.state as PlayerState, frameOf(frame)) // of that topic
                    : applyComputer(place.state as ComputerState, frameOf(frame)); // as above
              }
              expect(timeless(durable(place.state))).toEqual(timeless(durable(snapshot as object))); // as above
            }
            late.close();
          }
          for (const client of [follower, ...party.clients]) client.close();
        },
      ),
      { seed, numRuns: 8, endOnFailure: true },
    );
  }, 120_000);
});

/** Without the ends of hacks, which the test moves behind everybody's back. */
const timeless = (state: object): unknown =>
  JSON.parse(JSON.stringify(state, (name, value) => (name === 'completionAt' ? undefined : value)));
