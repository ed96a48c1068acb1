// What goes over the wire: inputs, outputs, the table of events and the states. Browser-safe.

import { type Static, Type } from '@sinclair/typebox';
import { type DurableEvent, durable, ephemeral, type PayloadOf } from '../../protocol/events.ts';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import { exampleId, Id, Instant, line, nullable } from '../../protocol/values.ts';
import { maxDefenseLevel, maxListed, maxTools } from './bounds.ts';

export * from './bounds.ts';

/** For whoever cannot load the kinds of topic: they name the same. */
export const playerTopic = (playerId: string): string => `player:${playerId}`;
export const computerTopic = (computerId: string): string => `computer:${computerId}`;

/** How many targets a scan finds. */
export const maxTargets = 20;

const strict = { additionalProperties: false };

export const HackType = Type.Union([
  Type.Literal('bruteforce'),
  Type.Literal('ddos'),
  Type.Literal('phishing'),
  Type.Literal('exploit'),
]);
export type HackType = Static<typeof HackType>;

export const HackStatus = Type.Union([
  Type.Literal('running'),
  Type.Literal('succeeded'),
  Type.Literal('failed'),
  Type.Literal('aborted'),
]);
export type HackStatus = Static<typeof HackStatus>;

export const DefenseType = Type.Union([
  Type.Literal('firewall'),
  Type.Literal('antivirus'),
  Type.Literal('ids'),
  Type.Literal('honeypot'),
  Type.Literal('encryption'),
]);
export type DefenseType = Static<typeof DefenseType>;

const Handle = Type.String({
  minLength: 3,
  maxLength: 20,
  pattern: '^[a-z0-9_]+$',
  description: '3 to 20 of the characters a-z 0-9 _',
  examples: ['zero_cool'],
});
const ComputerName = Type.String({ minLength: 1, maxLength: 60, ...line, examples: ['Garage'] });
const Key = Type.String({
  minLength: 1,
  maxLength: 40,
  pattern: '^[a-z0-9-]+$',
  description: 'Of a node of the tree, or of a tool',
  examples: ['networking'],
});
const Count = Type.Integer({ minimum: 0 });
const Level = Type.Integer({ minimum: 1 });

// Outputs

/** What it was at one time, not what it is: that follows from it and the time. */
export const Energy = Type.Object(
  {
    amount: Count,
    at: Type.String({ ...Instant, description: 'When it was so much' }),
    max: Count,
    perHour: Type.Integer({
      description: 'How much comes back: one every 3,600 / perHour seconds, up to max',
    }),
  },
  { title: 'Energy' },
);
export type Energy = Static<typeof Energy>;

const resources = {
  money: Count,
  energy: Energy,
  xp: Count,
  level: Type.Integer({ minimum: 1, description: '1 + ⌊√(xp / 100)⌋' }),
  shieldUntil: nullable(
    Type.String({ ...Instant, description: 'Nobody can start a hack on this player until then' }),
  ),
  version: Type.Integer({ minimum: 1, description: '1, and one more with each change of the player' }),
};
export const Resources = Type.Object(resources, { title: 'Resources' });
export type Resources = Static<typeof Resources>;

export const Player = Type.Object(
  { id: Id, userId: Id, handle: Type.String(), ...resources },
  { title: 'Player' },
);
export type Player = Static<typeof Player>;

/** How a player looks to others. */
export const PlayerFace = Type.Object(
  { id: Id, handle: Type.String(), level: Level, xp: Count },
  { title: 'PlayerFace' },
);
export type PlayerFace = Static<typeof PlayerFace>;

export const Defense = Type.Object(
  {
    id: Id,
    computerId: Id,
    type: DefenseType,
    level: Type.Integer({ minimum: 1, maximum: maxDefenseLevel }),
    effectiveness: Type.Number({ description: 'In percent, with up to two decimals' }),
    installedAt: Type.String({ ...Instant, description: 'When it got this level' }),
  },
  { title: 'Defense' },
);
export type Defense = Static<typeof Defense>;

const machine = {
  id: Id,
  playerId: Id,
  name: Type.String(),
  ip: Type.String({ description: 'Of a private network; no two are alike' }),
  cpu: Type.Integer({ description: 'The best one of a player shortens hacks' }),
  memory: Type.Integer({ description: 'The best one of a player limits how many tools a hack uses' }),
  storage: Type.Integer({ description: 'How many types of defense it holds' }),
};
/** A computer without its defenses. */
export const Machine = Type.Object(machine, { title: 'Machine' });
export type Machine = Static<typeof Machine>;

export const Computer = Type.Object(
  { ...machine, defenses: Type.Array(Defense, { description: 'By type' }) },
  { title: 'Computer' },
);
export type Computer = Static<typeof Computer>;

/** How a computer looks to others than its owner. */
export const ComputerFace = Type.Object(
  {
    id: Id,
    playerId: Id,
    name: Type.String(),
    ip: Type.String(),
    level: Type.Integer({ minimum: 1, description: "Its owner's" }),
    defenses: Type.Array(Type.Object({ type: DefenseType, level: Level }), { description: 'By type' }),
  },
  { title: 'ComputerFace' },
);
export type ComputerFace = Static<typeof ComputerFace>;

export const HackResult = Type.Object(
  {
    loot: Type.Integer({ minimum: 0, description: 'Money that went from the defender to the attacker' }),
    xp: Type.Integer({ minimum: 0, description: 'What the attacker got' }),
  },
  { title: 'HackResult' },
);
export type HackResult = Static<typeof HackResult>;

const unknown = 'null for the defender as long as it is not known who attacks';
export const Hack = Type.Object(
  {
    id: Id,
    attackerId: nullable(Type.String({ ...Id, description: `The player; ${unknown}` })),
    defenderId: Id,
    targetComputerId: Id,
    type: HackType,
    tools: nullable(Type.Array(Type.String(), { description: `Their keys; ${unknown}` })),
    status: HackStatus,
    startedAt: Instant,
    completionAt: Type.String({ ...Instant, description: 'When it ends by itself' }),
    result: nullable(HackResult),
  },
  { title: 'Hack' },
);
export type Hack = Static<typeof Hack>;

/** How far a running hack is, computed from the clock. */
export const HackProgress = Type.Object(
  {
    hackId: Id,
    percent: Type.Integer({ minimum: 0, maximum: 100 }),
    remainingMs: Count,
  },
  { title: 'HackProgress' },
);
export type HackProgress = Static<typeof HackProgress>;

const Live = Type.Object(
  { progress: Type.Array(HackProgress) },
  { description: 'As it was when the snapshot was read; `hack.progress` says how it goes on' },
);

export const Unlock = Type.Object({ key: Type.String(), unlockedAt: Instant }, { title: 'Unlock' });
export type Unlock = Static<typeof Unlock>;

export const UnlockNode = Type.Object(
  {
    key: Type.String(),
    name: Type.String(),
    cost: Type.Integer({ minimum: 0, description: 'In xp' }),
    parents: Type.Array(Type.String(), { description: 'All of them have to be held first' }),
    tool: nullable(
      Type.String({ description: 'The tool that it opens; null where it only leads to others' }),
    ),
    unlockedAt: nullable(Instant),
  },
  { title: 'UnlockNode' },
);
export type UnlockNode = Static<typeof UnlockNode>;

export const UnlockTree = Type.Object(
  {
    unspentXp: Type.Integer({ minimum: 0, description: 'Of my xp, without what the held ones cost' }),
    items: Type.Array(UnlockNode),
  },
  { title: 'UnlockTree' },
);
export type UnlockTree = Static<typeof UnlockTree>;

export const PlayerPage = pageOf(PlayerFace, 'PlayerPage');
export const HackPage = pageOf(Hack, 'HackPage');
export const Targets = Type.Object({ items: Type.Array(ComputerFace) }, { title: 'Targets' });

/** A computer as its owner sees it, or as others do. */
export const ComputerView = Type.Union([Computer, ComputerFace], {
  description: 'All of it for its owner, its face for others',
});
export type ComputerView = Static<typeof ComputerView>;

// The states of topics: lists are ascending by id, `unlocks` by key, defenses by type

export const PlayerState = Type.Object(
  {
    player: Player,
    computers: Type.Array(Computer),
    unlocks: Type.Array(Unlock),
    hacks: Type.Object({
      attacking: Type.Array(Hack, { description: 'Running, started by this player' }),
      defending: Type.Array(Hack, {
        description: `Running, on this player's computers: at most ${maxListed} on each, those that found a place when they came`,
      }),
    }),
    live: Live,
  },
  { title: 'PlayerState' },
);
export type PlayerState = Static<typeof PlayerState>;

export const ComputerState = Type.Object(
  {
    computer: Machine,
    defenses: Type.Array(Defense),
    hacks: Type.Array(Hack, {
      description: `Running on it: at most ${maxListed}, those that found a place when they came`,
    }),
    live: Live,
  },
  { title: 'ComputerState' },
);
export type ComputerState = Static<typeof ComputerState>;

// Inputs

export const CreatePlayer = Type.Object({ handle: Handle }, strict);
export const GetState = Type.Object({}, strict);
export const GetPlayer = Type.Object({ playerId: Id }, strict);
export const ListPlayers = Type.Object(
  {
    sort: Type.Optional(Type.Literal('xp', { description: 'Most xp first; there is no other order' })),
    ...pageQuery,
  },
  strict,
);
export const ScanComputers = Type.Object(
  {
    scan: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1, description: 'There is nothing else to ask for' }),
    ),
  },
  strict,
);
export const BuyComputer = Type.Object({ name: ComputerName }, strict);
export const GetComputer = Type.Object({ computerId: Id }, strict);
export const InstallDefense = Type.Object(
  { computerId: Id, type: DefenseType },
  { ...strict, examples: [{ computerId: exampleId, type: 'ids' }] },
);
export const StartHack = Type.Object(
  {
    targetComputerId: Id,
    type: HackType,
    tools: Type.Optional(
      Type.Array(Type.String({ ...Key, examples: ['port-scanner'] }), {
        maxItems: maxTools,
        description: 'Keys of tools that are unlocked, each once; left out: none',
      }),
    ),
  },
  { ...strict, examples: [{ targetComputerId: exampleId, type: 'bruteforce', tools: ['port-scanner'] }] },
);
export const HackPath = Type.Object({ hackId: Id }, strict);
export const ListHacks = Type.Object(
  {
    role: Type.Optional(
      Type.Union([Type.Literal('attacker'), Type.Literal('defender')], {
        description: 'Only those that I started, or only those on computers of mine',
      }),
    ),
    ...pageQuery,
  },
  strict,
);
export type ListHacks = Static<typeof ListHacks>;
export const ListUnlocks = Type.Object({}, strict);
export const BuyUnlock = Type.Object({ key: Key }, strict);

// Events

const OfHack = Type.Object({ hack: Hack });

/** The defender is told in an event of its own, which leaves out who attacks where that is not known. */
export const events = {
  'hack.initiated': durable(['player', 'computer'], OfHack),
  'hack.completed': durable(['player', 'computer'], Type.Object({ hack: Hack, result: HackResult })),
  'hack.failed': durable(['player', 'computer'], OfHack),
  'hack.aborted': durable(['player', 'computer'], OfHack),
  'hack.progress': ephemeral(['player'], HackProgress),
  'defense.installed': durable(['computer', 'player'], Type.Object({ computerId: Id, defense: Defense })),
  'resources.updated': durable(['player'], Resources),
  'computer.created': durable(['player'], Type.Object({ computer: Computer })),
  'progression.unlocked': durable(['player'], Type.Object({ unlock: Unlock })),
  'player.levelled': durable(['player'], Type.Object({ level: Level, previous: Level })),
};
export type PlayerEvent =
  | DurableEvent<typeof events, 'player'>
  | { readonly type: 'hack.progress'; readonly payload: PayloadOf<typeof events, 'hack.progress'> };
export type ComputerEvent = DurableEvent<typeof events, 'computer'>;
