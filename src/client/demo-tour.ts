// One thing of each module beside the chat, live: the one who follows prints what the other one did, as it comes from the server.

import { campaignTopic, settlementTopic } from '../modules/campaigns/contract.ts';
import { chatTopic } from '../modules/chat/contract.ts';
import { playerTopic } from '../modules/game/contract.ts';
import { userJobsTopic } from '../modules/jobs/contract.ts';
import { type Client, type EventPosition, Refused } from './index.ts';

export interface Guest {
  readonly name: string;
  readonly id: string;
  readonly client: Client;
  /** Waits until the event with this seq has come; fails when it does not come in time. */
  reach(topic: string, seq: number): Promise<void>;
}

export interface Tour {
  readonly ann: Guest;
  readonly ben: Guest;
  /** Of the two. */
  readonly chatId: string;
  readonly note: (text: string) => void;
}

/** How long a worker has to take the job of the demo, before it is cancelled. */
const workerPatienceMs = 1_500;

/** A module that the server has switched off is passed over. Fails when something that was written does not come. */
export async function showModules(tour: Tour): Promise<void> {
  const stops: readonly (readonly [string, (tour: Tour) => Promise<void>])[] = [
    ['Offers', showOffers],
    ['Campaigns', showCampaigns],
    ['Jobs', showJobs],
    ['Game', showGame],
  ];
  for (const [name, show] of stops) {
    tour.note(`${name}.`);
    await show(tour).catch((error: unknown) => {
      if (!(error instanceof Refused) || !['unknown_command', 'unknown_topic'].includes(error.code))
        throw error;
      tour.note('This server has the module switched off.');
    });
  }
}

/** Ann offers a bicycle, Ben accepts, and both have it from the chat. */
async function showOffers({ ann, ben, chatId }: Tour): Promise<void> {
  const terms = { chatId, title: 'A bicycle, blue', amount: '100', currency: 'EUR' };
  const { id: offerId } = await ann.client.send('offer.create', terms);
  const { events } = await ben.client.send('offer.update', { offerId, action: 'accept' });
  for (const guest of [ann, ben]) await hear(guest, chatTopic(chatId), events);
}

/** Ben follows a campaign and a settlement of Ann's; she changes it, and lets a day pass. */
async function showCampaigns({ ann, ben }: Tour): Promise<void> {
  const { id: campaignId } = await ann.client.send('campaign.create', { name: 'The long winter' });
  const { id: kingdomId } = await ann.client.send('kingdom.create', { campaignId, name: 'Northmark' });
  const { id: settlementId } = await ann.client.send('settlement.create', {
    kingdomId,
    name: 'Harrow',
  });
  await ann.client.send('campaign.member.add', { campaignId, userId: ben.id });
  await follow(ben, campaignTopic(campaignId), settlementTopic(settlementId));
  const changed = await ann.client.send('settlement.update', { settlementId, version: 1, level: 3 });
  await hear(ben, settlementTopic(settlementId), changed.events);
  const aged = await ann.client.send('campaign.time.advance', { campaignId, advanceSeconds: 86_400 });
  await hear(ben, campaignTopic(campaignId), aged.events);
}

/** Ann asks for work. Where a worker of this type is there, its progress shows; else she cancels it. */
async function showJobs({ ann, note }: Tour): Promise<void> {
  const topic = userJobsTopic(ann.id);
  await follow(ann, topic);
  const job = await ann.client.send('job.create', { type: 'count', payload: { to: 3 } });
  await hear(ann, topic, job.events);
  const isTaken = await within(workerPatienceMs, ann, topic, 'job.status');
  if (isTaken) {
    await within(10 * workerPatienceMs, ann, topic, 'job.completed');
    return;
  }
  note('No worker took it (bun src/modules/jobs/demo-worker.ts is one): it is cancelled.');
  const { events } = await ann.client.send('job.cancel', { jobId: job.id });
  await hear(ann, topic, events);
}

/** Ann becomes a player, and puts a firewall on her computer. */
async function showGame({ ann }: Tour): Promise<void> {
  const handle = `ann_${crypto.randomUUID().slice(0, 8)}`;
  const { player, computers } = await ann.client.send('player.create', { handle });
  const topic = playerTopic(player.id);
  await follow(ann, topic);
  const [computer] = computers;
  if (computer === undefined) throw new Error('The new player has no computer.');
  const { events } = await ann.client.send('defense.install', { computerId: computer.id, type: 'firewall' });
  await hear(ann, topic, events);
}

async function follow({ client }: Guest, ...topics: readonly string[]): Promise<void> {
  await Promise.all(topics.map((topic) => client.topic(topic).joined));
}

/** The last of these events on the topic. */
async function hear(guest: Guest, topic: string, events: readonly EventPosition[]): Promise<void> {
  const seqs = events.filter((event) => event.topic === topic).map(({ seq }) => seq);
  await guest.reach(topic, Math.max(...seqs));
}

/** Whether an event of the type comes in time. */
async function within(timeoutMs: number, { client }: Guest, topic: string, type: string): Promise<boolean> {
  const came = new Promise<boolean>((resolve) => client.topic(topic).on(type, () => resolve(true)));
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), timeoutMs).unref());
  return await Promise.race([came, late]);
}
