// The contract of bridge.ts, for every variant of it: memory, Redis, and a Redis Cluster of three nodes.
// Over 400 lines: one contract, told once and run against each variant; apart, the variants could drift.

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import pino from 'pino';
import type { Bridge, BridgeFrame, EphemeralFrame } from '../../../src/realtime/bridge/bridge.ts';
import { createMemoryBridge } from '../../../src/realtime/bridge/memory.ts';
import { createRedisBridge } from '../../../src/realtime/bridge/redis.ts';
import { beatMs } from '../../../src/realtime/bridge/redis-link.ts';
import type { LoggedEvent } from '../../../src/realtime/log/event-log.ts';
import { findFreePort } from '../../support/child.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { type Backend, startCluster, startPlain } from '../../support/redis-backend.ts';
import { type RedisCluster, type RedisNode, startRedisCluster } from '../../support/redis-cluster.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';

setDefaultTimeout(30_000);

const project = join(import.meta.dir, '../../..');
const logger = pino({ level: 'silent' });
const logId = crypto.randomUUID();
const epoch = crypto.randomUUID();

/** A bridge with what came over it. */
interface End {
  readonly bridge: Bridge;
  readonly frames: BridgeFrame[];
  /** Under which they were published. */
  readonly epochs: Set<string>;
  gaps: number;
}

const ends: End[] = [];

async function openEnd(bridge: Bridge): Promise<End> {
  const end: End = { bridge, frames: [], epochs: new Set(), gaps: 0 };
  ends.push(end);
  await bridge.start(
    (frame, epoch) => {
      end.frames.push(frame);
      end.epochs.add(epoch);
    },
    () => {
      end.gaps += 1;
    },
  );
  return end;
}

afterEach(async () => {
  await Promise.all(ends.splice(0).map(({ bridge }) => bridge.stop()));
});

const newTopic = () => `chat:${crypto.randomUUID()}`;

const durable = (topic: string, seq: number, more: Partial<LoggedEvent> = {}): LoggedEvent => ({
  topic,
  seq,
  type: 'message.created',
  frame: JSON.stringify({ type: 'message.created', topic, seq, payload: { text: `number ${seq}` } }),
  revokes: undefined,
  withheldFrom: undefined,
  rewrites: undefined,
  ...more,
});

const ephemeral = (topic: string, more: Partial<EphemeralFrame> = {}): EphemeralFrame => ({
  topic,
  frame: JSON.stringify({ type: 'typing', topic }),
  exceptUserIds: undefined,
  exceptHearersOf: undefined,
  ...more,
});

const hasAll = (end: End, count: number) => until(() => end.frames.length >= count, `${count} frames`);

/** What every variant promises, whether it carries anything or not. */
function testEveryBridge(create: () => Bridge): void {
  test('an own frame never comes back', async () => {
    const end = await openEnd(create());
    const topic = newTopic();
    await end.bridge.serve(topic);
    for (let seq = 1; seq <= 100; seq += 1) end.bridge.publish(durable(topic, seq), epoch);
    end.bridge.publish(ephemeral(topic), epoch);
    await end.bridge.stop();
    expect(end.frames).toEqual([]);
  });

  test('serve, release and publish bear any order, and topics that nobody serves', async () => {
    const { bridge } = await openEnd(create());
    const topic = newTopic();
    bridge.release(topic);
    bridge.publish(durable(topic, 1), epoch);
    const first = bridge.serve(topic);
    bridge.release(topic);
    await Promise.all([first, bridge.serve(topic), bridge.serve(topic)]);
    bridge.release(topic);
    bridge.release(topic);
  });
}

describe('the bridge in memory', () => {
  testEveryBridge(() => createMemoryBridge(true));

  test('misses nothing where the instance is alone, and whatever others commit where it is not', async () => {
    expect(createMemoryBridge(true)).toMatchObject({ isComplete: true, status: 'none' });
    expect(createMemoryBridge(false)).toMatchObject({ isComplete: false, status: 'none' });
  });
});

function testRedisBridge(startBackend: () => Promise<Backend>): void {
  let backend: Backend;
  beforeAll(async () => {
    backend = await startBackend();
  });
  afterAll(() => backend.stop());

  const create = () => createRedisBridge(backend.url, { instanceId: crypto.randomUUID(), logId, logger });
  const open = () => openEnd(create());
  const isComplete = (...those: End[]) =>
    until(() => those.every(({ bridge }) => bridge.isComplete), 'the bridges are complete');
  const subscriptionsOf = async (topic: string) =>
    (await backend.subscriptions()).filter((channel) => channel === `carillon:${logId}:${topic}`).length;

  testEveryBridge(create);

  test('frames arrive whole and in order at every other instance that serves the topic', async () => {
    const [sender, ...others] = await Promise.all([open(), open(), open()]);
    const topics = Array.from({ length: 20 }, newTopic);
    await Promise.all(ends.flatMap(({ bridge }) => topics.map((topic) => bridge.serve(topic))));
    for (let seq = 1; seq <= 200; seq += 1) {
      for (const topic of topics) sender?.bridge.publish(durable(topic, seq), epoch);
    }
    for (const other of others) {
      await hasAll(other, 200 * topics.length);
      for (const topic of topics) {
        const expected = Array.from({ length: 200 }, (_, index) => durable(topic, index + 1));
        expect(other.frames.filter((frame) => frame.topic === topic)).toEqual(expected);
      }
    }
    expect(sender?.frames).toEqual([]);
  });

  test('every field of a frame survives, and so does every character', async () => {
    const [sender, receiver] = await Promise.all([open(), open()]);
    const topic = newTopic();
    await receiver.bridge.serve(topic);
    const frames: BridgeFrame[] = [
      durable(topic, 1),
      durable(topic, 2 ** 40, { frame: 'two\nlines\r\n and ünïcödé 🔔 \u0000 \u2028' }),
      durable(topic, 3, { type: 'member.left', revokes: ['ann', 'ben'] }),
      durable(topic, 4, { frame: '', revokes: ['ann'] }),
      durable(topic, 6, { type: 'message.edited', rewrites: [5] }),
      durable(topic, 7, { revokes: ['ann', 'ben'], rewrites: [3, 2 ** 40] }),
      durable(topic, 8, { withheldFrom: ['ann'] }),
      durable(topic, 9, { revokes: ['ann', 'ben'], withheldFrom: ['cy', 'dee'], rewrites: [3] }),
      ephemeral(topic),
      ephemeral(topic, { frame: '\n🔔\n', exceptUserIds: ['ann'] }),
      ephemeral(topic, { exceptUserIds: ['ann', 'ben'] }),
      ephemeral(topic, { exceptHearersOf: { topic: newTopic(), seq: 7 } }),
      durable(topic, 5, { frame: JSON.stringify({ text: '🔔'.repeat(50_000) }) }),
    ];
    for (const frame of frames) sender.bridge.publish(frame, epoch);
    await hasAll(receiver, frames.length);
    expect(receiver.frames).toEqual(frames);
    expect([...receiver.epochs]).toEqual([epoch]);
  });

  test('instances of another log are not heard, and do not count as missing', async () => {
    const elsewhere = { instanceId: crypto.randomUUID(), logId: crypto.randomUUID(), logger };
    const [sender, receiver, other] = await Promise.all([
      open(),
      open(),
      openEnd(createRedisBridge(backend.url, elsewhere)),
    ]);
    const topic = newTopic();
    await Promise.all(ends.map(({ bridge }) => bridge.serve(topic)));
    other.bridge.publish(durable(topic, 1), epoch);
    other.bridge.publish(ephemeral(topic), epoch);
    await other.bridge.stop();
    sender.bridge.publish(durable(topic, 2), epoch);
    await hasAll(receiver, 1);
    expect(receiver.frames).toEqual([durable(topic, 2)]);
    expect(other.frames).toEqual([]);
  });

  test('a message that no instance sent is ignored', async () => {
    const [sender, receiver] = await Promise.all([open(), open()]);
    const topic = newTopic();
    await receiver.bridge.serve(topic);
    for (const message of ['', '\n', 'x', 'x y z', 'x 0 y z\n', 'x NaN y\n', ' \n'.repeat(50)]) {
      await backend.send(`carillon:${logId}:${topic}`, message);
    }
    sender.bridge.publish(durable(topic, 2), epoch);
    await until(() => receiver.frames.some(({ seq }) => seq === 2), 'the frame of an instance');
    expect(receiver.frames).toEqual([durable(topic, 2)]);
  });

  test('only served topics are subscribed to, from the first serve to the release', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const topic = newTopic();
    one.bridge.publish(durable(topic, 1), epoch);
    expect(await subscriptionsOf(topic)).toBe(0);
    await Promise.all([one.bridge.serve(topic), other.bridge.serve(topic)]);
    expect(await subscriptionsOf(topic)).toBe(1);
    one.bridge.release(topic);
    expect(await subscriptionsOf(topic)).toBe(1);
    other.bridge.release(topic);
    await until(async () => (await subscriptionsOf(topic)) === 0, 'the last release unsubscribes');
    await Promise.all([one.bridge.stop(), other.bridge.stop()]);
    await until(async () => (await backend.subscriptions()).length === 0, 'no subscription is left');
  });

  test('serve, release and serve again in one go: served, and heard of from then on', async () => {
    const [sender, receiver] = await Promise.all([open(), open()]);
    for (let round = 1; round <= 50; round += 1) {
      const topic = newTopic();
      void receiver.bridge.serve(topic);
      receiver.bridge.release(topic);
      await receiver.bridge.serve(topic);
      sender.bridge.publish(durable(topic, round), epoch);
      await hasAll(receiver, round);
      const again = receiver.bridge.serve(topic);
      receiver.bridge.release(topic);
      await again;
      await until(async () => (await subscriptionsOf(topic)) === 0, 'the release comes last');
    }
  });

  test('a killed Redis stops nobody; back again, topics are served, and the gap is announced', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const [topic, later] = [newTopic(), newTopic()];
    await Promise.all([one.bridge.serve(topic), other.bridge.serve(topic)]);
    await isComplete(one, other);
    expect(one.bridge.status).toBe('up');

    await backend.kill9();
    await until(() => !one.bridge.isComplete && !other.bridge.isComplete, 'the loss is noticed');
    expect(one.bridge.status).toBe('down');
    const [gapsOfOne, gapsOfOther] = [one.gaps, other.gaps];

    Bun.gc(true);
    const bytesBefore = process.memoryUsage().heapUsed;
    for (let seq = 1; seq <= 100_000; seq += 1)
      one.bridge.publish(durable(topic, seq, { frame: 'x'.repeat(1_000) + seq }), epoch);
    await one.bridge.serve(later);
    Bun.gc(true);
    expect(process.memoryUsage().heapUsed - bytesBefore).toBeLessThan(20_000_000);

    await backend.restart();
    await isComplete(one, other);
    expect(one.gaps).toBeGreaterThan(gapsOfOne);
    expect(other.gaps).toBeGreaterThan(gapsOfOther);
    one.bridge.publish(durable(topic, 100_001), epoch);
    other.bridge.publish(durable(later, 1), epoch);
    await Promise.all([hasAll(one, 1), hasAll(other, 1)]);
    expect(other.frames).toEqual([durable(topic, 100_001)]);
    expect(one.frames).toEqual([durable(later, 1)]);
    expect([one.bridge.status, other.bridge.status]).toEqual(['up', 'up']);
  });

  test('a frozen Redis is noticed within four seconds, holds up nobody, and is used again when it thaws', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const topic = newTopic();
    await other.bridge.serve(topic);
    await isComplete(one, other);
    const gaps = other.gaps;
    backend.signal('SIGSTOP');
    try {
      Bun.gc(true);
      const bytesBefore = process.memoryUsage().heapUsed;
      for (let seq = 1; seq <= 100_000; seq += 1)
        one.bridge.publish(durable(topic, seq, { frame: 'x'.repeat(1_000) + seq }), epoch);
      Bun.gc(true);
      expect(process.memoryUsage().heapUsed - bytesBefore).toBeLessThan(50_000_000);
      const startedAt = performance.now();
      await other.bridge.serve(newTopic());
      expect(performance.now() - startedAt).toBeLessThan(4_000);
      await until(() => !one.bridge.isComplete && !other.bridge.isComplete, 'the silence is noticed', 4_000);
    } finally {
      backend.signal('SIGCONT');
    }
    await isComplete(one, other);
    expect(other.gaps).toBeGreaterThan(gaps);
    one.bridge.publish(durable(topic, 200_000), epoch);
    await until(() => other.frames.some(({ seq }) => seq === 200_000), 'frames flow again');
  });

  test('an instance that vanishes leaves the others incomplete; one that stops does not', async () => {
    const [one, stopping] = await Promise.all([open(), open()]);
    await isComplete(one, stopping);
    await stopping.bridge.stop();
    const topic = newTopic();
    await one.bridge.serve(topic);
    const program = `
      import pino from 'pino';
      import { createRedisBridge } from './src/realtime/bridge/redis.ts';
      const logger = pino({ level: 'silent' });
      const bridge = createRedisBridge('${backend.url}', { instanceId: 'vanishing', logId: '${logId}', logger });
      await bridge.start(() => {}, () => {});
      bridge.publish(${JSON.stringify(durable(topic, 1))}, '${epoch}');`;
    const vanishing = Bun.spawn([process.execPath, '-e', program], { cwd: project, stderr: 'inherit' });
    try {
      await hasAll(one, 1);
      expect(one.bridge.isComplete).toBe(true);
    } finally {
      vanishing.kill('SIGKILL');
      await vanishing.exited;
    }
    await until(() => !one.bridge.isComplete, 'the silence is noticed', 5_000);
    expect(one.bridge.status).toBe('up');
  });
}

describeWith('the bridge over Redis', redisMissing, () => {
  testRedisBridge(startPlain);

  test('an instance whose own way to Redis broke says how much it lost, and the others look for it', async () => {
    const redis = await startRedis();
    const proxy = await startTcpProxy(redis.port);
    const openAt = (url: string) =>
      openEnd(createRedisBridge(url, { instanceId: crypto.randomUUID(), logId, logger }));
    try {
      const [receiver, sender] = await Promise.all([
        openAt(redis.url),
        openAt(`redis://127.0.0.1:${proxy.port}`),
      ]);
      const topic = newTopic();
      await receiver.bridge.serve(topic);
      sender.bridge.publish(durable(topic, 1), epoch);
      await hasAll(receiver, 1);
      await until(() => receiver.bridge.isComplete && sender.bridge.isComplete, 'both are complete');
      const { gaps } = receiver;
      proxy.cut();
      await until(() => sender.bridge.status === 'down', 'the sender has lost Redis');
      for (let seq = 2; seq <= 4; seq += 1) sender.bridge.publish(durable(topic, seq), epoch);
      await until(() => receiver.gaps > gaps, 'the receiver hears of the loss');
      sender.bridge.publish(durable(topic, 5), epoch);
      await hasAll(receiver, 2);
      expect(receiver.frames).toEqual([durable(topic, 1), durable(topic, 5)]);
      expect(receiver.bridge.status).toBe('up'); // its own connections never broke
      // Told once: whoever has looked need not look again.
      const told = receiver.gaps;
      await until(() => receiver.bridge.isComplete && sender.bridge.isComplete, 'both are complete again');
      await Bun.sleep(2 * beatMs);
      expect(receiver.gaps).toBe(told);
    } finally {
      await proxy.stop();
      await redis.kill9();
    }
  });

  test('starts within two seconds where there is no Redis yet, and finds it when it comes', async () => {
    const port = findFreePort();
    const url = `redis://127.0.0.1:${port}`;
    const startedAt = performance.now();
    const [one, other] = await Promise.all(
      ['one', 'other'].map((instanceId) => openEnd(createRedisBridge(url, { instanceId, logId, logger }))),
    );
    if (one === undefined || other === undefined) throw new Error('Two ends were opened.');
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(one.bridge).toMatchObject({ isComplete: false, status: 'down' });
    const topic = newTopic();
    await one.bridge.serve(topic);
    const redis = await startRedis({ port });
    try {
      await until(() => one.bridge.isComplete && other.bridge.isComplete, 'both are complete');
      expect(one.gaps).toBe(1);
      other.bridge.publish(durable(topic, 1), epoch);
      await hasAll(one, 1);
    } finally {
      await redis.kill9();
    }
  });
});

describeWith('the bridge over a Redis Cluster', redisMissing, () => {
  testRedisBridge(startCluster);

  describe('whose nodes change', () => {
    let cluster: RedisCluster;
    beforeAll(async () => {
      cluster = await startRedisCluster();
    });
    afterAll(() => cluster.stop());
    const open = () =>
      openEnd(createRedisBridge(cluster.url, { instanceId: crypto.randomUUID(), logId, logger }));

    /** The node that carries the topic, and the others. */
    async function findNode(topic: string): Promise<{ slot: string; owner: RedisNode; others: RedisNode[] }> {
      const [first] = cluster.nodes;
      const slot = (await first?.command('CLUSTER', 'KEYSLOT', `carillon:${logId}:${topic}`)) ?? '';
      const owners = await Promise.all(
        cluster.nodes.map(async (node) =>
          (await node.command('PUBSUB', 'SHARDCHANNELS')).includes(`carillon:${logId}:${topic}`),
        ),
      );
      const owner = cluster.nodes[owners.indexOf(true)];
      if (owner === undefined) throw new Error(`Nobody listens for ${topic}.`);
      return { slot, owner, others: cluster.nodes.filter((node) => node !== owner) };
    }

    test('topics are spread over the nodes, and those of a living node flow while another is gone', async () => {
      const [sender, receiver] = await Promise.all([open(), open()]);
      const topics = Array.from({ length: 30 }, newTopic);
      await Promise.all(topics.map((topic) => receiver.bridge.serve(topic)));
      const places = await Promise.all(topics.map(findNode));
      expect(new Set(places.map(({ owner }) => owner)).size).toBe(3);

      const gone = cluster.nodes[2];
      if (gone === undefined) throw new Error('There are three nodes.');
      await gone.kill9();
      await until(
        () => sender.bridge.status === 'down' && !receiver.bridge.isComplete,
        'the loss is noticed',
      );
      const living = topics.filter((_, index) => places[index]?.owner !== gone);
      for (const topic of topics) sender.bridge.publish(durable(topic, 1), epoch);
      await hasAll(receiver, living.length);
      expect(receiver.frames.map(({ topic }) => topic).sort()).toEqual(living.sort());

      await gone.start();
      await cluster.settle();
      await until(() => sender.bridge.isComplete && receiver.bridge.isComplete, 'both are complete again');
      receiver.frames.length = 0;
      for (const topic of topics) sender.bridge.publish(durable(topic, 2), epoch);
      await hasAll(receiver, topics.length);
    });

    test('a slot that moves to another node takes its topics along', async () => {
      const [sender, receiver] = await Promise.all([open(), open()]);
      const topic = newTopic();
      await receiver.bridge.serve(topic);
      const { gaps } = receiver;
      const { slot, owner, others } = await findNode(topic);
      const target = others[0];
      if (target === undefined) throw new Error('There are other nodes.');
      const targetId = await target.command('CLUSTER', 'MYID');
      for (const node of [target, owner, ...others.slice(1)]) {
        await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
      }
      await until(
        async () => (await findNode(topic).catch(() => undefined))?.owner === target,
        'the topic has moved',
      );
      await until(() => receiver.gaps > gaps, 'the gap is announced');
      // The sender learns of the move from its first frame, which is lost.
      sender.bridge.publish(durable(topic, 1), epoch);
      await until(() => sender.bridge.isComplete && receiver.bridge.isComplete, 'both are complete again');
      sender.bridge.publish(durable(topic, 2), epoch);
      await until(() => receiver.frames.some(({ seq }) => seq === 2), 'the frame behind the move');
    });
  });
});

describeWith('the bridge over a Redis that one instance cannot reach for a while', redisMissing, () => {
  test('the others learn that frames of it were lost, though their own connections never broke', async () => {
    const redis = await startRedis();
    const proxy = await startTcpProxy(redis.port);
    try {
      const open = (port: number) =>
        openEnd(
          createRedisBridge(`redis://127.0.0.1:${port}`, { instanceId: crypto.randomUUID(), logId, logger }),
        );
      const receiver = await open(redis.port);
      const sender = await open(proxy.port);
      const topic = newTopic();
      await receiver.bridge.serve(topic);
      sender.bridge.publish(durable(topic, 1), epoch);
      await hasAll(receiver, 1); // so it has heard of the sender, which said that nothing was lost
      const { gaps } = receiver;

      proxy.toServer.isPaused = true; // for the connections that it tries next
      proxy.cut();
      await until(() => sender.bridge.status === 'down', 'the sender is cut off');
      sender.bridge.publish(durable(topic, 2), epoch);
      proxy.toServer.isPaused = false;
      await until(() => receiver.gaps > gaps, 'the gap is announced');
      expect(receiver.frames).toEqual([durable(topic, 1)]);
      expect(receiver.bridge.status).toBe('up');
    } finally {
      await Promise.all(ends.splice(0).map(({ bridge }) => bridge.stop()));
      await proxy.stop();
      await redis.kill9();
    }
  });
});
