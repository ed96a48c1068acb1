// Rights that change under a live connection. An ended session closes it [H5]; another role, or another token, takes away
// the topics that it no longer opens [S7]. Sessions and roles come as events on the user's own topic, on every instance.

import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { closeCodes } from '../../protocol/envelope.ts';
import { Role } from '../../protocol/roles.ts';
import { userOfTopic } from '../../protocol/topics.ts';
import type { Core } from '../core.ts';
import type { LoggedEvent } from '../log/event-log.ts';
import type { Connection } from './connection.ts';
import type { Subscriber } from './subscribe.ts';

export interface Rights {
  /** Ends those subscriptions, of the topics, that the actor no longer has a right to. Never fails. */
  checkAgain(connection: Connection, topics: readonly string[]): Promise<void>;
}

const SessionRevoked = Type.Object({ sessionId: Type.String(), reason: Type.String() });
const RoleChanged = Type.Object({ role: Role });

export function watchRights(core: Core, subscriber: Subscriber): Rights {
  const { connections } = core;

  const closeSession = (event: LoggedEvent): void => {
    const { userId, payload } = readUserEvent(event);
    if (!Value.Check(SessionRevoked, payload)) return;
    for (const connection of connections.ofUser(userId)) {
      if (connection.actor.sessionId === payload.sessionId)
        connection.close(closeCodes.revoked, payload.reason);
    }
  };

  const changeRole = async (event: LoggedEvent): Promise<void> => {
    const { userId, payload } = readUserEvent(event);
    if (!Value.Check(RoleChanged, payload)) return;
    const own = connections.ofUser(userId);
    // All of them before anything is waited for: a change that comes meanwhile must not be undone by this one.
    for (const connection of own) {
      if (connection.phase.name !== 'live') continue;
      connection.phase = { ...connection.phase, actor: { ...connection.actor, role: payload.role } };
    }
    for (const connection of own) {
      if (!connection.isLive) continue;
      await checkAgain(connection, [...connection.subscriptions.keys()]);
    }
  };

  const checkAgain: Rights['checkAgain'] = async (connection, topics) => {
    for (const name of topics) {
      await subscriber.authorize(connection.actor, name).catch((error: unknown) => {
        // What cannot be checked is taken away as well: the client asks again.
        core.reporter.toRefusal(error, `checking ${name} again`);
        connection.loseTopic(name);
      });
    }
  };

  core.observeUsers('session.revoked', closeSession);
  core.observeUsers('role.changed', (event) => void changeRole(event));
  return { checkAgain };
}

function readUserEvent({ topic, frame }: LoggedEvent): { userId: string; payload: unknown } {
  return { userId: userOfTopic(topic) ?? '', payload: JSON.parse(frame).payload };
}
