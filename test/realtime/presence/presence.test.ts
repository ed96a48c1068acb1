// [P1] [P2] [P3] The contract of presence.ts, for every variant of it: memory, Redis, Redis Cluster. Times are shortened.
// Over 400 lines: one contract, told once and run against each variant; apart, the variants could drift.

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import pino from 'pino';
import { createMemoryPresence } from '../../../src/realtime/presence/memory.ts';
import type { AnnouncePresence, Presence } from '../../../src/realtime/presence/presence.ts';
import { createRedisPresence } from '../../../src/realtime/presence/redis.ts';
import { connectRedis } from '../../../src/redis/client.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { type Backend, startCluster, startPlain } from '../../support/redis-backend.ts';
import { reporter, reportInto } from '../../support/reporter.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';

setDefaultTimeout(30_000);

const times = { flapMs: 300, renewMs: 200, leaseMs: 1_200 };
const logger = pino({ level: 'silent' });

/** What was announced, in order, as `joined ann` or `left ann`, by topic. */
class Said {
  readonly #lines: { topic: string; line: string }[] = [];

  readonly announce: AnnouncePresence = (type, topic, userId) => {
    this.#lines.push({ topic, line: `${type.slice('presence.'.length)} ${userId}` });
  };

  on(topic: string): string[] {
    return this.#lines.filter((said) => said.topic === topic).map(({ line }) => line);
  }

  /** Fails if more is said than that, or something else. */
  async exactly(topic: string, ...lines: string[]): Promise<void> {
    await until(() => this.on(topic).length >= lines.length, `${lines} is announced`).catch(() => {});
    expect(this.on(topic).sort()).toEqual(lines.sort());
  }
}

const newTopic = () => `chat:${crypto.randomUUID()}`;
const people = (count: number) => Array.from({ length: count }, () => crypto.randomUUID());

/** Two instances of one cluster; a variant for a single instance answers it twice. */
type OpenTwo = (said: Said) => Promise<readonly [Presence, Presence]>;

function testPresence(openTwo: OpenTwo): void {
  let said: Said;
  let here: Presence;
  let there: Presence;
  const topic = newTopic();

  beforeAll(async () => {
    said = new Said();
    [here, there] = await openTwo(said);
  });
  afterAll(() => Promise.all([here.stop(), there.stop()]));

  /** Whatever was set in motion before is over: a user who left behind it has been announced. */
  async function settle(): Promise<void> {
    const elsewhere = newTopic();
    for (const presence of [here, there]) {
      const userId = crypto.randomUUID();
      presence.join(elsewhere, userId);
      presence.leave(elsewhere, userId);
    }
    await until(() => said.on(elsewhere).length === 4, 'those behind have left');
  }
  const listed = async (presence: Presence, name: string) => Object.fromEntries(await presence.list(name));

  test('[P1] the first device in and the last one out are announced, each once, wherever they are', async () => {
    here.join(topic, 'ann');
    await said.exactly(topic, 'joined ann');
    there.join(topic, 'ann');
    here.join(topic, 'ann');
    there.join(topic, 'ben');
    await said.exactly(topic, 'joined ann', 'joined ben');
    await until(async () => (await listed(here, topic)).ann === 3, 'all devices are counted');
    expect(await listed(here, topic)).toEqual({ ann: 3, ben: 1 });
    expect(await listed(there, topic)).toEqual({ ann: 3, ben: 1 });

    here.leave(topic, 'ann');
    here.leave(topic, 'ann');
    await settle();
    await said.exactly(topic, 'joined ann', 'joined ben');
    expect(await listed(here, topic)).toEqual({ ann: 1, ben: 1 });
    there.leave(topic, 'ann');
    await until(async () => (await listed(here, topic)).ann === undefined, 'no device is counted');
    await said.exactly(topic, 'joined ann', 'joined ben', 'left ann');
    there.leave(topic, 'ben');
    await said.exactly(topic, 'joined ann', 'joined ben', 'left ann', 'left ben');
    expect(await listed(here, topic)).toEqual({});
  });

  test('[P1] a reconnect in time announces nothing, also to another instance, and back', async () => {
    const own = newTopic();
    here.join(own, 'ann');
    await said.exactly(own, 'joined ann');
    for (const [from, to] of [
      [here, there],
      [there, here],
      [here, here],
    ] as const) {
      from.leave(own, 'ann');
      await until(async () => (await listed(from, own)).ann === undefined, 'the device is gone');
      to.join(own, 'ann');
      await settle();
      await said.exactly(own, 'joined ann');
      expect(await listed(here, own)).toEqual({ ann: 1 });
    }
  });

  test('[P1] who comes back too late has joined again', async () => {
    const own = newTopic();
    here.join(own, 'ann');
    here.leave(own, 'ann');
    await said.exactly(own, 'joined ann', 'left ann');
    there.join(own, 'ann');
    await said.exactly(own, 'joined ann', 'left ann', 'joined ann');
  });

  test('[P1] a hundred users on both instances, coming and going at once: each announced once', async () => {
    const own = newTopic();
    const users = people(100);
    for (let round = 0; round < 5; round += 1) {
      for (const userId of users) {
        here.join(own, userId);
        there.join(own, userId);
        if (round % 2 === 1) {
          here.leave(own, userId);
          there.leave(own, userId);
        }
      }
    }
    await said.exactly(own, ...users.map((userId) => `joined ${userId}`));
    await until(
      async () => [...(await here.list(own)).values()].every((devices) => devices === 6),
      'all devices are counted',
    );
    for (const userId of users) {
      for (let device = 0; device < 3; device += 1) {
        here.leave(own, userId);
        there.leave(own, userId);
      }
    }
    await said.exactly(own, ...users.flatMap((userId) => [`joined ${userId}`, `left ${userId}`]));
    expect(await listed(there, own)).toEqual({});
  });

  test('to leave what one never joined changes nothing', async () => {
    const own = newTopic();
    here.leave(own, 'ann');
    here.join(own, 'ann');
    here.leave(own, 'ann');
    here.leave(own, 'ann');
    here.join(own, 'ann');
    await settle();
    await said.exactly(own, 'joined ann');
    expect(await listed(here, own)).toEqual({ ann: 1 });
  });

  test('[P2] connections are counted by user, whatever they follow, and nothing is announced for them', async () => {
    const users = people(50);
    const [first = '', second = '', third = ''] = users;
    for (const userId of users) here.connect(userId);
    for (const userId of users) there.connect(userId);
    const devices = async (presence: Presence) =>
      Object.fromEntries(await presence.devicesOf([...users, 'nobody']));
    await until(
      async () => Object.values(await devices(here)).reduce((sum, count) => sum + count, 0) === 100,
      'all connections are counted',
    );
    here.disconnect(first);
    there.disconnect(first);
    there.disconnect(second);
    await until(async () => !(first in (await devices(there))), 'the last connection is gone');
    expect(await devices(there)).toMatchObject({ [second]: 1, [third]: 2 });
    await settle();
    expect(Object.keys(await devices(here))).not.toContain(first);
    expect(await here.devicesOf([])).toEqual(new Map());
    for (const userId of users) expect(said.on(userId)).toEqual([]);
  });

  test('a presence that was stopped announces nothing more', async () => {
    const own = newTopic();
    const saidThere = new Said();
    const [one, other] = await openTwo(saidThere);
    one.join(own, 'ann');
    await saidThere.exactly(own, 'joined ann');
    one.leave(own, 'ann');
    await Promise.all([one.stop(), other.stop()]);
    await settle();
    await saidThere.exactly(own, 'joined ann');
  });
}

describe('presence in memory', () => {
  testPresence(async ({ announce }) => {
    const presence = createMemoryPresence(announce, times);
    return [presence, presence];
  });
});

/** An instance whose connection to Redis can be taken from it. */
interface Member {
  readonly presence: Presence;
  /** What this instance announced. */
  readonly said: Said;
  /** As if the instance had been killed: no renewal, no goodbye. */
  vanish(): void;
}

const logId = crypto.randomUUID();

async function openMember(url: string, ...others: Said[]): Promise<Member> {
  const redis = connectRedis(url);
  const said = new Said();
  const announce: AnnouncePresence = (...change) => {
    for (const listener of [said, ...others]) listener.announce(...change);
  };
  const presence = await createRedisPresence(
    { redis, instanceId: crypto.randomUUID(), logId, announce, reporter, logger },
    times,
  );
  const stop = presence.stop.bind(presence);
  presence.stop = async () => {
    await stop();
    redis.disconnect();
  };
  return { presence, said, vanish: () => redis.disconnect() };
}

function testSharedPresence(start: () => Promise<Backend>): void {
  let backend: Backend;
  let url: string;
  beforeAll(async () => {
    backend = await start();
    url = backend.url;
  });
  afterAll(() => backend.stop());

  const members: Member[] = [];
  const open = async (): Promise<Member> => {
    const member = await openMember(url);
    members.push(member);
    return member;
  };
  afterEach(async () => {
    await Promise.all(members.splice(0).map(({ presence }) => presence.stop()));
  });
  const both = (topic: string, ...those: Member[]) => those.flatMap(({ said }) => said.on(topic)).sort();

  // A suite of its own, so that its instances are stopped behind it: they would reap, too.
  describe('as any presence', () => {
    testPresence(async (said) => {
      const opened = await Promise.all([openMember(url, said), openMember(url, said)]);
      return [opened[0].presence, opened[1].presence];
    });
  });

  test('[P3] the connections of a killed instance expire, and one of the others announces it, once', async () => {
    const [killed, one, other] = await Promise.all([open(), open(), open()]);
    const topic = newTopic();
    const users = people(20);
    for (const userId of users) killed.presence.join(topic, userId);
    for (const userId of users) killed.presence.connect(userId);
    killed.presence.join(topic, 'ann');
    await until(() => killed.said.on(topic).length === 21, 'all have joined');
    one.presence.join(topic, 'ann');
    await until(async () => (await other.presence.list(topic)).get('ann') === 2, 'both devices are counted');
    expect((await other.presence.devicesOf(users)).size).toBe(20);

    killed.vanish();
    await until(() => both(topic, one, other).length === 20, 'their users have left');
    expect(both(topic, one, other)).toEqual(users.map((userId) => `left ${userId}`).sort());
    expect(await other.presence.list(topic)).toEqual(new Map([['ann', 1]]));
    await until(async () => (await other.presence.devicesOf(users)).size === 0, 'their connections are gone');
    one.presence.leave(topic, 'ann');
    await until(() => one.said.on(topic).includes('left ann'), 'the last device leaves');
    expect(both(topic, one, other)).toHaveLength(21);
  });

  test('[P1] who moves from a killed instance to another was never away', async () => {
    const [killed, one] = await Promise.all([open(), open()]);
    const topic = newTopic();
    killed.presence.join(topic, 'ann');
    killed.presence.join(topic, 'ben');
    await killed.said.exactly(topic, 'joined ann', 'joined ben');
    killed.vanish();
    one.presence.join(topic, 'ann');
    await one.said.exactly(topic, 'left ben');
    expect(await one.presence.list(topic)).toEqual(new Map([['ann', 1]]));
  });

  test('[P1] who moves from an instance that stops was never away; who stays away has left', async () => {
    const [stopping, one] = await Promise.all([open(), open()]);
    const topic = newTopic();
    for (const userId of ['ann', 'ben', 'cem']) stopping.presence.join(topic, userId);
    await stopping.said.exactly(topic, 'joined ann', 'joined ben', 'joined cem');
    stopping.presence.leave(topic, 'ann');
    stopping.presence.leave(topic, 'ben');
    await stopping.presence.stop();
    one.presence.join(topic, 'ann');
    await one.said.exactly(topic, 'left ben', 'left cem');
  });

  test('who has left leaves nothing behind in memory', async () => {
    const redis = connectRedis(url);
    const own = crypto.randomUUID(); // what others left behind is announced here, too
    let left = 0;
    const announce: AnnouncePresence = (type, _topic, userId) => {
      if (type === 'presence.left' && userId === own) left += 1;
    };
    const presence = await createRedisPresence(
      { redis, instanceId: crypto.randomUUID(), logId, announce, reporter, logger },
      times,
    );
    const count = 3_000;
    const round = async () => {
      for (left = 0; left < count; ) {
        const goal = left + 500; // no more at a time than Redis answers in time, on a slow machine, too
        for (let n = left; n < goal; n += 1) {
          const topic = newTopic();
          presence.join(topic, own);
          presence.leave(topic, own);
        }
        await until(() => left === goal, `${goal} have left`);
      }
      Bun.gc(true);
      return process.memoryUsage().heapUsed;
    };
    try {
      await round(); // code is compiled, and buffers have grown
      const before = await round();
      expect((await round()) - before).toBeLessThan(count * 300); // an entry that stays is some 700 bytes
    } finally {
      await presence.stop();
      redis.disconnect();
    }
  }, 90_000);

  test('an announcement that fails stops neither the others nor the renewals', async () => {
    const [killed, killedToo] = await Promise.all([open(), open()]);
    const topic = newTopic();
    const left: string[] = [];
    const reported: unknown[] = [];
    const redis = connectRedis(url);
    const one = await createRedisPresence(
      {
        redis,
        instanceId: crypto.randomUUID(),
        logId,
        announce(type, name, userId) {
          if (type !== 'presence.left' || name !== topic) return;
          left.push(userId);
          throw new Error('not announced');
        },
        reporter: reportInto(reported),
        logger,
      },
      times,
    );
    for (const userId of ['ann', 'ben']) killed.presence.join(topic, userId);
    killedToo.presence.join(topic, 'cem');
    await until(async () => (await one.list(topic)).size === 3, 'all are counted');
    killedToo.vanish();
    killed.vanish();
    await until(() => left.length === 3, 'all have left');
    expect(left.sort()).toEqual(['ann', 'ben', 'cem']);
    const last = await open();
    last.presence.join(topic, 'dan');
    await until(async () => (await one.list(topic)).size === 1, 'who came is counted');
    last.vanish();
    await until(() => left.includes('dan'), 'leases are still looked at');
    expect(reported).toEqual(left.map(() => new Error('not announced')));
    await one.stop();
    redis.disconnect();
  });

  describe('that is killed or frozen', () => {
    let one: Member;
    let other: Member;
    const topic = newTopic();
    beforeAll(async () => {
      [one, other] = await Promise.all([openMember(url), openMember(url)]);
      one.presence.join(topic, 'ann');
      await one.said.exactly(topic, 'joined ann');
      other.presence.join(topic, 'ben');
      await other.said.exactly(topic, 'joined ben');
    });
    afterAll(async () => {
      await Promise.all([one.presence.stop(), other.presence.stop()]);
    });
    const counted = (member: Member, ...users: string[]) =>
      until(
        async () => [...(await member.presence.list(topic)).keys()].sort().join() === users.join(),
        `${users}`,
      );

    test('frozen for longer than any lease, nobody is taken for gone', async () => {
      backend.signal('SIGSTOP');
      await counted(one, 'ann');
      await counted(other, 'ben');
      await Bun.sleep(2 * times.leaseMs); // there is nothing to be seen while it is frozen
      backend.signal('SIGCONT');
      await counted(one, 'ann', 'ben');
      await counted(other, 'ann', 'ben');
      expect(one.said.on(topic)).toEqual(['joined ann']);
      expect(other.said.on(topic)).toEqual(['joined ben']);
    });

    test('killed, each instance goes by its own counts; come back empty, it is told them, and nobody joins anew', async () => {
      await backend.kill9();
      await counted(one, 'ann');
      one.presence.join(topic, 'cem');
      await one.said.exactly(topic, 'joined ann', 'joined cem');
      await counted(one, 'ann', 'cem');
      expect(await one.presence.devicesOf(['ann'])).toEqual(new Map());
      other.presence.leave(topic, 'ben');
      await other.said.exactly(topic, 'joined ben', 'left ben');
      other.presence.join(topic, 'dan');

      await backend.restart();
      await counted(one, 'ann', 'cem', 'dan');
      await counted(other, 'ann', 'cem', 'dan');
      // What came while Redis was away is announced now to those who could not hear of it.
      await one.said.exactly(topic, 'joined ann', 'joined cem', 'joined cem');
    });
  });
}

describeWith('presence in Redis', redisMissing, () => {
  testSharedPresence(startPlain);

  test('an instance that was cut off for longer than its lease counts again when it is back', async () => {
    const redis = await startRedis();
    const proxy = await startTcpProxy(redis.port);
    const [cut, one] = await Promise.all([
      openMember(`redis://127.0.0.1:${proxy.port}`),
      openMember(redis.url),
    ]);
    const topic = newTopic();
    cut.presence.join(topic, 'ann');
    await cut.said.exactly(topic, 'joined ann');
    proxy.toServer.isPaused = true;
    await one.said.exactly(topic, 'left ann');
    cut.presence.join(topic, 'ben');
    await until(() => cut.said.on(topic).includes('joined ben'), 'it goes by its own counts');
    expect(await cut.presence.list(topic)).toEqual(
      new Map([
        ['ann', 1],
        ['ben', 1],
      ]),
    );
    proxy.toServer.isPaused = false;
    await until(
      async () => (await one.presence.list(topic)).size === 2,
      'it has written its counts down again',
    );
    expect(cut.said.on(topic).filter((line) => line === 'joined ann')).toHaveLength(2);
    await one.said.exactly(topic, 'left ann');
    await Promise.all([cut.presence.stop(), one.presence.stop()]);
    await proxy.stop();
    await redis.kill9();
  });
});

describeWith('presence in a Redis Cluster', redisMissing, () => {
  testSharedPresence(startCluster);
});

describeWith('presence of an instance that Redis could not be told of', redisMissing, () => {
  test('[P1] who left it meanwhile is taken out of Redis when it is back, however long its lease', async () => {
    const redis = await startRedis();
    const proxy = await startTcpProxy(redis.port);
    const lasting = { ...times, leaseMs: 60_000 }; // nobody else clears away what it leaves behind
    const open = async (port: number) => {
      const client = connectRedis(`redis://127.0.0.1:${port}`);
      const said = new Said();
      const presence = await createRedisPresence(
        { redis: client, instanceId: crypto.randomUUID(), logId, announce: said.announce, reporter, logger },
        lasting,
      );
      const stop = async () => {
        await presence.stop();
        client.disconnect();
      };
      return { presence, said, stop };
    };
    const [cut, one] = await Promise.all([open(proxy.port), open(redis.port)]);
    const topic = newTopic();
    cut.presence.join(topic, 'ann');
    cut.presence.join(topic, 'ben');
    await until(async () => (await one.presence.list(topic)).size === 2, 'both are counted');

    proxy.toServer.isPaused = true;
    await cut.presence.list(topic); // answered from its own counts, when it has waited for Redis in vain
    cut.presence.leave(topic, 'ann');
    await until(() => cut.said.on(topic).includes('left ann'), 'the grace is over');
    expect((await one.presence.list(topic)).size).toBe(2);
    proxy.toServer.isPaused = false;
    await until(async () => !(await one.presence.list(topic)).has('ann'), 'who left is counted no longer');
    expect(await one.presence.list(topic)).toEqual(new Map([['ben', 1]]));

    await Promise.all([cut.stop(), one.stop()]);
    await proxy.stop();
    await redis.kill9();
  });
});
