// The modules of this server. A line here adds one: its topics, its commands, its routes.

import type { Auth } from '../auth/auth.ts';
import type { Core } from '../realtime/core.ts';
import type { Module } from '../realtime/module.ts';
import { chatModule } from './chat/module.ts';

export type ModuleDeps = Pick<Core, 'db' | 'commit' | 'announce' | 'connections' | 'toRefusal'> & {
  readonly auth: Pick<Auth, 'guard' | 'limits' | 'audit'>;
};

export function listModules({ auth, connections, toRefusal, ...core }: ModuleDeps): Module[] {
  const deps = {
    ...core,
    ...auth,
    isAwayFrom: (userId: string, topic: string) =>
      [...connections.ofUser(userId)].some((connection) => !connection.follows(topic)),
    onFailure: (error: unknown, what: string) => void toRefusal(error, what),
  };
  return [chatModule(deps)];
}
