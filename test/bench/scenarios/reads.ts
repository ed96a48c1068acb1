// A chat of 20 where everyone reads everything as it comes, as people with the chat open do: each message brings 20 read
// positions. Beside the same chat where nobody says what they have read. On both databases.

import { atLeast, figureAtMost, valueAtLeast } from '../goals.ts';
import { type Case, type Contender, carillonName, type Goal, type Scenario } from '../scenario.ts';
import type { Rig, Rigs } from '../servers.ts';
import { message, roundDeadlineMs, type Settings } from '../settings.ts';
import { createChats, toSample } from './stored.ts';

const chat = { name: 'one chat of 20', rooms: 1, members: 20 };
const nobodyReads = 'Carillon, nobody reads';
const places = 'log places a message';

type Kind = 'PostgreSQL' | 'embedded database';

export function reads(rigs: Rigs, settings: Settings): Scenario {
  const caseOf = (kind: Kind, goals: readonly Goal[]): Case => ({
    name: `${chat.name}, 1 message in flight each, ${kind}`,
    unit: 'acknowledged/s',
    deadlineMs: roundDeadlineMs,
    contenders: [
      createContender(rigs, settings, carillonName, kind, true),
      createContender(rigs, settings, nobodyReads, kind, false),
    ],
    goals: [...goals, atLeast(0.25, nobodyReads), figureAtMost(places, 1.1), figureAtMost('p99 ms', 100)],
  });
  return {
    name: 'reads',
    title: 'Everyone reads everything',
    cases: [caseOf('PostgreSQL', [valueAtLeast(2_000)]), caseOf('embedded database', [])],
  };
}

function createContender(
  rigs: Rigs,
  { warmUpMs, measureMs }: Settings,
  name: string,
  kind: Kind,
  isRead: boolean,
): Contender {
  return {
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const { port, pid } = await startOn(rig, kind);
        const figures = await rig.load({
          kind: 'requests',
          dialect: 'carillon',
          port,
          serverPids: [pid],
          databasePid: kind === 'PostgreSQL' ? (await rig.databaseServer()).pid : undefined,
          rooms: await createChats(port, chat),
          members: chat.members,
          inFlight: 1,
          message,
          isRead,
          warmUpMs,
          measureMs,
        });
        if (figures.reads === undefined) return toSample(figures);
        const { readsPerSecond, answersPerSecond, placesPerMessage } = figures.reads;
        return toSample(figures, {
          'reads/s': readsPerSecond,
          'reads answered/s': answersPerSecond,
          [places]: placesPerMessage,
        });
      }),
  };
}

async function startOn(rig: Rig, kind: Kind) {
  const users = chat.members;
  if (kind === 'PostgreSQL') return await rig.startCarillon({ users });
  return await rig.startCarillon({ env: { DATA_DIR: await rig.createDataFolder({ users }) } });
}
