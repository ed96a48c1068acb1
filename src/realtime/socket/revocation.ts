// Rights that change under a live connection. An ended session closes it [H5]; another role, another token, or a loss of
// what rights hang on takes away the topics that it no longer opens [S7]. Sessions, roles and losses come as events on the
// user's own topic, on every instance.

import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { Db } from '../../db/database.ts';
import { closeCodes } from '../../protocol/envelope.ts';
import { Role } from '../../protocol/roles.ts';
import { userOfTopic } from '../../protocol/topics.ts';
import type { Core } from '../core.ts';
import type { LoggedEvent } from '../log/event-log.ts';
import type { Reporter } from '../report.ts';
import type { TopicKind, TopicKinds } from '../topic-kind.ts';
import type { Connection, Subscription } from './connection.ts';
import type { Connections } from './connections.ts';

export interface Rights {
  /** Ends those subscriptions, of the topics, that the actor no longer has a right to. Never fails. */
  checkAgain(connection: Connection, topics: readonly string[]): Promise<void>;
}

export interface RightsDeps {
  readonly db: Db;
  readonly connections: Pick<Connections, 'ofUser'>;
  readonly observeUsers: Core['observeUsers'];
  readonly reporter: Pick<Reporter, 'toRefusal'>;
}

/** A subscription whose right is read again. */
interface Held {
  readonly subscription: Subscription;
  readonly kind: TopicKind;
  readonly id: string;
}

const SessionRevoked = Type.Object({ sessionId: Type.String(), reason: Type.String() });
const RoleChanged = Type.Object({ role: Role });

/** Topics of a kind asked about in one query: no kind is asked about more. */
const maxAtOnce = 100;

export function watchRights(deps: RightsDeps, topicKinds: TopicKinds): Rights {
  const { connections } = deps;

  const closeSession = (event: LoggedEvent): void => {
    const { userId, payload } = readUserEvent(event);
    if (!Value.Check(SessionRevoked, payload)) return;
    for (const connection of connections.ofUser(userId)) {
      if (connection.actor.sessionId === payload.sessionId)
        connection.close(closeCodes.revoked, payload.reason);
    }
  };

  const changeRole = (event: LoggedEvent): void => {
    const { userId, payload } = readUserEvent(event);
    if (Value.Check(RoleChanged, payload)) checkUser(userId, { role: payload.role });
  };

  const checkUser = (userId: string, change: { readonly role?: Role } = {}): void => {
    const own = connections.ofUser(userId);
    // All of them before anything is waited for: a change that comes meanwhile must not be undone by this one. And each a
    // new object, though nothing in it may be new: a subscribe under way sees by it that the right is to be read again.
    for (const connection of own) {
      if (connection.phase.name !== 'live') continue;
      connection.phase = { ...connection.phase, actor: { ...connection.actor, ...change } };
    }
    for (const connection of own) void checkAgain(connection, [...connection.subscriptions.keys()]);
  };

  const checkAgain: Rights['checkAgain'] = async (connection, topics) => {
    const held = topics.flatMap((topic): Held[] => {
      const subscription = connection.subscriptions.get(topic);
      const found = topicKinds.find(topic);
      return subscription === undefined || found === undefined ? [] : [{ subscription, ...found }];
    });
    for (const [kind, ofKind] of Map.groupBy(held, ({ kind }) => kind)) {
      for (let start = 0; start < ofKind.length; start += maxAtOnce) {
        if (!connection.isLive) return;
        await checkTogether(connection, kind, ofKind.slice(start, start + maxAtOnce));
      }
    }
  };

  const checkTogether = async (
    connection: Connection,
    kind: TopicKind,
    held: readonly Held[],
  ): Promise<void> => {
    let followable: ReadonlySet<string> = new Set();
    try {
      const ids = held.map(({ id }) => id);
      followable = await kind.findFollowable(deps.db, connection.actor, ids);
    } catch (error) {
      // What cannot be checked is taken away as well, also while the database is away for a moment: the client asks again.
      // That costs those few who are being checked a subscribe; the other way round, who lost the right would stay.
      deps.reporter.toRefusal(error, `checking topics of the kind ${kind.kind} again`);
    }
    for (const { subscription, id } of held) {
      const { topic } = subscription;
      // One that was made in its place since has a right that was read since.
      if (connection.subscriptions.get(topic) === subscription && !followable.has(id))
        connection.loseTopic(topic);
    }
  };

  deps.observeUsers('session.revoked', closeSession);
  deps.observeUsers('role.changed', changeRole);
  deps.observeUsers('access.revoked', ({ topic }) => checkUser(userOfTopic(topic) ?? ''));
  return { checkAgain };
}

function readUserEvent({ topic, frame }: LoggedEvent): { userId: string; payload: unknown } {
  return { userId: userOfTopic(topic) ?? '', payload: JSON.parse(frame).payload };
}
