// What a load is about, made for each anew: chats, a campaign with a settlement, two players of the game, and a crew for jobs.

import { sql } from 'drizzle-orm';
import type { TestUser } from '../support/api.ts';
import type { Site } from './builder.ts';
import type { Cluster } from './cluster.ts';
import type { CrewOptions } from './crew.ts';
import type { Duellist, DuelOptions } from './duel.ts';

export interface Stage {
  readonly chatIds: readonly string[];
  readonly site: Site;
  readonly duel: Pick<DuelOptions, 'attacker' | 'target'>;
  readonly crew: Pick<CrewOptions, 'owner' | 'worker'>;
}

const chatCount = 4;

export async function setStage(cluster: Cluster): Promise<Stage> {
  const chatIds: string[] = [];
  for (let number = 0; number < chatCount; number += 1) chatIds.push(await createChat(cluster));
  return {
    chatIds,
    site: await createSite(cluster),
    duel: {
      attacker: await createPlayer(cluster, 'attacker'),
      target: await createPlayer(cluster, 'target'),
    },
    crew: await createCrew(cluster),
  };
}

/** Everyone is a member. */
async function createChat(cluster: Cluster): Promise<string> {
  const [owner, ...others] = cluster.users;
  const participantIds = others.map(({ id }) => id);
  const chat = { type: 'group', name: 'Load', participantIds };
  return (await create(cluster, owner, '/chats', chat)).id;
}

/** Everyone is a member of the campaign, and may write in it. */
async function createSite(cluster: Cluster): Promise<Site> {
  const [owner, ...others] = cluster.users;
  const { id: campaignId } = await create(cluster, owner, '/campaigns', { name: 'Load' });
  for (const { id: userId } of others)
    await create(cluster, owner, `/campaigns/${campaignId}/members`, { userId, role: 'editor' });
  const kingdom = await create(cluster, owner, `/campaigns/${campaignId}/kingdoms`, { name: 'Northmark' });
  const settlement = await create(cluster, owner, `/kingdoms/${kingdom.id}/settlements`, { name: 'Harrow' });
  return { campaignId, settlementId: settlement.id };
}

async function createPlayer(cluster: Cluster, role: string): Promise<Duellist> {
  const user = await cluster.instance(0).register(role);
  const handle = `${role}_${crypto.randomUUID().slice(0, 8)}`;
  const { player, computers } = await create(cluster, user, '/players', { handle });
  return { user, playerId: player.id, computerId: computers[0].id };
}

async function createCrew(cluster: Cluster): Promise<Stage['crew']> {
  const [owner, worker] = [
    await cluster.instance(1).register('Owner'),
    await cluster.instance(1).register('Worker'),
  ];
  await cluster.db.execute(sql`UPDATE users SET role = 'worker' WHERE id = ${worker.id}`);
  return { owner, worker };
}

async function create(cluster: Cluster, user: TestUser | undefined, path: string, body: object) {
  const made = await cluster
    .instance(0)
    .request('POST', `/v1${path}`, { token: user?.accessToken ?? '', body });
  if (made.status !== 201) throw new Error(`${path} was not created: ${JSON.stringify(made.body)}`);
  return made.body;
}
