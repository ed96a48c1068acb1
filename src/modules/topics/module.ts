// The topics module: plain pub/sub for whatever has no module of its own.

import type { Guard } from '../../auth/guard.ts';
import type { Module } from '../../realtime/module.ts';
import { createTopicsCommands } from './commands.ts';
import { isGranted } from './rights.ts';
import { createTopicsRoutes } from './routes.ts';
import { createTopicsService, type TopicsDeps } from './service.ts';

export function topicsModule(deps: TopicsDeps & { guard: Guard }): Module {
  const service = createTopicsService(deps);
  return {
    name: 'topics',
    topicKinds: [
      {
        kind: 'app',
        hasPresence: true,
        findFollowable: async (_db, actor, names) =>
          new Set(names.filter((name) => isGranted(actor, 'subscribe', name))),
      },
    ],
    commands: createTopicsCommands(service),
    routes: createTopicsRoutes(deps.guard, service),
  };
}
