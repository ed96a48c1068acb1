// What the suites of the game do all the time: players of some wealth, hacks that end as a test needs it, and looks into what
// each side is told.

import { eq, sql } from 'drizzle-orm';
import type { Computer, Hack, PlayerState } from '../../../src/modules/game/contract.ts';
import { rollOf } from '../../../src/modules/game/rules.ts';
import { hackOperations, players } from '../../../src/modules/game/schema.ts';
import { readComputerState, readPlayerState } from '../../../src/modules/game/topics.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import type { Frame } from '../../support/client.ts';
import type { TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { attempt, must } from '../chat/setup.ts';

export { attempt, eventsOf, must, outputOf, registerAll, typesOf, unknownId } from '../chat/setup.ts';

export interface TestPlayer {
  readonly user: TestUser;
  readonly id: string;
  readonly handle: string;
  /** Its first computer. */
  readonly computerId: string;
}

interface Wealth {
  readonly money?: number;
  readonly xp?: number;
  readonly energy?: number;
  /** Left out: none. */
  readonly shielded?: boolean;
}

let made = 0;

/** Without a shield, so that it can be hacked. */
export async function makePlayer(server: TestServer, wealth: Wealth = {}): Promise<TestPlayer> {
  made += 1;
  const handle = `p${made}_${crypto.randomUUID().slice(0, 8)}`;
  const user = await server.register(handle);
  const state: PlayerState = await must(server, user, 'POST', '/players', { handle });
  const { id } = state.player;
  await setWealth(server, id, wealth);
  return { user, id, handle, computerId: state.computers[0]?.id ?? '' };
}

export const makePlayers = (server: TestServer, count: number, wealth: Wealth = {}): Promise<TestPlayer[]> =>
  Promise.all(Array.from({ length: count }, () => makePlayer(server, wealth)));

/** Behind the server's back. */
export async function setWealth(server: TestServer, id: string, wealth: Wealth): Promise<void> {
  const { money, xp, energy, shielded = false } = wealth;
  await server.db
    .update(players)
    .set({ id, money, xp, energy, ...(!shielded && { shieldUntil: null }) })
    .where(eq(players.id, id));
}

/** Behind the server's back, too; no events tell of it. */
export async function setDefense(
  server: TestServer,
  computerId: string,
  type: string,
  level: number,
): Promise<void> {
  await server.db.execute(sql`
    INSERT INTO defenses (id, computer_id, type, level, effectiveness, installed_at)
    VALUES (gen_random_uuid(), ${computerId}, ${type}, ${level}, ${7.25 * level}, now())
    ON CONFLICT (computer_id, type) DO UPDATE SET level = excluded.level`);
}

export const buy = (server: TestServer, { user }: TestPlayer): Promise<Computer> =>
  must(server, user, 'POST', '/computers', { name: 'Garage' });

export const startOn = (
  server: TestServer,
  { user }: TestPlayer,
  targetComputerId: string,
  body: object = {},
): Promise<Hack> => must(server, user, 'POST', '/hacks', { targetComputerId, type: 'bruteforce', ...body });

export const tryStart = (
  server: TestServer,
  { user }: TestPlayer,
  targetComputerId: string,
  body: object = {},
): Promise<Answer> =>
  attempt(server, user, 'POST', '/hacks', { targetComputerId, type: 'bruteforce', ...body });

const seedsOf = (isWanted: (roll: number) => boolean): number =>
  Array.from({ length: 10_000 }, (_, n) => n).find((seed) => isWanted(rollOf(seed))) ?? 0;

/** Whatever the odds are. */
export const seeds = {
  success: seedsOf((roll) => roll < 0.05),
  failure: seedsOf((roll) => roll >= 0.95),
};

/** Makes it due, behind the server's back, and how it ends certain. */
export async function makeDue(
  server: TestServer,
  { id }: Pick<Hack, 'id'>,
  ending: keyof typeof seeds,
  aheadMs = -1,
): Promise<void> {
  await server.db.execute(sql`
    UPDATE hack_operations SET seed = ${seeds[ending]}, completion_at = clock_timestamp() + ${`${aheadMs} ms`}::interval
    WHERE id = ${id}`);
}

export async function storedHack(server: TestServer, { id }: Pick<Hack, 'id'>) {
  const [row] = await server.db.select().from(hackOperations).where(eq(hackOperations.id, id));
  if (row === undefined) throw new Error('There is no such hack.');
  return row;
}

export async function storedPlayer(server: TestServer, { id }: Pick<TestPlayer, 'id'>) {
  const [row] = await server.db.select().from(players).where(eq(players.id, id));
  if (row === undefined) throw new Error('There is no such player.');
  return row;
}

export const untilEnded = (server: TestServer, hack: Pick<Hack, 'id'>): Promise<void> =>
  until(async () => (await storedHack(server, hack)).status !== 'running', 'the hack ends');

/** From its start to its end, by the server's own clockwork. */
export async function hackThrough(
  server: TestServer,
  attacker: TestPlayer,
  target: TestPlayer,
  ending: keyof typeof seeds,
  body: object = {},
): Promise<Hack> {
  const hack = await startOn(server, attacker, target.computerId, body);
  await makeDue(server, hack, ending);
  await untilEnded(server, hack);
  return hack;
}

/** Without what is computed from the clock. */
export async function durableState(server: TestServer, playerId: string) {
  return withoutLive(await readPlayerState(server.db, playerId));
}

export async function durableComputer(server: TestServer, computerId: string) {
  return withoutLive(await readComputerState(server.db, computerId));
}

export function withoutLive<State extends { readonly live: unknown }>({ live: _, ...durable }: State) {
  return durable;
}

/** What `apply` takes. */
export const frameOf = ({ type, payload }: Frame) => ({ type, payload });

/** Status, code and details of a refusal. */
export const refusalOf = ({ status, body }: Answer): unknown[] => [
  status,
  body.error?.code,
  body.error?.details,
];
