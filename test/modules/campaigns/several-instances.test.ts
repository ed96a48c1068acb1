// Campaigns on two instances over Redis: two people at one settlement, and members who are removed while they follow what is
// below a campaign.

import { expect, test } from 'bun:test';
import { campaignTopic, settlementTopic, structureTopic } from '../../../src/modules/campaigns/contract.ts';
import { readHeads } from '../../../src/realtime/log/event-log.ts';
import type { TestUser } from '../../support/api.ts';
import type { TestClient } from '../../support/client.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { addMember, attempt, createWorld, eventsOf, must, registerAll, type World } from './setup.ts';

onEachDatabase('campaigns on two instances', (open, database) => {
  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('over Redis', redisMissing, () => {
    async function openTwo(): Promise<{ servers: [TestServer, TestServer]; stop: () => Promise<void> }> {
      const redis = await startRedis();
      const first = await open({ REDIS_URL: redis.url });
      return { servers: [first, await open(first.env)], stop: () => redis.stop() };
    }
    const topicsOf = ({ campaign, settlement, structure }: World) => [
      campaignTopic(campaign.id),
      settlementTopic(settlement.id),
      structureTopic(structure.id),
    ];

    test('of two who change one settlement one wins, the other sees what is there, and tries again with that', async () => {
      const { servers, stop } = await openTwo();
      const [here, there] = servers;
      const [ann, ben, eve] = await registerAll(here, 'Ann', 'Ben', 'Eve');
      const world = await createWorld(here, ann);
      const { settlement } = world;
      await addMember(here, ann, world.campaign, ben, 'editor');
      await addMember(here, ann, world.campaign, eve);
      const bens = await there.connect(ben);
      const watchers = await Promise.all(servers.map((server) => server.connect(eve)));
      for (const watcher of watchers)
        for (const topic of topicsOf(world)) await watcher.subscribe(topic, { snapshot: true });

      for (let round = 0; round < 10; round += 1) {
        const version = 1 + 2 * round;
        const [overHttp, overSocket] = await Promise.all([
          attempt(here, ann, 'PATCH', `/settlements/${settlement.id}`, { version, level: 50 }),
          bens.request('settlement.update', { settlementId: settlement.id, version, level: 60 }),
        ]);
        const didAnnWin = overHttp.status === 200;
        expect([didAnnWin ? 200 : 409, didAnnWin ? 'error' : 'ok']).toEqual([
          overHttp.status,
          overSocket.type,
        ]);
        const error = didAnnWin ? overSocket.error : overHttp.body.error;
        expect(error).toMatchObject({
          code: 'conflict',
          details: { id: settlement.id, version: version + 1, level: didAnnWin ? 50 : 60 },
        });
        const again = { version: error.details.version, level: round };
        await must(there, ben, 'PATCH', `/settlements/${settlement.id}`, again);
        for (const watcher of watchers) {
          for (const topic of topicsOf(world).slice(0, 2)) {
            const first = await watcher.next((frame) => frame.topic === topic && frame.seq !== undefined);
            const second = await watcher.next((frame) => frame.topic === topic && frame.seq !== undefined);
            expect([first.type, second.type]).toEqual(['settlement.updated', 'settlement.updated']);
            expect([first.payload.version, second.payload.version]).toEqual([version + 1, version + 2]);
          }
        }
      }
      await stop();
    });

    /** Changes the settlement and the structure, each as fast as it goes, until it is told to stop. */
    function startWriting(client: TestClient, { settlement, structure }: World) {
      let written = 0;
      let isStopping = false;
      const change = async (type: string, id: object): Promise<void> => {
        let { version } = await client.request(`${type}.get`, id).then(({ payload }) => payload);
        while (!isStopping) {
          const reply = await client.request(`${type}.update`, { ...id, version, level: version % 101 });
          if (reply.type !== 'ok') throw new Error(JSON.stringify(reply.error));
          version = reply.payload.version;
          written += 1;
        }
      };
      const writing = Promise.all([
        change('settlement', { settlementId: settlement.id }),
        change('structure', { structureId: structure.id }),
      ]);
      return {
        written: () => written,
        async stop() {
          isStopping = true;
          await writing;
        },
      };
    }

    const heardOn = ({ frames }: TestClient, name: string) => frames.filter(({ topic }) => topic === name);

    async function removeOnce(
      [here, there]: readonly [TestServer, TestServer],
      [ann, ben]: readonly [TestUser, TestUser],
      world: World,
    ): Promise<void> {
      const on = campaignTopic(world.campaign.id);
      const before = (await readHeads(here.db, [on])).get(on);
      await addMember(here, ann, world.campaign, ben);
      const topics = topicsOf(world);
      const followers = await Promise.all([here.connect(ben), there.connect(ben)]);
      for (const follower of followers)
        await follower.request('subscribe', { topics: topics.map((topic) => ({ topic })) });
      const anns = await there.connect(ann);
      const writer = startWriting(anns, world);
      await until(() => writer.written() >= 4, 'something is written');
      const path = `/campaigns/${world.campaign.id}/members/${ben.id}`;
      expect((await attempt(here, ann, 'DELETE', path)).status).toBe(200);
      const removedAt = performance.now();
      const hasEnded = (follower: TestClient) =>
        topics.every((topic) => heardOn(follower, topic).at(-1)?.type === 'unsubscribed');
      await until(() => followers.every(hasEnded), 'all three topics are lost on both instances');
      expect(performance.now() - removedAt).toBeLessThan(1_000);
      const enough = writer.written() + 4;
      await until(() => writer.written() >= enough, 'more is written');
      await writer.stop();
      for (const follower of followers) await follower.request('ping');

      // Of this round alone: a reading of all of them would end with its first page.
      const log = await eventsOf(here, on, before);
      const left = log.findLastIndex(
        ({ payload: { entityType, operation } }) => entityType === 'member' && operation === 'deleted',
      );
      expect(log.length).toBeGreaterThan(left + 4);
      const isBehind = new Set(log.slice(left + 1).map(({ id }) => id));
      for (const follower of followers) {
        expect(hasEnded(follower)).toBe(true);
        expect(follower.frames.filter(({ id = '', seq }) => seq !== undefined && isBehind.has(id))).toEqual(
          [],
        );
        follower.close();
      }
      anns.close();
    }

    test('[S7] in 200 tries, nothing behind the removal reaches the removed member, of settlements and structures neither', async () => {
      const { servers, stop } = await openTwo();
      const [here, there] = servers;
      const [ann, ben] = await registerAll(here, 'Ann', 'Ben');
      const world = await createWorld(here, ann);
      for (let round = 0; round < 200; round += 1)
        await removeOnce(round % 2 === 0 ? [here, there] : [there, here], [ann, ben], world);
      await stop();
    }, 180_000);
  });
});
