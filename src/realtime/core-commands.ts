// The commands of the protocol itself, which no module has: they act on the connection. [H4] [S] [P1]

import { Type } from '@sinclair/typebox';
import { AppError } from '../protocol/errors.ts';
import { parseTopic } from '../protocol/topics.ts';
import { type CoreCommand, requireTopic } from './dispatch.ts';
import { AuthPayload, type Hello } from './hello.ts';
import type { Presence } from './presence.ts';
import type { Rights } from './rights.ts';
import { SubscribePayload, type Subscriber } from './subscribe.ts';

export interface CoreCommandDeps {
  readonly hello: Hello;
  readonly subscriber: Subscriber;
  readonly rights: Rights;
  readonly presence: Presence;
}

export function listCoreCommands({ hello, subscriber, rights, presence }: CoreCommandDeps): CoreCommand[] {
  const empty = Type.Object({}, { additionalProperties: false });
  return [
    {
      type: 'auth',
      input: AuthPayload,
      takesTopic: false,
      async run(connection, { payload }) {
        const reply = await hello.renew(connection, (payload as AuthPayload).token); // checked by dispatch
        // Other kinds of topic do not depend on what the token grants.
        const apps = [...connection.subscriptions.keys()].filter((name) => parseTopic(name)?.kind === 'app');
        await rights.checkAgain(connection, apps);
        return reply;
      },
    },
    {
      type: 'ping',
      input: empty,
      takesTopic: false,
      run: async () => ({ type: 'pong', payload: { at: new Date().toISOString() } }),
    },
    {
      type: 'subscribe',
      input: SubscribePayload,
      takesTopic: true,
      weigh(payload) {
        const request = payload as SubscribePayload; // checked by dispatch
        return 'topics' in request ? request.topics.length : 1;
      },
      async run(connection, { topic, payload }) {
        const request = payload as SubscribePayload; // checked by dispatch
        if ('topics' in request) {
          if (topic !== undefined)
            throw new AppError('invalid', 'Give either topic or payload.topics, not both.');
          return await subscriber.subscribeMany(connection, request.topics);
        }
        return await subscriber.subscribe(connection, { ...request, topic: requireTopic(topic) });
      },
    },
    {
      type: 'unsubscribe',
      input: empty,
      takesTopic: true,
      async run(connection, { topic }) {
        connection.endSubscription(requireTopic(topic));
        return { payload: { topic } };
      },
    },
    {
      type: 'presence.list',
      input: empty,
      takesTopic: true,
      async run(connection, frame) {
        const topic = requireTopic(frame.topic);
        const kind = await subscriber.authorize(connection.actor, topic);
        if (!kind.hasPresence) {
          throw new AppError('invalid', `Topics of the kind ${kind.kind} have no presence.`);
        }
        const users = [...(await presence.list(topic))].map(([userId, devices]) => ({ userId, devices }));
        return { payload: { topic, users } };
      },
    },
  ];
}
