// Who is online, over HTTP. [P2]

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { errorsOf } from '../protocol/http.ts';
import { queryOf } from '../protocol/http-input.ts';
import { Id } from '../protocol/values.ts';
import type { Devices, Presence } from '../realtime/presence.ts';
import { PresenceList, PresenceQuery, type PublicUser, UserPresence } from './contract.ts';
import type { Guard } from './guard.ts';
import type { Users } from './users.ts';

export function createPresenceRoutes(deps: { guard: Guard; users: Users; presence: Presence }) {
  const { guard, users, presence } = deps;
  const tags = ['Presence'];
  const security = [{ bearer: [] }];
  return new Elysia()
    .use(guard)
    .get(
      '/users/:id/presence',
      async ({ params: { id } }) => toPresence(await users.readPublic(id), await presence.devicesOf([id])),
      {
        params: Type.Object({ id: Id }),
        response: { 200: UserPresence, ...errorsOf('invalid', 'unauthorized', 'not_found') },
        detail: { summary: 'Whether a user is online', tags, security },
      },
    )
    .get(
      '/presence',
      async ({ actor, query }) => {
        const { items, nextCursor } = await users.find(actor, { ids: query.users });
        const devices = await presence.devicesOf(items.map((user) => user.id));
        return { items: items.map((user) => toPresence(user, devices)), nextCursor };
      },
      {
        query: queryOf(PresenceQuery),
        response: { 200: PresenceList, ...errorsOf('invalid', 'unauthorized') },
        detail: { summary: 'Which of the users are online', tags, security },
      },
    );
}

function toPresence({ id, lastSeenAt }: PublicUser, devicesOf: Devices): UserPresence {
  const devices = devicesOf.get(id) ?? 0;
  return { userId: id, online: devices > 0, devices, lastSeenAt };
}
