// The rules of the game, without a database: what is certain by a table, what must always hold by properties.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  defenseKinds,
  firstUnlocks,
  hackKinds,
  hardware,
  tools,
  unlockTree,
} from '../../../src/modules/game/catalogue.ts';
import {
  type DefenseType,
  DefenseType as DefenseTypes,
  type Energy,
  type HackType,
  HackType as HackTypes,
  maxComputers,
  maxDefenseLevel,
} from '../../../src/modules/game/contract.ts';
import {
  type Attack,
  addressOf,
  computerPrice,
  defensePrice,
  durationMs,
  effectivenessOf,
  energyAt,
  energyPerHour,
  hardwareOf,
  isShielded,
  isTracing,
  levelOf,
  lootOf,
  maxEnergy,
  oddsOf,
  outcomeOf,
  payOut,
  progressOf,
  rollOf,
  shieldAfterSuccess,
  spendEnergy,
  toolLimit,
  unspentXp,
  xpOf,
} from '../../../src/modules/game/rules.ts';

const hackTypes: HackType[] = HackTypes.anyOf.map((one) => one.const);
const defenseTypes: DefenseType[] = DefenseTypes.anyOf.map((one) => one.const);

const anyXp = fc.integer({ min: 0, max: 10_000_000 });
const anyMoney = fc.integer({ min: 0, max: 1_000_000_000 });
const anySeed = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const anyLevels: fc.Arbitrary<Partial<Record<DefenseType, number>>> = fc.dictionary(
  fc.constantFrom(...defenseTypes),
  fc.integer({ min: 1, max: maxDefenseLevel }),
);
const defensesOf = (levels: Partial<Record<DefenseType, number>>) =>
  Object.entries(levels).map(([key, level]) => {
    const type = key as DefenseType; // the keys of the dictionary above
    return { type, level, effectiveness: effectivenessOf(type, level) };
  });
const anyAttack: fc.Arbitrary<Attack> = fc.record({
  type: fc.constantFrom(...hackTypes),
  tools: fc.subarray([...tools.keys()], { maxLength: 3 }),
  attackerXp: anyXp,
  target: fc.record({ money: anyMoney, xp: anyXp }),
  defenses: anyLevels.map(defensesOf),
});

describe('levels and prices', () => {
  test.each([
    [0, 1],
    [99, 1],
    [100, 2],
    [399, 2],
    [400, 3],
    [900, 4],
    [9_999, 10],
    [10_000, 11],
  ])('%i xp are level %i', (xp, level) => {
    expect(levelOf(xp)).toBe(level);
  });

  test('the nth computer that is bought costs 2,500 × 2^(n−1), and each player can have eight', () => {
    const bought = [1, 2, 3, 4, 5, 6, 7];
    expect(bought.map(computerPrice)).toEqual([2_500, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000]);
    expect(hardware).toHaveLength(maxComputers);
    expect(() => hardwareOf(maxComputers)).toThrow(RangeError);
    for (const [n, { cpu, memory, storage }] of hardware.entries()) {
      const before = hardware[n - 1] ?? { cpu: 0, memory: 0, storage: 0 };
      expect([cpu > before.cpu, memory >= before.memory, storage >= before.storage]).toEqual([
        true,
        true,
        true,
      ]);
    }
  });

  test('each level of a defense costs more than the one before, is worth more, and fits its column', () => {
    for (const type of defenseTypes) {
      for (let level = 1; level <= maxDefenseLevel; level += 1) {
        expect(defensePrice(type, level)).toBe(defenseKinds[type].price * level);
        expect(effectivenessOf(type, level)).toBeGreaterThan(effectivenessOf(type, level - 1));
        expect(effectivenessOf(type, level)).toBeLessThan(1_000);
        expect(Number(effectivenessOf(type, level).toFixed(2))).toBe(effectivenessOf(type, level));
      }
    }
  });

  test('the first addresses, the last one, and no two alike in between', () => {
    expect([0, 255, 256, 2 ** 24 - 1].map(addressOf)).toEqual([
      '10.0.0.0',
      '10.0.0.255',
      '10.0.1.0',
      '10.255.255.255',
    ]);
    expect(new Set(Array.from({ length: 70_000 }, (_, n) => addressOf(n * 239))).size).toBe(70_000);
  });
});

describe('the catalogue', () => {
  test('has at least 8 tools, each behind an unlock of its own', () => {
    expect(tools.size).toBeGreaterThanOrEqual(8);
    const unlocks = [...tools.values()].map(({ unlock }) => unlock);
    expect(new Set(unlocks).size).toBe(tools.size);
    for (const unlock of unlocks) expect([unlock, unlockTree.has(unlock)]).toEqual([unlock, true]);
  });

  test('every tool helps somewhere, and none does harm', () => {
    for (const [key, { adds }] of tools) {
      const values = Object.values(adds);
      expect([key, values.length > 0, values.every((value) => value > 0)]).toEqual([key, true, true]);
    }
  });

  test('the tree has at least 15 nodes, every one of which can be reached', () => {
    expect(unlockTree.size).toBeGreaterThanOrEqual(15);
    const reached = new Set<string>();
    for (const [key, { parents, cost }] of unlockTree) {
      expect([key, parents.filter((parent) => !reached.has(parent))]).toEqual([key, []]);
      expect(cost).toBeGreaterThanOrEqual(0);
      reached.add(key);
    }
    expect(firstUnlocks.map((key) => unlockTree.get(key)?.cost)).toEqual(firstUnlocks.map(() => 0));
    expect([...unlockTree.values()].some(({ parents }) => parents.length > 1)).toBe(true);
  });

  test.each([
    ['bruteforce', 10, 30],
    ['ddos', 20, 45],
    ['phishing', 15, 60],
    ['exploit', 25, 120],
  ] as const)('%s takes %i energy and %i s', (type, energy, seconds) => {
    expect(hackKinds[type].energy).toBe(energy);
    expect(durationMs(type, 1)).toBe(seconds * 1_000);
  });

  test('a better cpu shortens every hack, and memory limits its tools to three at most', () => {
    for (const type of hackTypes) {
      for (let cpu = 2; cpu <= 8; cpu += 1)
        expect(durationMs(type, cpu)).toBeLessThan(durationMs(type, cpu - 1));
    }
    expect(hardware.map(({ memory }) => toolLimit(memory))).toEqual([1, 2, 2, 3, 3, 3, 3, 3]);
  });

  test('what is held is what was spent, and nothing is left of less than nothing', () => {
    expect(unspentXp(100, ['basics', 'networking'])).toBe(40);
    expect(unspentXp(10, ['networking'])).toBe(0);
    expect(unspentXp(10, ['gone since'])).toBe(10);
  });
});

describe('energy', () => {
  const atMs = Date.parse('2026-11-21T12:00:00.000Z');
  const energy = (amount: number): Energy => ({
    amount,
    at: new Date(atMs).toISOString(),
    max: maxEnergy,
    perHour: energyPerHour,
  });

  test.each([
    ['half a minute brings one', 50, 30_000, 51],
    ['a ms less brings none', 50, 29_999, 50],
    ['an hour brings 120, up to the most', 0, 3_600_000, 100],
    ['a minute brings two', 0, 60_000, 2],
    ['a clock that went back takes none', 50, -3_600_000, 50],
  ])('%s', (_, amount, laterMs, expected) => {
    expect(energyAt(energy(amount), atMs + laterMs)).toBe(expected);
  });

  test('what has begun to come back is not lost by spending', () => {
    const left = spendEnergy(energy(50), 10, atMs + 45_000);
    expect(left).toMatchObject({ amount: 41, at: new Date(atMs + 30_000).toISOString() });
    expect(left && energyAt(left, atMs + 60_000)).toBe(42);
  });

  test('from the most, it begins to come back when it is spent', () => {
    const left = spendEnergy(energy(100), 10, atMs + 1_000_000);
    expect(left).toMatchObject({ amount: 90, at: new Date(atMs + 1_000_000).toISOString() });
  });

  test('is never above the most nor below 0, and more is never spent than was there', () => {
    const step = fc.record({ laterMs: fc.integer({ min: -60_000, max: 4_000_000 }), cost: fc.nat(120) });
    fc.assert(
      fc.property(fc.nat(maxEnergy), fc.array(step, { maxLength: 30 }), (amount, steps) => {
        let present = energy(amount);
        let nowMs = atMs;
        let spent = 0;
        for (const { laterMs, cost } of steps) {
          nowMs += laterMs;
          const before = energyAt(present, nowMs);
          const left = spendEnergy(present, cost, nowMs);
          expect(left === undefined).toBe(before < cost);
          if (left === undefined) continue;
          present = left;
          spent += cost;
          expect(present.amount).toBe(before - cost);
          expect(present.amount).toBeGreaterThanOrEqual(0);
          expect(energyAt(present, nowMs)).toBeLessThanOrEqual(maxEnergy);
        }
        const latestMs = Math.max(atMs, ...[nowMs], Date.parse(present.at));
        const passedMs = steps.reduce((sum, { laterMs }) => sum + Math.max(0, laterMs), 0);
        expect(spent).toBeLessThanOrEqual(amount + Math.floor(Math.max(passedMs, latestMs - atMs) / 30_000));
      }),
    );
  });
});

describe('hacks', () => {
  const attack = (changes: Partial<Attack> = {}): Attack => ({
    type: 'bruteforce',
    tools: [],
    attackerXp: 0,
    target: { money: 1_000, xp: 0 },
    defenses: [],
    ...changes,
  });

  test('odds stay between 0.05 and 0.95', () => {
    fc.assert(
      fc.property(anyAttack, (any) => {
        expect(oddsOf(any)).toBeGreaterThanOrEqual(0.05);
        expect(oddsOf(any)).toBeLessThanOrEqual(0.95);
      }),
    );
    expect(oddsOf(attack({ attackerXp: 10_000_000 }))).toBe(0.95);
    expect(oddsOf(attack({ target: { money: 0, xp: 10_000_000 } }))).toBe(0.05);
    expect(oddsOf(attack())).toBe(0.6);
  });

  test('odds never rise with a better defense, nor with one more', () => {
    fc.assert(
      fc.property(anyAttack, anyLevels, fc.constantFrom(...defenseTypes), (any, levels, type) => {
        const present = levels[type] ?? 0;
        fc.pre(present < maxDefenseLevel);
        const better = { ...levels, [type]: present + 1 };
        const [before, after] = [levels, better].map((each) =>
          oddsOf({ ...any, defenses: defensesOf(each) }),
        );
        expect(after).toBeLessThanOrEqual(before ?? 0);
      }),
    );
  });

  test('odds never fall with one more tool, a higher level of the attacker, or a lower one of the target', () => {
    fc.assert(
      fc.property(anyAttack, fc.constantFrom(...tools.keys()), anyXp, (any, tool, xp) => {
        const odds = oddsOf(any);
        expect(oddsOf({ ...any, tools: [...any.tools, tool] })).toBeGreaterThanOrEqual(odds);
        expect(oddsOf({ ...any, attackerXp: any.attackerXp + xp })).toBeGreaterThanOrEqual(odds);
        const target = { ...any.target, xp: any.target.xp + xp };
        expect(oddsOf({ ...any, target })).toBeLessThanOrEqual(odds);
      }),
    );
  });

  test.each(hackTypes)('some defenses matter to %s, and others do not', (type) => {
    const odds = oddsOf(attack({ type }));
    const matters = defenseTypes.filter(
      (against) => oddsOf(attack({ type, defenses: defensesOf({ [against]: 5 }) })) < odds,
    );
    expect<string[]>(matters.sort()).toEqual(Object.keys(hackKinds[type].weakTo).sort());
    expect(matters.length).toBeGreaterThan(0);
    expect(matters.length).toBeLessThan(defenseTypes.length);
  });

  test.each([
    ['a tenth of the money', { money: 1_000, xp: 0 }, 100],
    ['rounded down', { money: 1_009, xp: 0 }, 100],
    ['500 × the level, where that is less', { money: 1_000_000, xp: 0 }, 500],
    ['of a higher level', { money: 1_000_000, xp: 400 }, 1_500],
    ['nothing of nothing', { money: 9, xp: 0 }, 0],
  ])('loot: %s', (_, target, loot) => {
    expect(lootOf(target)).toBe(loot);
  });

  test('xp of a success: 20 to 200, by type and level', () => {
    expect(hackTypes.map((type) => xpOf(type, 0))).toEqual([20, 30, 40, 60]);
    expect(xpOf('bruteforce', 400)).toBe(40);
    expect(xpOf('exploit', 10_000_000)).toBe(200);
    fc.assert(
      fc.property(fc.constantFrom(...hackTypes), anyXp, (type, xp) => {
        expect(xpOf(type, xp)).toBeGreaterThanOrEqual(20);
        expect(xpOf(type, xp)).toBeLessThanOrEqual(200);
      }),
    );
  });

  test('the outcome follows from the seed and the attack alone, and as often as the odds say', () => {
    fc.assert(
      fc.property(anySeed, anyAttack, (seed, any) => {
        const outcome = outcomeOf(seed, any);
        expect(outcomeOf(seed, structuredClone(any))).toEqual(outcome);
        expect(outcome.isSuccess).toBe(rollOf(seed) < oddsOf(any));
        expect(rollOf(seed)).toBeGreaterThanOrEqual(0);
        expect(rollOf(seed)).toBeLessThan(1);
        if (!outcome.isSuccess) expect(outcome).toEqual({ isSuccess: false, loot: 0, xp: 0 });
      }),
    );
    const wins = Array.from({ length: 20_000 }, (_, seed) => outcomeOf(seed * 7_919, attack()).isSuccess);
    expect(wins.filter(Boolean).length / wins.length).toBeCloseTo(0.6, 1);
  });

  test('money is conserved: what leaves the target arrives at the attacker, and no more than is there', () => {
    fc.assert(
      fc.property(anySeed, anyAttack, anyMoney, (seed, any, money) => {
        const { loot, xp } = outcomeOf(seed, any);
        const before = { attacker: { money, xp: any.attackerXp }, target: any.target };
        const after = payOut({ loot, xp }, before.attacker, before.target);
        expect(after.attacker.money + after.target.money).toBe(money + any.target.money);
        expect(after.attacker.money - money).toBe(loot);
        expect(after.target.money).toBeGreaterThanOrEqual(0);
        expect([after.attacker.xp - any.attackerXp, after.target.xp]).toEqual([xp, any.target.xp]);
      }),
    );
  });

  test('only an ids of level 3 or more tells who attacks', () => {
    const told = [1, 2, 3, 10].map((level) => isTracing([{ type: 'ids', level }]));
    expect(told).toEqual([false, false, true, true]);
    expect(isTracing([{ type: 'firewall', level: 10 }])).toBe(false);
  });

  test('a shield lasts 10 minutes from a success, never shorter than it was, and until its very end', () => {
    expect(shieldAfterSuccess(undefined, 1_000)).toBe(601_000);
    expect(shieldAfterSuccess(900_000, 1_000)).toBe(900_000);
    const until = new Date(5_000).toISOString();
    expect([4_999, 5_000].map((nowMs) => isShielded(until, nowMs))).toEqual([true, false]);
    expect(isShielded(null, 0)).toBe(false);
  });

  test('progress goes from 0 to 100 percent, and no further', () => {
    const times = { startedAt: new Date(0).toISOString(), completionAt: new Date(30_000).toISOString() };
    expect([-1, 0, 15_000, 29_999, 40_000].map((nowMs) => progressOf(times, nowMs))).toEqual([
      { percent: 0, remainingMs: 30_001 },
      { percent: 0, remainingMs: 30_000 },
      { percent: 50, remainingMs: 15_000 },
      { percent: 99, remainingMs: 1 },
      { percent: 100, remainingMs: 0 },
    ]);
  });
});
