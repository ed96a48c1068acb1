// For each operation that writes, payloads to try: most of them are allowed now and then, all of them may be refused. What
// they are about is chosen among what is there when the step is taken.

import fc from 'fast-check';
import { tools, unlockTree } from '../../../src/modules/game/catalogue.ts';

/** What is there. */
export interface World {
  /** Of all players. */
  readonly computerIds: readonly string[];
  /** Whoever acts. */
  readonly ownComputerIds: readonly string[];
  readonly runningIds: readonly string[];
}

/** The payload of a command, as it is sent over the socket. */
export type Draft = (world: World) => Record<string, unknown>;

const on = fc.nat(1_000);
const unknown = '00000000-0000-7000-8000-000000000000';

/** By the name of the operation. */
export const steps: Readonly<Record<string, fc.Arbitrary<Draft>>> = {
  'player.create': on.map((n) => () => ({ handle: `again_${n}` })),
  'computer.buy': on.map((n) => () => ({ name: `No. ${n}` })),
  'defense.install': fc
    .record({
      n: on,
      type: fc.constantFrom('firewall', 'antivirus', 'ids', 'ids', 'ids', 'honeypot', 'encryption'),
    })
    .map(({ n, type }) => ({ ownComputerIds, computerIds }) => ({
      computerId: n % 9 === 0 ? at(computerIds, n) : at(ownComputerIds, n),
      type,
    })),
  'hack.start': fc
    .record({
      n: on,
      type: fc.constantFrom('bruteforce', 'ddos', 'phishing', 'exploit'),
      tools: fc.subarray([...tools.keys()].slice(0, 4), { maxLength: 2 }),
    })
    .map(({ n, type, tools }) => ({ computerIds }) => ({
      targetComputerId: at(computerIds, n),
      type,
      tools,
    })),
  'hack.abort': on.map((n) => ({ runningIds }) => ({ hackId: at(runningIds, n) })),
  'unlock.buy': fc.constantFrom(...unlockTree.keys()).map((key) => () => ({ key })),
};

/** The nth, counted round and round; where there is none, one that is not there. */
const at = (ids: readonly string[], n: number): string => ids[n % Math.max(1, ids.length)] ?? unknown;
