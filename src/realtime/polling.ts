// The durable events of any topic, a page at a time, for whoever asks now and then. Right, position and events are read in one
// snapshot of the database: nobody sees an event from behind the loss of the right, nor a part of what was missed. [V7]

import type { Db } from '../db/database.ts';
import { maxSnapshotBytes } from '../protocol/envelope.ts';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize } from '../protocol/paging.ts';
import { ListEvents, TopicEventPage } from '../protocol/topic-events.ts';
import type { Actor } from './actor.ts';
import { isLastPage, readEvents, readPosition } from './log/event-log.ts';
import { defineModule } from './module.ts';
import { query } from './operation.ts';
import { resumePoint } from './socket/entry.ts';
import type { TopicKinds } from './topic-kind.ts';

export interface PollingDeps {
  /** Those of the server, once all modules have started. */
  readonly topicKinds: () => TopicKinds;
  readonly onRefused: (actor: Actor, topic: string) => void;
}

/** Of no module, as it is for the topics of all of them: it is there whichever are switched on. */
export const pollingModule = ({ topicKinds, onRefused }: PollingDeps) =>
  defineModule('polling', {
    tags: { Topics: 'Topics without a WebSocket, and plain pub/sub on `app:` topics' },
    operations: [
      query('topic.events', {
        summary: 'Durable events of a topic, ascending by seq',
        description:
          'Those with a seq above `after`. `nextCursor` is the next `after`. Where the log no longer reaches back to it, or ' +
          'is another one than `epoch` says, there are no items but `reset`, and the state where there is one.',
        tag: 'Topics',
        http: 'GET /topics/:topic/events',
        takesTopic: true,
        input: ListEvents,
        output: TopicEventPage,
        refuses: ['forbidden', 'unknown_topic'],
        async run({ actor, db }, asked) {
          const page = await db.transaction((tx) => readPage(tx, topicKinds(), actor, asked), {
            isolationLevel: 'repeatable read',
            accessMode: 'read only',
          });
          if (page !== undefined) return page;
          onRefused(actor, asked.topic);
          throw new AppError('forbidden', 'You may not follow this topic, or it does not exist.');
        },
      }),
    ],
  });

/** Undefined where the actor may not follow the topic. */
async function readPage(
  tx: Db,
  topicKinds: TopicKinds,
  actor: Actor,
  { topic, after, epoch, limit = defaultPageSize }: ListEvents,
): Promise<TopicEventPage | undefined> {
  const { kind, id } = topicKinds.require(topic);
  if (!(await kind.findFollowable(tx, actor, [id])).has(id)) return undefined;
  const position = await readPosition(tx, topic);
  const stand = { head: position.head, epoch: position.epoch };
  const from =
    after === undefined
      ? position.reach
      : resumePoint({ since: after, ...(epoch !== undefined && { epoch }) }, position);
  if (from === undefined) {
    const snapshot = await kind.snapshot?.read(tx, actor, id, maxSnapshotBytes);
    const state = snapshot === undefined ? {} : { snapshot };
    return { items: [], nextCursor: null, seq: position.head, ...stand, reset: true, ...state };
  }
  const logged = from === position.head ? [] : await readEvents(tx, topic, from, limit + 1);
  const shown = logged.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(({ frame }) => JSON.parse(frame)),
    nextCursor: last === undefined || isLastPage(logged, limit + 1) ? null : String(last.seq),
    seq: from,
    ...stand,
  };
}
