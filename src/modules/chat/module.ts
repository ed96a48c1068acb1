// The chat module: conversations of two or of a group, over both doors.

import type { Guard } from '../../auth/guard.ts';
import type { Module } from '../../realtime/module.ts';
import { createChatCommands } from './commands.ts';
import { createChatRoutes } from './routes.ts';
import { type ChatDeps, createChatService } from './service.ts';
import { chatTopicKind } from './topic-kind.ts';

export function chatModule(deps: ChatDeps & { guard: Guard }): Module {
  const service = createChatService(deps);
  return {
    name: 'chat',
    topicKinds: [chatTopicKind],
    commands: createChatCommands(service),
    routes: createChatRoutes(deps.guard, service),
  };
}
