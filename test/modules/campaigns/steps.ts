// For each operation that writes, payloads to try: most of them are allowed now and then, all of them may be refused. What
// they are about is chosen among what is there when the step is taken.

import fc from 'fast-check';
import type { CampaignState, VariableSchema } from '../../../src/modules/campaigns/contract.ts';

/** What is there. */
export interface World {
  /** The first of them is never removed. */
  readonly userIds: readonly string[];
  readonly state: CampaignState;
}

/** The payload of a command, as it is sent over the socket. */
export type Draft = (world: World) => Record<string, unknown>;

const on = fc.nat(1_000);
const text = (maxLength: number) =>
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength })
    .filter((name) => /^(?=.*\S)[^\p{C}\u2028\u2029]{1,50}$/u.test(name) && name.length <= 50);
const name = fc.oneof(text(15), fc.constantFrom('Harrow', 'Northmark', '"quoted"', '\\'));
const level = fc.nat(100);
const isStale = fc.nat(9).map((n) => n === 0);

const schemas: VariableSchema[] = [
  { name: 'population', type: 'number', min: 0, max: 100 },
  { name: 'mood', type: 'enum', options: ['calm', 'wild'] },
  { name: 'open', type: 'boolean' },
  { name: 'motto', type: 'string' },
];
const varied = fc.record(
  {
    variables: fc.record(
      {
        population: fc.oneof(fc.nat(120), fc.double({ noNaN: true, min: 0, max: 100 })),
        mood: fc.constantFrom('calm', 'wild', 'angry'),
        open: fc.boolean(),
        motto: text(20),
      },
      { requiredKeys: [] },
    ),
    variableSchemas: fc.subarray(schemas, { minLength: 2 }),
  },
  { requiredKeys: [] },
);
const changes = fc
  .record({ name, level }, { requiredKeys: [] })
  .chain((plain) => varied.map((rest) => ({ ...plain, ...rest })));

/** By the name of the operation. */
export const steps: Readonly<Record<string, fc.Arbitrary<Draft>>> = {
  'campaign.create': fc
    .record(
      { name, description: text(50), worldTime: fc.constant('1203-04-05T06:00:00Z') },
      { requiredKeys: ['name'] },
    )
    .map((body) => () => body),
  'campaign.update': fc
    .record({ isStale, body: fc.record({ name, description: text(50) }, { requiredKeys: [] }) })
    .map(({ isStale, body }) => ({ state: { campaign } }) => ({
      campaignId: campaign.id,
      version: versionOf(campaign, isStale),
      ...body,
    })),
  'campaign.delete': fc.constant(inCampaign(() => ({}))),
  'campaign.time.advance': fc
    .oneof(
      fc.record({ advanceSeconds: fc.integer({ min: 1, max: 3_155_760_000 }) }),
      fc.record({
        to: fc.constantFrom('1000-01-01T00:00:00Z', '2100-01-01T00:00:00.5Z', '9999-12-31T23:59:59Z'),
      }),
    )
    .map((body) => inCampaign(() => body)),
  'campaign.owner.change': on.map((n) => inCampaign(({ userIds }) => ({ userId: at(userIds, n) }))),
  'campaign.member.add': fc
    .record({ n: on, role: fc.constantFrom('editor', 'editor', 'viewer') })
    .map(({ n, role }) => inCampaign(({ userIds }) => ({ userId: at(userIds, n), role }))),
  'campaign.member.update': fc
    .record({ n: on, role: fc.constantFrom('editor', 'viewer') })
    .map(({ n, role }) => inCampaign(({ userIds }) => ({ userId: at(userIds, n), role }))),
  'campaign.member.remove': on.map((n) => inCampaign(({ userIds }) => ({ userId: at(userIds.slice(1), n) }))),
  'kingdom.create': name.map((name) => inCampaign(() => ({ name }))),
  'kingdom.update': fc.record({ n: on, isStale, name }).map(({ n, isStale, name }) => ({ state }) => {
    const kingdom = find(state.kingdoms, n);
    return { kingdomId: kingdom.id, version: versionOf(kingdom, isStale), name };
  }),
  'kingdom.delete': on.map((n) => ({ state }) => ({ kingdomId: find(state.kingdoms, n).id })),
  'settlement.create': fc
    .record({ n: on, name, level, varied })
    .map(({ n, name, level, varied }) => ({ state }) => ({
      kingdomId: find(state.kingdoms, n).id,
      name,
      level,
      ...varied,
    })),
  'settlement.update': fc
    .record({ n: on, isStale, changes })
    .map(({ n, isStale, changes }) => ({ state }) => {
      const settlement = find(state.settlements, n);
      return { settlementId: settlement.id, version: versionOf(settlement, isStale), ...changes };
    }),
  'settlement.delete': on.map((n) => ({ state }) => ({ settlementId: find(state.settlements, n).id })),
  'structure.create': fc
    .record({ n: on, name, type: name, level, varied })
    .map(({ n, varied, ...body }) => ({ state }) => ({
      settlementId: find(state.settlements, n).id,
      ...body,
      ...varied,
    })),
  'structure.update': fc
    .record({ n: on, isStale, type: name, changes })
    .map(({ n, isStale, type, changes }) => ({ state }) => {
      const structure = find(state.structures, n);
      return { structureId: structure.id, version: versionOf(structure, isStale), type, ...changes };
    }),
  'structure.delete': on.map((n) => ({ state }) => ({ structureId: find(state.structures, n).id })),
};

function inCampaign(rest: Draft): Draft {
  return (world) => ({ campaignId: world.state.campaign.id, ...rest(world) });
}

interface Versioned {
  readonly id: string;
  readonly version: number;
}

/** One that is not there, where there is none. */
const find = (items: readonly Versioned[], n: number): Versioned =>
  items.length === 0 ? { id: '00000000-0000-7000-8000-000000000000', version: 1 } : at(items, n);

const versionOf = ({ version }: Versioned, isStale: boolean): number =>
  isStale ? Math.max(1, version - 1) : version;

/** The nth, counted round and round. */
function at<Item>(items: readonly Item[], n: number): Item {
  const item = items[n % items.length];
  if (item === undefined) throw new Error('There is nothing to choose from.');
  return item;
}
