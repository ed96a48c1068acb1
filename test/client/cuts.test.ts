// Two clients in one chat over 1,000 cuts, with restarts of the server and tokens that end meanwhile: at the end each has the
// state that the server has, heard every event once and in order, and every command took effect once.
//
// CLIENT_SEED repeats the choices of a run; what happens at once may still come in another order.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { type Client, createClient, Disconnected, type Topic } from '../../src/client/index.ts';
import { tally } from '../../src/client/tally.ts';
import { queryRows } from '../../src/db/database.ts';
import type { Api, TestUser } from '../support/api.ts';
import { findFreePort } from '../support/child.ts';
import { createRandom, type Random } from '../support/random.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** Of connections that were there: by the proxy, by a restart, by the end of a token. */
const cuts = 1_000;
/** Behind so many the server is restarted. */
const cutsPerRestart = 200;
/** Commands of one client that are under way at once. */
const maxUnderWay = 16;
/** A member may have 20 pending ones. */
const maxOffers = 15;

type ChatName = `chat:${string}`;

interface Visitor {
  readonly client: Client;
  readonly topic: Topic<ChatName>;
  readonly seqs: readonly number[];
  readonly counts: { lost: number; refused: number; renewed: number; unknown: number };
  readonly underWay: Set<Promise<unknown>>;
  readonly messages: string[];
  readonly offers: string[];
}

onEachDatabase('clients that are cut off 1,000 times', (open, database) => {
  setDefaultTimeout(180_000);

  test('end with the state of the server, and each of their commands took effect once', async () => {
    const random = createRandom('CLIENT_SEED');
    const port = findFreePort();
    const limits = { ACCESS_TOKEN_SECONDS: '3', MAX_CONNECTIONS_PER_USER: '0' };
    const env = { ...(await database.create()), ...limits, PORT: String(port) };
    let server = await open(env);
    const [ann, ben] = [await server.register('Ann'), await server.register('Ben')];
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'group', name: 'Cuts', participantIds: [ben.id] },
    });
    const name: ChatName = `chat:${chat.id}`;
    const proxy = await startTcpProxy(port);
    const visitors = [ann, ben].map((user) => visit(proxy.url, () => server, user, name, random));
    const starts = await Promise.all(
      visitors.map(async ({ client, topic }) => {
        await client.connect();
        return (await topic.joined).seq;
      }),
    );

    const countLost = () => visitors.reduce((sum, { counts }) => sum + counts.lost, 0);
    let restarts = 0;
    while (countLost() < cuts) {
      const lostBefore = countLost();
      if (lostBefore >= (restarts + 1) * cutsPerRestart) {
        restarts += 1;
        await server.stop();
        server = await open(env);
      } else {
        strike(proxy, random);
      }
      // What is sent makes the cut come, where it waits for bytes.
      do {
        for (const visitor of visitors) {
          const command = act(visitor, visitor === visitors[0] ? ben : ann, chat.id, random);
          visitor.underWay.add(command);
          command.finally(() => visitor.underWay.delete(command));
          if (visitor.underWay.size >= maxUnderWay) await Promise.race(visitor.underWay);
        }
        await Promise.race(visitors.flatMap(({ client, underWay }) => [client.connect(), ...underWay]));
      } while (countLost() === lostBefore);
      if (random.below(4) > 0) await Promise.all(visitors.map(({ client }) => client.connect()));
    }
    proxy.toClient.bytesUntilCut = proxy.toServer.bytesUntilCut = Number.POSITIVE_INFINITY;
    await Promise.all(visitors.flatMap(({ underWay }) => [...underWay]));

    const raw = await server.connect(await server.login(ann));
    const { snapshot, head } = await raw.subscribe(name, { snapshot: true });
    await Promise.all(visitors.map(({ topic }) => topic.reach(head)));
    console.log(
      `seed ${random.seed}: ${countLost()} connections lost, ${restarts} restarts; ${head} events; by client: ` +
        visitors
          .map(({ counts, messages, offers }) =>
            JSON.stringify({ ...counts, messages: messages.length, offers: offers.length }),
          )
          .join(', '),
    );
    const rows = await queryRows<{ content: string }>(
      server.db,
      sql`SELECT content FROM messages WHERE chat_id = ${chat.id} AND content LIKE 'message %'`,
    );
    expect(rows.map(({ content }) => content).sort()).toEqual(
      visitors.flatMap(({ messages }) => messages).sort(),
    );
    for (const [index, { topic, seqs, client, counts }] of visitors.entries()) {
      expect(counts.refused + counts.renewed).toBeGreaterThan(0);
      expect(tally(seqs, starts[index] ?? 0, head)).toMatchObject({ lost: 0, repeated: 0, reordered: 0 });
      expect(topic.state).toEqual(snapshot as typeof topic.state); // the server's contract
      client.close();
    }
    expect(visitors[0]?.topic.state?.offers.map(({ title }) => title).sort()).toEqual(
      visitors.flatMap(({ offers }) => offers).sort(),
    );
    await proxy.stop();
  });
});

/** A client of the user's: it logs in where its token is refused, and renews it in time now and then. */
function visit(url: string, server: () => Api, user: TestUser, name: ChatName, random: Random): Visitor {
  let { accessToken, refreshToken } = user;
  const counts = { lost: 0, refused: 0, renewed: 0, unknown: 0 };
  const client = createClient({
    url,
    backoff: { firstMs: 2, longestMs: 20 },
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 1_000,
    async getToken(reason) {
      if (reason === 'refused') {
        ({ accessToken, refreshToken } = await server().login(user));
        counts.refused += 1;
      } else if (reason === 'expiring' && random.below(2) === 0) {
        const { body } = await server().request('POST', '/v1/auth/refresh', { body: { refreshToken } });
        ({ accessToken, refreshToken } = body);
        counts.renewed += 1;
      }
      return accessToken;
    },
    onLost: ({ wasLive }) => {
      if (wasLive) counts.lost += 1;
    },
  });
  const topic = client.topic(name);
  const seqs: number[] = [];
  topic.on('*', ({ seq }) => seq !== undefined && seqs.push(seq));
  return { client, topic, seqs, counts, underWay: new Set(), messages: [], offers: [] };
}

/** Now, or within a frame that is still to come. */
function strike(proxy: TcpProxy, random: Random): void {
  const flow = random.pick([proxy.toClient, proxy.toServer]);
  if (random.below(2) === 0) proxy.cut();
  else flow.bytesUntilCut = 1 + random.below(2_000);
}

async function act(visitor: Visitor, other: TestUser, chatId: string, random: Random): Promise<void> {
  const { client, topic, counts, messages, offers } = visitor;
  const newest = topic.state?.messages.at(-1);
  const choice = random.below(6);
  if (choice === 0 && newest !== undefined) {
    const emoji = random.pick(['👍', '🎉', '🚀']);
    const reaction = client.send('message.react', { messageId: newest.id, emoji });
    await reaction.catch((error) => {
      if (!(error instanceof Disconnected)) throw error;
      counts.unknown += 1; // it takes no key, so nobody knows whether it was done; done twice it is the same
    });
  } else if (choice === 1 && offers.length < maxOffers) {
    const title = `offer ${crypto.randomUUID()}`;
    offers.push(title);
    await client.send('offer.create', {
      chatId,
      recipientId: other.id,
      title,
      amount: '12.50',
      currency: 'EUR',
    });
  } else {
    const content = `message ${crypto.randomUUID()}`;
    messages.push(content);
    await client.send('message.send', { chatId, content });
  }
}
