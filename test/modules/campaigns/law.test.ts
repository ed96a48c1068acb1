// The law: apply(snapshot before, events) = snapshot after, for all three kinds of topic and random sequences of every
// command by several users, one after another and all at once. LAW_SEED repeats a run.

import { beforeAll, expect, test } from 'bun:test';
import { type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import {
  type CampaignState,
  campaignTopic,
  type Settlement,
  type Structure,
  settlementTopic,
  structureTopic,
  events as table,
} from '../../../src/modules/campaigns/contract.ts';
import { campaignsModule } from '../../../src/modules/campaigns/index.ts';
import { applyCampaign, applySettlement, applyStructure } from '../../../src/modules/campaigns/state.ts';
import { readSettlement, readState, readStructure } from '../../../src/modules/campaigns/topics.ts';
import type { ModuleCore } from '../../../src/realtime/index.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createWorld, eventsOf, must } from './setup.ts';
import { type Draft, steps } from './steps.ts';

interface Step {
  readonly by: number;
  readonly name: string;
  readonly draft: Draft;
  readonly overSocket: boolean;
}

const userCount = 4;
const seed = Number(process.env.LAW_SEED ?? Math.floor(Math.random() * 2 ** 31));

const { operations } = campaignsModule.start({} as ModuleCore); // its operations share nothing that lives in a core
const writing = operations.filter(({ writes }) => writes !== false);
/** What makes much of the rest impossible comes less often. */
const weights: Readonly<Record<string, number>> = {
  'campaign.delete': 0,
  'campaign.owner.change': 1,
  'kingdom.delete': 1,
  'settlement.delete': 1,
};
const draftOf = (name: string): fc.Arbitrary<Draft> => {
  const drafts = steps[name];
  if (drafts === undefined) throw new Error(`There are no steps for ${name}.`);
  return drafts;
};
const step: fc.Arbitrary<Step> = fc.oneof(
  ...writing.map(({ name }) => ({
    weight: weights[name] ?? 4,
    arbitrary: fc.record({
      by: fc.nat(userCount - 1),
      name: fc.constant(name),
      draft: draftOf(name),
      overSocket: fc.boolean(),
    }),
  })),
);

/** Every command once, whatever chance brings beside: each of these is allowed. */
const tour: Step[] = (
  [
    ['campaign.create', () => ({ name: 'Another one' })],
    ['campaign.update', ({ campaign: { id, version } }) => ({ campaignId: id, version, name: 'New' })],
    ['campaign.time.advance', ({ campaign }) => ({ campaignId: campaign.id, advanceSeconds: 60 })],
    ['campaign.member.add', ({ campaign }, fourth) => ({ campaignId: campaign.id, userId: fourth })],
    [
      'campaign.member.update',
      ({ campaign }, fourth) => ({ campaignId: campaign.id, userId: fourth, role: 'editor' }),
    ],
    ['campaign.member.remove', ({ campaign }, fourth) => ({ campaignId: campaign.id, userId: fourth })],
    ['kingdom.create', ({ campaign }) => ({ campaignId: campaign.id, name: 'Second' })],
    ['kingdom.update', ({ kingdoms }) => ({ kingdomId: at(kingdoms, 0).id, version: 1, name: 'First' })],
    ['settlement.create', ({ kingdoms }) => ({ kingdomId: at(kingdoms, 0).id, name: 'Second', ...count(1) })],
    [
      'settlement.update',
      ({ settlements }) => ({ settlementId: at(settlements, 1).id, version: 1, ...count(2) }),
    ],
    [
      'structure.create',
      ({ settlements }) => ({ settlementId: at(settlements, 0).id, name: 'x', type: 'x', ...count(1) }),
    ],
    [
      'structure.update',
      ({ structures }) => ({ structureId: at(structures, 1).id, version: 1, ...count(2) }),
    ],
    ['structure.delete', ({ structures }) => ({ structureId: at(structures, 1).id })],
    ['settlement.delete', ({ settlements }) => ({ settlementId: at(settlements, 0).id })],
    ['kingdom.delete', ({ kingdoms }) => ({ kingdomId: at(kingdoms, 0).id })],
    [
      'campaign.owner.change',
      ({ campaign, members }) => ({
        campaignId: campaign.id,
        userId: members.find(({ role }) => role !== 'owner')?.userId,
      }),
    ],
  ] as [string, (state: CampaignState, fourth: string) => Record<string, unknown>][]
).map(([name, payloadOf], n) => ({
  by: 0,
  name,
  draft: ({ state, userIds }) => payloadOf(state, at(userIds, 3)),
  overSocket: n % 2 === 0,
}));

const count = (value: number) => ({
  variables: { count: value },
  variableSchemas: [{ name: 'count', type: 'number' }],
});

type Known = Settlement | Structure;
/** Somebody who follows one settlement or structure since it was first seen. */
interface Watch {
  readonly topic: string;
  readonly read: () => Promise<Known>;
  readonly apply: (state: Known, event: Frame) => Known;
  state: Known;
  seq: number;
}

onEachDatabase('the law of campaigns', (open) => {
  let server: TestServer;
  /** The first one is never removed, so that there is always somebody to follow. */
  let users: TestUser[];
  let clients: TestClient[];
  /** Which events came of which operations, on which kinds of topic. */
  const seen = new Map<string, Set<string>>();
  const succeeded = new Set<string>();

  beforeAll(async () => {
    console.log(`LAW_SEED=${seed}`);
    server = await open();
    users = await Promise.all(Array.from({ length: userCount }, (_, n) => server.register(`User ${n}`)));
    clients = await Promise.all(users.map((user) => server.connect(user)));
  });

  test('there are steps for every operation that writes, and for no other', () => {
    expect(Object.keys(steps).sort()).toEqual(writing.map(({ name }) => name as string).sort());
  });

  async function start(): Promise<CampaignState> {
    const { campaign } = await createWorld(server, at(users, 0));
    for (const user of users.slice(1, 3)) {
      const body = { userId: user.id, role: 'editor' };
      await must(server, at(users, 0), 'POST', `/campaigns/${campaign.id}/members`, body);
    }
    return await readState(server.db, campaign.id);
  }

  async function take({ by, name, draft, overSocket }: Step, state: CampaignState): Promise<void> {
    const payload = draft({ userIds: users.map(({ id }) => id), state });
    if (overSocket) {
      const reply = await at(clients, by).request(name, payload);
      expect([name, reply.error?.code]).not.toEqual([name, 'internal']);
      if (reply.type === 'ok') succeeded.add(name);
      return;
    }
    const [method = '', route = ''] =
      operations.find((operation) => operation.name === name)?.http?.split(' ') ?? [];
    const inPath = new Set<string>();
    const path = route.replace(/:(\w+)/g, (_, field: string) => {
      inPath.add(field);
      return String(payload[field]);
    });
    const body = Object.fromEntries(Object.entries(payload).filter(([field]) => !inPath.has(field)));
    const { status } = await attempt(server, at(users, by), method, path, body);
    expect([name, status < 500]).toEqual([name, true]);
    if (status < 300) succeeded.add(name);
  }

  /** The events behind the seq, each as the table has it. */
  async function readOn(topic: string, seq: number): Promise<Frame[]> {
    const events = await eventsOf(server, topic, seq);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, n) => seq + 1 + n));
    for (const { type, payload } of events) {
      const kind = topic.split(':')[0] ?? '';
      const found = Object.entries<{ on: readonly string[]; payload: TSchema }>(table).find(
        ([name, { on }]) => name === type && on.includes(kind),
      );
      expect([type, ...Value.Errors(found?.[1].payload ?? Type.Never(), payload)]).toEqual([type]);
      const kinds = seen.get(type) ?? new Set();
      seen.set(type, kinds.add(kind));
    }
    return events;
  }

  const frameOf = ({ type, payload }: Frame) => ({ type, payload });

  async function watch(watches: Map<string, Watch>, state: CampaignState): Promise<void> {
    const { db } = server;
    const add = async (topic: string, read: Watch['read'], apply: Watch['apply']) => {
      if (watches.has(topic)) return;
      const seq = (await eventsOf(server, topic)).length;
      watches.set(topic, { topic, read, apply, state: await read(), seq });
    };
    for (const { id } of state.settlements) {
      const apply: Watch['apply'] = (known, event) => applySettlement(known as Settlement, frameOf(event)); // of that topic
      await add(settlementTopic(id), () => readSettlement(db, id), apply);
    }
    for (const { id } of state.structures) {
      const apply: Watch['apply'] = (known, event) => applyStructure(known as Structure, frameOf(event)); // as above
      await add(structureTopic(id), () => readStructure(db, id), apply);
    }
  }

  /** Whoever followed a settlement or structure knows what it is, or that it is gone. */
  async function expectWatched(watches: Map<string, Watch>, present: CampaignState): Promise<void> {
    const there = new Set([
      ...present.settlements.map(({ id }) => settlementTopic(id)),
      ...present.structures.map(({ id }) => structureTopic(id)),
    ]);
    for (const watch of watches.values()) {
      const events = await readOn(watch.topic, watch.seq);
      watch.state = events.reduce(watch.apply, watch.state);
      watch.seq += events.length;
      if (there.has(watch.topic)) expect(watch.state).toEqual(await watch.read());
      else {
        expect(events.at(-1)?.payload).toMatchObject({ operation: 'deleted', entity: null });
        watches.delete(watch.topic);
      }
    }
  }

  test('one after another: the law holds behind every command, and from each to the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 40 }),
        fc.nat(9),
        async (taken, renamed) => {
          let state = await start();
          const { id } = state.campaign;
          const topic = campaignTopic(id);
          let head = (await eventsOf(server, topic)).length;
          const watches = new Map<string, Watch>();
          const past: [CampaignState, number][] = [];
          for (const [n, next] of taken.entries()) {
            past.push([state, head]);
            await watch(watches, state);
            await take(next, state);
            if (n === renamed)
              await must(server, at(users, next.by), 'PATCH', '/users/me', { name: `User of ${id}` });
            const events = await readOn(topic, head);
            head += events.length;
            state = events.map(frameOf).reduce(applyCampaign, state);
            expect(state).toEqual(await readState(server.db, id));
            await expectWatched(watches, state);
            expect(state.members.filter(({ role }) => role === 'owner')).toHaveLength(1);
          }
          const frames = (await eventsOf(server, topic)).map(frameOf);
          for (const [before, seq] of past)
            expect(frames.slice(seq).reduce(applyCampaign, before)).toEqual(state);
          // From the very beginning, too, where nothing is known.
          expect(frames.reduce(applyCampaign, {} as CampaignState)).toEqual(state);
          // And to the end of all.
          await watch(watches, state);
          const owner = users.find(({ id }) => id === state.campaign.ownerId) ?? at(users, 0);
          await must(server, owner, 'DELETE', `/campaigns/${id}`);
          succeeded.add('campaign.delete');
          const last = await readOn(topic, head);
          const ended = last.map(frameOf).reduce(applyCampaign, state);
          expect([ended.kingdoms, ended.settlements, ended.structures]).toEqual([[], [], []]);
          await expectWatched(watches, ended);
        },
      ),
      { seed, numRuns: 15, examples: [[tour, 0]], endOnFailure: true },
    );
    expect([...succeeded].sort()).toEqual(writing.map(({ name }) => name as string).sort());
    // What came is all that the table has, on each kind of topic.
    const expected = Object.entries(table).flatMap(([type, { on }]) =>
      on.filter((kind) => kind !== 'user').map((kind) => `${type} on ${kind}`),
    );
    const came = [...seen].flatMap(([type, kinds]) => [...kinds].map((kind) => `${type} on ${kind}`));
    expect(came.sort()).toEqual(expected.sort());
  }, 120_000);

  test('all at once: what a follower builds from a snapshot and frames is the next snapshot', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 2, maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        async (rounds) => {
          const { campaign } = await start();
          const topic = campaignTopic(campaign.id);
          const follower = await server.connect(at(users, 0));
          const joined = await follower.subscribe(topic, { snapshot: true });
          let state = joined.snapshot as CampaignState; // the contract of the campaign's topic
          let { seq: known } = joined;
          for (const taken of rounds) {
            const present = state;
            await Promise.all(taken.map((next) => take(next, present)));
            const late = await server.connect(at(users, 0));
            const { snapshot, seq } = await late.subscribe(topic, { snapshot: true });
            late.close();
            for (; known < seq; known += 1) {
              const event = await follower.next((frame) => frame.seq !== undefined);
              expect(event.seq).toBe(known + 1);
              state = applyCampaign(state, frameOf(event));
            }
            expect(state).toEqual(snapshot as CampaignState); // as above
            expect(state.members.filter(({ role }) => role === 'owner')).toHaveLength(1);
          }
          follower.close();
        },
      ),
      { seed, numRuns: 8, endOnFailure: true },
    );
  }, 60_000);
});

/** The nth, counted round and round. */
function at<Item>(items: readonly Item[], n: number): Item {
  const item = items[n % items.length];
  if (item === undefined) throw new Error('There is nothing to choose from.');
  return item;
}
