// The rules of the game, without a database and without a clock: what things cost, take and yield. What is needed of the
// present is an argument. Pure and browser-safe.

import { maxTools } from './bounds.ts';
import { defenseKinds, type Hardware, hackKinds, hardware, tools, unlockTree } from './catalogue.ts';
import type { Defense, DefenseType, Energy, HackResult, HackType } from './contract.ts';

export const startMoney = 1_000;
export const maxEnergy = 100;
/** One every 30 s. */
export const energyPerHour = 120;
export const newcomerShieldMs = 24 * 3_600_000;
export const shieldMs = 10 * 60_000;
/** From this level on it tells the defender who attacks. */
export const tracingLevel = 3;

const firstPrice = 2_500;
const lowestOdds = 0.05;
const highestOdds = 0.95;
/** A level of difference. */
const oddsPerLevel = 0.03;
const lootPerLevel = 500;
const xpPerLevel = 10;
const lowestXp = 20;
const highestXp = 200;

export const levelOf = (xp: number): number => 1 + Math.floor(Math.sqrt(xp / 100));

// Energy: what is kept is how much there was at one time

/** How much there is at that time. */
export const energyAt = (energy: Energy, nowMs: number): number => settle(energy, nowMs).amount;

/** What is left, as it is kept; undefined where there is not enough. */
export function spendEnergy(energy: Energy, cost: number, nowMs: number): Energy | undefined {
  const present = settle(energy, nowMs);
  return present.amount < cost ? undefined : { ...present, amount: present.amount - cost };
}

/**
 * The same energy, seen from that time: whole units only, so that what has begun to come back is not lost. A time before the
 * one that is kept changes nothing.
 */
function settle(energy: Energy, nowMs: number): Energy {
  const unitMs = 3_600_000 / energy.perHour;
  const atMs = Date.parse(energy.at);
  const units = Math.max(0, Math.floor((nowMs - atMs) / unitMs));
  const amount = Math.min(energy.max, energy.amount + units);
  const isFull = amount === energy.max;
  return { ...energy, amount, at: toInstant(isFull ? Math.max(nowMs, atMs) : atMs + units * unitMs) };
}

const toInstant = (ms: number): string => new Date(ms).toISOString();

// Prices

/** Of the next computer, for who has so many; the first one is there from the beginning. */
export const computerPrice = (owned: number): number => firstPrice * 2 ** (owned - 1);

/** Of the next computer, for who has so many. */
export function hardwareOf(owned: number): Hardware {
  const found = hardware[owned];
  if (found === undefined)
    throw new RangeError(`There is no hardware for computer ${owned + 1} of a player.`);
  return found;
}

/** Of this level, from the one below. */
export const defensePrice = (type: DefenseType, level: number): number => defenseKinds[type].price * level;

/** In percent. */
export const effectivenessOf = (type: DefenseType, level: number): number =>
  Math.round(defenseKinds[type].effectiveness * level * 100) / 100;

/** The xp that is left to be spent: levels go by all of it, so they never fall. */
export function unspentXp(xp: number, held: Iterable<string>): number {
  let spent = 0;
  for (const key of held) spent += unlockTree.get(key)?.cost ?? 0;
  return Math.max(0, xp - spent); // below 0 only where a price was raised
}

// Hacks

/** From the start of a hack to its end. The cpu is the attacker's best. */
export const durationMs = (type: HackType, cpu: number): number =>
  Math.ceil((hackKinds[type].seconds * 1_000) / (1 + 0.1 * (cpu - 1)));

/** How many tools a hack of this attacker may use. The memory is the attacker's best. */
export const toolLimit = (memory: number): number => Math.min(maxTools, memory);

/** Whether the defenses of a computer tell its owner who attacks it. */
export const isTracing = (defenses: Iterable<Pick<Defense, 'type' | 'level'>>): boolean =>
  [...defenses].some(({ type, level }) => type === 'ids' && level >= tracingLevel);

/** All that the outcome of a hack hangs on, as it is at its end. */
export interface Attack {
  readonly type: HackType;
  readonly tools: readonly string[];
  readonly attackerXp: number;
  readonly target: { readonly money: number; readonly xp: number };
  /** Of the computer. */
  readonly defenses: readonly Pick<Defense, 'type' | 'effectiveness'>[];
}

/** Between 0.05 and 0.95. */
export function oddsOf({ type, tools: used, attackerXp, target, defenses }: Attack): number {
  const { odds, weakTo } = hackKinds[type];
  let sum = odds + oddsPerLevel * (levelOf(attackerXp) - levelOf(target.xp));
  for (const key of used) sum += tools.get(key)?.adds[type] ?? 0;
  for (const { type: against, effectiveness } of defenses) {
    sum -= (weakTo[against] ?? 0) * (effectiveness / 100);
  }
  return Math.min(highestOdds, Math.max(lowestOdds, sum));
}

export interface Outcome extends HackResult {
  readonly isSuccess: boolean;
}

/** The same for the same seed and the same attack, wherever it is asked for. */
export function outcomeOf(seed: number, attack: Attack): Outcome {
  if (rollOf(seed) >= oddsOf(attack)) return { isSuccess: false, loot: 0, xp: 0 };
  return { isSuccess: true, loot: lootOf(attack.target), xp: xpOf(attack.type, attack.target.xp) };
}

export const lootOf = ({ money, xp }: Attack['target']): number =>
  Math.min(Math.floor(money / 10), lootPerLevel * levelOf(xp));

export const xpOf = (type: HackType, targetXp: number): number =>
  Math.min(highestXp, Math.max(lowestXp, hackKinds[type].xp + xpPerLevel * (levelOf(targetXp) - 1)));

interface Purse {
  readonly money: number;
  readonly xp: number;
}

/** What both have behind a hack. */
export function payOut<Attacker extends Purse, Target extends Purse>(
  { loot, xp }: HackResult,
  attacker: Attacker,
  target: Target,
): { readonly attacker: Attacker; readonly target: Target } {
  return {
    attacker: { ...attacker, money: attacker.money + loot, xp: attacker.xp + xp },
    target: { ...target, money: target.money - loot },
  };
}

/** The first number that mulberry32 makes of the seed: 0 or above, below 1. */
export function rollOf(seed: number): number {
  const mixed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

// Shields

/** Behind a success: never shorter than it was. */
export const shieldAfterSuccess = (shieldUntilMs: number | undefined, nowMs: number): number =>
  Math.max(shieldUntilMs ?? 0, nowMs + shieldMs);

export const isShielded = (shieldUntil: string | null, nowMs: number): boolean =>
  shieldUntil !== null && Date.parse(shieldUntil) > nowMs;

/** How far a hack is, at a time within it. */
export function progressOf(
  { startedAt, completionAt }: { readonly startedAt: string; readonly completionAt: string },
  nowMs: number,
): { readonly percent: number; readonly remainingMs: number } {
  const [startMs, endMs] = [Date.parse(startedAt), Date.parse(completionAt)];
  const share = (nowMs - startMs) / (endMs - startMs);
  return {
    percent: Math.min(100, Math.max(0, Math.floor(100 * share))),
    remainingMs: Math.max(0, endMs - nowMs),
  };
}

/** The nth address of the network 10.0.0.0/8, for n below 2 ** 24. */
export const addressOf = (n: number): string => `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
