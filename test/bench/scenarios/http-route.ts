// An HTTP route with a bearer token and schemas for what goes in and out: publishing an ephemeral event.

import { atLeast } from '../goals.ts';
import { type Contender, carillonName, type Scenario } from '../scenario.ts';
import type { Rig, Rigs, Server } from '../servers.ts';
import { message, roundDeadlineMs, type Settings } from '../settings.ts';

export function httpRoute(rigs: Rigs, { warmUpMs, measureMs }: Settings): Scenario {
  const contender = (name: string, start: (rig: Rig) => Promise<Server>): Contender => ({
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const { port, pid } = await start(rig);
        const { requestsPerSecond, serverMicrosPerRequest, serverShare, loadShare } = await rig.load({
          kind: 'http',
          port,
          serverPids: [pid],
          path: '/v1/topics/app:public.bench/events',
          body: { event: 'bench.ticked', data: message },
          expectedStatus: 201,
          connections: 50,
          warmUpMs,
          measureMs,
        });
        const also = { 'server µs each': serverMicrosPerRequest };
        return { value: requestsPerSecond, also, serverShare, loadShare };
      }),
  });
  return {
    name: 'http-route',
    title: 'HTTP route',
    cases: [
      {
        name: 'POST with a token and schemas',
        unit: 'requests/s',
        deadlineMs: roundDeadlineMs,
        contenders: [
          contender(carillonName, (rig) => rig.startCarillon({ users: 1 })),
          contender('bare Elysia', (rig) => rig.startPeer('elysia.ts')),
        ],
        goals: [atLeast(0.8, 'bare Elysia')],
      },
    ],
  };
}
