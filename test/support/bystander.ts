// Another client, who asks all the time while somebody attacks: whether the others are served, and how soon.

import type { Api, TestUser } from './api.ts';
import { startChild } from './child.ts';

/** As long as anyone may have to wait for an answer while one client does its worst. */
export const patienceMs = 250;

/** How often it asks: half of the commands that a connection may send. */
const everyMs = 20;

export interface Bystander {
  /**
   * Ends it; the longest that it waited for an answer, in ms, beyond what a program that has nothing to do took for one at
   * the same moment: how busy the machine is with other things is not the server's doing. Fails where one was a refusal.
   */
  leave(): Promise<number>;
}

/** Answers at once, whenever it gets to run. */
const idleProgram = `
const { port } = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('here') });
console.log('port ' + port);`;

/** Asks over its socket, and a route that reads the database. Its first answers are in already. */
export async function standBy(server: Api, user: TestUser): Promise<Bystander> {
  const client = await server.connect(user);
  const idle = await startChild({
    command: [process.execPath, '-e', idleProgram],
    stopSignal: 'SIGTERM',
    isReady: (line) => line.startsWith('port '),
  });
  const idleUrl = `http://127.0.0.1:${/port (\d+)/.exec(idle.output)?.[1]}`;
  let worstMs = 0;
  let isLeaving = false;

  const ask = async (): Promise<void> => {
    const startedAtMs = performance.now();
    const [pong, me, idleMs] = await Promise.all([
      client.request('ping').then((frame) => ({ frame, atMs: performance.now() })),
      server
        .request('GET', '/v1/users/me', { token: user.accessToken })
        .then(({ status }) => ({ status, atMs: performance.now() })),
      fetch(idleUrl).then(() => performance.now() - startedAtMs),
    ]);
    if (pong.frame.type !== 'pong') throw new Error(`ping: ${JSON.stringify(pong.frame)}`);
    if (me.status !== 200) throw new Error(`GET /v1/users/me: ${me.status}`);
    worstMs = Math.max(worstMs, Math.max(pong.atMs, me.atMs) - startedAtMs - idleMs);
  };
  const askAll = async (): Promise<void> => {
    while (!isLeaving) {
      await ask();
      await Bun.sleep(everyMs);
    }
  };
  await ask();
  worstMs = 0; // whatever had to be made for the first time
  const asking = askAll();
  asking.catch(() => {}); // `leave` says it
  return {
    async leave() {
      isLeaving = true;
      await asking;
      client.close();
      await idle.stop();
      return worstMs;
    },
  };
}
