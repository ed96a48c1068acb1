// The modules of this server. A line here adds one: its topics, its commands, its routes.

import type { Auth } from '../auth/auth.ts';
import type { Core } from '../realtime/core.ts';
import type { Module } from '../realtime/module.ts';
import { chatModule } from './chat/module.ts';
import { topicsModule } from './topics/module.ts';

export type ModuleDeps = Pick<
  Core,
  'db' | 'commit' | 'createGroup' | 'announce' | 'presence' | 'toRefusal'
> & {
  readonly auth: Pick<Auth, 'guard' | 'limits' | 'audit'>;
};

export function listModules({ auth, presence, toRefusal, ...core }: ModuleDeps): Module[] {
  const deps = {
    ...core,
    ...auth,
    async findAway(topic: string, userIds: readonly string[]) {
      const [devices, following] = await Promise.all([presence.devicesOf(userIds), presence.list(topic)]);
      return userIds.filter((userId) => (devices.get(userId) ?? 0) > (following.get(userId) ?? 0));
    },
    onFailure: (error: unknown, what: string) => void toRefusal(error, what),
  };
  return [topicsModule(deps), chatModule(deps)];
}
