// The commands of the protocol itself, which no module has: they act on the connection. [H4] [S] [P1]

import { type TSchema, Type } from '@sinclair/typebox';
import { Subscribed } from '../../protocol/envelope.ts';
import { AppError, type ErrorCode, WireError } from '../../protocol/errors.ts';
import { Id, Instant } from '../../protocol/values.ts';
import type { Core } from '../core.ts';
import type { Presence } from '../presence/presence.ts';
import type { TopicKinds } from '../topic-kind.ts';
import { type CoreCommand, requireTopic } from './dispatch.ts';
import { AuthPayload, type Hello } from './hello.ts';
import type { Rights } from './revocation.ts';
import { SubscribePayload, type Subscriber } from './subscribe.ts';

const empty = Type.Object({}, { additionalProperties: false });
const TopicRefusal = Type.Object({ topic: Type.String(), error: WireError }, { title: 'TopicRefusal' });
const Present = Type.Object(
  { userId: Id, devices: Type.Integer({ minimum: 1, description: 'Connections on the topic' }) },
  { title: 'Present' },
);
const SubscribedToMany = Type.Object(
  { results: Type.Array(Type.Union([Subscribed, TopicRefusal]), { description: 'In the order asked' }) },
  { title: 'SubscribedToMany' },
);

/** What they take and answer, as the documents show it. */
export interface CoreCommandSpec {
  readonly type: string;
  readonly summary: string;
  /** Of the payload. */
  readonly input: TSchema;
  readonly takesTopic: boolean;
  readonly isTopicOptional?: boolean;
  readonly reply: TSchema;
  /** Left out: `ok`. */
  readonly replyType?: 'pong';
  readonly refuses: readonly ErrorCode[];
}

export const coreCommandSpecs = {
  auth: {
    type: 'auth',
    summary: 'Hand in a newer access token of the same session',
    input: AuthPayload,
    takesTopic: false,
    reply: Type.Object({ expiresAt: Instant }),
    refuses: ['invalid', 'unauthorized', 'forbidden'],
  },
  ping: {
    type: 'ping',
    summary: 'Ask for a sign of life; the reply is `pong`',
    input: empty,
    takesTopic: false,
    reply: Type.Object({ at: Instant }),
    replyType: 'pong',
    refuses: ['invalid'],
  },
  subscribe: {
    type: 'subscribe',
    summary: 'Follow a topic, or up to 100 of them, from a position on',
    input: SubscribePayload,
    takesTopic: true,
    isTopicOptional: true, // many stand in the payload
    reply: Type.Union([Subscribed, SubscribedToMany]),
    refuses: ['invalid', 'forbidden', 'unknown_topic', 'too_many_subscriptions'],
  },
  unsubscribe: {
    type: 'unsubscribe',
    summary: 'Follow a topic no longer',
    input: empty,
    takesTopic: true,
    reply: Type.Object({ topic: Type.String() }),
    refuses: ['invalid'],
  },
  'presence.list': {
    type: 'presence.list',
    summary: 'Who follows the topic now',
    input: empty,
    takesTopic: true,
    reply: Type.Object({ topic: Type.String(), users: Type.Array(Present) }),
    refuses: ['invalid', 'forbidden', 'unknown_topic'],
  },
} as const satisfies Readonly<Record<string, CoreCommandSpec>>;

export interface CoreCommandDeps {
  readonly hello: Hello;
  readonly subscriber: Subscriber;
  readonly rights: Rights;
  readonly presence: Presence;
  /** See `ModuleCore`. */
  readonly findHidden: Core['findHidden'];
  readonly topicKinds: TopicKinds;
}

export function listCoreCommands(deps: CoreCommandDeps): CoreCommand[] {
  const { hello, subscriber, rights, presence, findHidden, topicKinds } = deps;
  return [
    {
      ...coreCommandSpecs.auth,
      async run(connection, { payload }) {
        const reply = await hello.renew(connection, (payload as AuthPayload).token); // checked by dispatch
        const granted = [...connection.subscriptions.keys()].filter(
          (name) => topicKinds.find(name)?.kind.dependsOnToken,
        );
        await rights.checkAgain(connection, granted);
        return reply;
      },
    },
    {
      ...coreCommandSpecs.ping,
      run: async () => ({ type: 'pong', payload: { at: new Date().toISOString() } }),
    },
    {
      ...coreCommandSpecs.subscribe,
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
      ...coreCommandSpecs.unsubscribe,
      async run(connection, { topic }) {
        connection.endSubscription(requireTopic(topic));
        return { payload: { topic } };
      },
    },
    {
      ...coreCommandSpecs['presence.list'],
      async run(connection, frame) {
        const topic = requireTopic(frame.topic);
        const kind = await subscriber.authorize(connection.actor, topic);
        if (!kind.hasPresence) {
          throw new AppError('invalid', `Topics of the kind ${kind.kind} have no presence.`);
        }
        const present = await presence.list(topic);
        const hidden = await findHidden(connection.actor.userId, [...present.keys()]);
        const users = [...present]
          .filter(([userId]) => !hidden.has(userId))
          .map(([userId, devices]) => ({ userId, devices }));
        return { payload: { topic, users } };
      },
    },
  ];
}
