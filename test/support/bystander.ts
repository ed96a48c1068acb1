// Another client, who asks all the time while somebody attacks: whether the others are served, and how soon.

import type { Api, TestUser } from './api.ts';

/** As long as anyone may have to wait for an answer while one client does its worst. */
export const patienceMs = 250;

const oneStallMs = 1_000;

/** How often it asks: half of the commands that a connection may send. */
const everyMs = 20;

export interface Bystander {
  /**
   * Ends it; the longest that it waited for an answer, in ms. Fails where one was a refusal. A single wait of less than a second
   * is left out: on a busy machine the scheduler alone holds a process for so long now and then, an attack again and again.
   */
  leave(): Promise<number>;
}

/** Asks over its socket, and a route that reads the database. Its first answers are in already. */
export async function standBy(server: Api, user: TestUser): Promise<Bystander> {
  const client = await server.connect(user);
  const waitsMs: number[] = [];
  let isLeaving = false;

  const ask = async (): Promise<void> => {
    const startedAtMs = performance.now();
    const [pong, me] = await Promise.all([
      client.request('ping').then((frame) => ({ frame, atMs: performance.now() })),
      server
        .request('GET', '/v1/users/me', { token: user.accessToken })
        .then(({ status }) => ({ status, atMs: performance.now() })),
    ]);
    if (pong.frame.type !== 'pong') throw new Error(`ping: ${JSON.stringify(pong.frame)}`);
    if (me.status !== 200) throw new Error(`GET /v1/users/me: ${me.status}`);
    waitsMs.push(Math.max(pong.atMs, me.atMs) - startedAtMs);
  };
  const askAll = async (): Promise<void> => {
    while (!isLeaving) {
      await ask();
      await Bun.sleep(everyMs);
    }
  };
  await ask();
  waitsMs.length = 0; // whatever had to be made for the first time
  const asking = askAll();
  asking.catch(() => {}); // `leave` says it
  return {
    async leave() {
      isLeaving = true;
      await asking;
      client.close();
      const [worst = 0, second = 0] = waitsMs.toSorted((a, b) => b - a);
      return worst < oneStallMs ? second : worst;
    },
  };
}
