// What there is in the game, as data: types of hack, defenses, tools, the tree of unlocks, computers. Pure and browser-safe.
// What is made of it stands in `rules.ts`.

import type { DefenseType, HackType } from './contract.ts';

export interface HackKind {
  readonly energy: number;
  readonly seconds: number;
  /** Between equals, without tools and defenses. */
  readonly odds: number;
  /** The xp of a success, before what the target's level adds. */
  readonly xp: number;
  /** How much of a defense's effectiveness counts against it. */
  readonly weakTo: Readonly<Partial<Record<DefenseType, number>>>;
}

export const hackKinds: Readonly<Record<HackType, HackKind>> = {
  bruteforce: {
    energy: 10,
    seconds: 30,
    odds: 0.6,
    xp: 20,
    weakTo: { firewall: 0.4, encryption: 0.4, ids: 0.1 },
  },
  ddos: { energy: 20, seconds: 45, odds: 0.55, xp: 30, weakTo: { firewall: 0.6, ids: 0.2 } },
  phishing: { energy: 15, seconds: 60, odds: 0.5, xp: 40, weakTo: { antivirus: 0.4, honeypot: 0.4 } },
  exploit: {
    energy: 25,
    seconds: 120,
    odds: 0.65,
    xp: 60,
    weakTo: { antivirus: 0.3, ids: 0.3, honeypot: 0.2, encryption: 0.1 },
  },
};

export interface DefenseKind {
  /** Of the first level; the nth costs n times as much. */
  readonly price: number;
  /** In percent, a level. */
  readonly effectiveness: number;
}

export const defenseKinds: Readonly<Record<DefenseType, DefenseKind>> = {
  firewall: { price: 150, effectiveness: 8.5 },
  antivirus: { price: 120, effectiveness: 8 },
  ids: { price: 150, effectiveness: 7.25 },
  honeypot: { price: 200, effectiveness: 9 },
  encryption: { price: 180, effectiveness: 9.5 },
};

export interface Tool {
  readonly name: string;
  /** The node of the tree that opens it. */
  readonly unlock: string;
  /** What it adds to the odds, by type of hack. */
  readonly adds: Readonly<Partial<Record<HackType, number>>>;
}

/** By key. */
export const tools: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  [
    'port-scanner',
    { name: 'Port scanner', unlock: 'port-scanner', adds: { bruteforce: 0.03, exploit: 0.03 } },
  ],
  ['wordlist', { name: 'Word list', unlock: 'wordlist', adds: { bruteforce: 0.08 } }],
  ['rainbow-table', { name: 'Rainbow table', unlock: 'rainbow-table', adds: { bruteforce: 0.14 } }],
  ['packet-flood', { name: 'Packet flood', unlock: 'packet-flood', adds: { ddos: 0.08 } }],
  ['botnet', { name: 'Botnet', unlock: 'botnet', adds: { ddos: 0.16, bruteforce: 0.04 } }],
  ['mail-kit', { name: 'Mail kit', unlock: 'mail-kit', adds: { phishing: 0.08 } }],
  ['voice-mask', { name: 'Voice mask', unlock: 'voice-mask', adds: { phishing: 0.15 } }],
  ['fuzzer', { name: 'Fuzzer', unlock: 'fuzzer', adds: { exploit: 0.08 } }],
  ['zero-day', { name: 'Zero day', unlock: 'zero-day', adds: { exploit: 0.18 } }],
  [
    'proxy-chain',
    {
      name: 'Proxy chain',
      unlock: 'proxy-chain',
      adds: { bruteforce: 0.05, ddos: 0.05, phishing: 0.05, exploit: 0.05 },
    },
  ],
]);

export interface UnlockSpec {
  readonly name: string;
  /** In xp. */
  readonly cost: number;
  readonly parents: readonly string[];
}

/** By key: parents come before what they lead to. */
export const unlockTree: ReadonlyMap<string, UnlockSpec> = new Map<string, UnlockSpec>([
  ['basics', { name: 'Basics', cost: 0, parents: [] }],
  ['port-scanner', { name: 'Port scanner', cost: 0, parents: ['basics'] }],
  ['networking', { name: 'Networking', cost: 60, parents: ['basics'] }],
  ['cryptography', { name: 'Cryptography', cost: 80, parents: ['basics'] }],
  ['social-skills', { name: 'Social skills', cost: 80, parents: ['basics'] }],
  ['reversing', { name: 'Reversing', cost: 150, parents: ['basics'] }],
  ['stealth', { name: 'Stealth', cost: 250, parents: ['networking', 'cryptography'] }],
  ['wordlist', { name: 'Word list', cost: 40, parents: ['basics'] }],
  ['packet-flood', { name: 'Packet flood', cost: 60, parents: ['networking'] }],
  ['mail-kit', { name: 'Mail kit', cost: 60, parents: ['social-skills'] }],
  ['fuzzer', { name: 'Fuzzer', cost: 120, parents: ['reversing'] }],
  ['rainbow-table', { name: 'Rainbow table', cost: 200, parents: ['cryptography', 'wordlist'] }],
  ['botnet', { name: 'Botnet', cost: 300, parents: ['packet-flood', 'stealth'] }],
  ['voice-mask', { name: 'Voice mask', cost: 300, parents: ['mail-kit'] }],
  ['proxy-chain', { name: 'Proxy chain', cost: 350, parents: ['stealth'] }],
  ['zero-day', { name: 'Zero day', cost: 600, parents: ['fuzzer', 'stealth'] }],
]);

/** What a new player holds. */
export const firstUnlocks: readonly string[] = ['basics', 'port-scanner'];

export interface Hardware {
  readonly cpu: number;
  readonly memory: number;
  readonly storage: number;
}

/** In the order in which a player gets them; the first one comes with the player. */
export const hardware: readonly Hardware[] = [
  { cpu: 1, memory: 1, storage: 2 },
  { cpu: 2, memory: 2, storage: 3 },
  { cpu: 3, memory: 2, storage: 3 },
  { cpu: 4, memory: 3, storage: 4 },
  { cpu: 5, memory: 3, storage: 4 },
  { cpu: 6, memory: 4, storage: 5 },
  { cpu: 7, memory: 4, storage: 5 },
  { cpu: 8, memory: 4, storage: 5 },
];
