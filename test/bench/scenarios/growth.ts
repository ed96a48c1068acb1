// How cost grows: deliveries with the number of subscribers, acknowledged messages with the number of rooms.

import type { Scenario } from '../scenario.ts';
import type { Rigs } from '../servers.ts';
import type { Settings } from '../settings.ts';
import { createContender } from './fan-out.ts';
import { createStoredContender } from './stored.ts';

/** With 10,000 connections, of as many users. */
const deadlineMs = 180_000;

export function growthOfSubscribers(rigs: Rigs, settings: Settings): Scenario {
  const contender = createContender(rigs, settings);
  const sizes = settings.isQuick ? [1, 10, 100] : [1, 10, 100, 1_000, 10_000];
  return {
    name: 'growth-subscribers',
    title: 'Growth: subscribers of a topic',
    cases: sizes.map((subscribers) => ({
      name: subscribers.toLocaleString('en-US'),
      unit: 'deliveries/s',
      deadlineMs,
      contenders: [
        contender.carillon({ subscribers }),
        contender.peer('raw Bun', 'plain', 'bun.ts', { subscribers }),
      ],
      goals: [],
    })),
  };
}

export function growthOfRooms(rigs: Rigs, settings: Settings): Scenario {
  const contender = createStoredContender(rigs, settings);
  const sizes = settings.isQuick ? [1, 10] : [1, 10, 100, 1_000];
  return {
    name: 'growth-rooms',
    title: 'Growth: rooms of 10, each member with 1 message in flight',
    cases: sizes.map((rooms) => ({
      name: rooms.toLocaleString('en-US'),
      unit: 'acknowledged/s',
      deadlineMs,
      contenders: [contender.carillon({ name: `${rooms} rooms`, rooms, members: 10 }, 1)],
      goals: [],
    })),
  };
}
