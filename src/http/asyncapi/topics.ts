// The kinds of topic of the AsyncAPI document, and the events that appear on them.

import { type TSchema, Type } from '@sinclair/typebox';
import type { EventTable } from '../../protocol/events.ts';
import { exampleId } from '../../protocol/values.ts';
import type { TopicKind } from '../../realtime/topic-kind.ts';
import { eventMessage, type Message } from './messages.ts';
import { type Channel, refsTo } from './parts.ts';

export function describeKind(kind: TopicKind, events: readonly ToldEvent[]): Channel {
  const { form, hasPresence, snapshot } = kind;
  const keys = events.filter(({ on }) => on.includes(kind.kind)).map(({ key }) => key);
  const [placeholder] = /<\w+>/.exec(form) ?? [];
  const parameter = placeholder === '<id>' ? `${form.split(':')[0]}Id` : 'name';
  return {
    address: placeholder === undefined ? form : form.replace(placeholder, `{${parameter}}`),
    title: form,
    description: `Topics \`${form}\`. They are followed with \`subscribe\`; their name stands in \`topic\` of each event.`,
    messages: refsTo(keys),
    ...(placeholder && {
      parameters: {
        [parameter]: {
          description:
            placeholder === '<id>'
              ? 'A UUID in lower case'
              : `As the expression \`^${kind.idPattern}$\` says`,
          examples: [exampleOfId(placeholder)],
        },
      },
    }),
    'x-presence': hasPresence,
    ...(snapshot && { 'x-snapshot': snapshot.schema }),
  };
}

export interface ToldEvent {
  readonly key: string;
  readonly message: Message;
  /** Kinds of topic. */
  readonly on: readonly string[];
}

/**
 * What several modules have, each on a kind of topic of its own, is one event; where it is live alone it is one apart. On
 * kinds that declare no events anything may be published.
 */
export function listEvents(tables: readonly EventTable[], kinds: readonly TopicKind[]): ToldEvent[] {
  const forms = new Map(kinds.map(({ kind, form }) => [kind, form]));
  const tell = (
    key: string,
    type: string | undefined,
    payload: TSchema,
    isDurable: boolean,
    on: string[],
  ) => {
    const [first = ''] = on;
    const topic = (forms.get(first) ?? '').replace(/<\w+>/, exampleOfId);
    return on.length === 0 ? [] : [{ key, message: eventMessage(type, payload, isDurable, topic), on }];
  };
  const byType = Map.groupBy(
    tables.flatMap((table) => Object.entries(table)),
    ([type]) => type,
  );
  const declared = [...byType].flatMap(([type, entries]) => {
    const [first] = entries;
    if (first === undefined) return [];
    const { isDurable, payload } = first[1]; // the same in all of them, or the server had not started
    const on = entries.flatMap(([, spec]) => spec.on);
    const live = entries.flatMap(([, { liveOn = [] }]) => liveOn);
    return [
      ...tell(`event.${type}`, type, payload, isDurable, on),
      ...tell(`live.${type}`, type, payload, false, live),
    ];
  });
  const free = kinds.filter(({ events }) => events === undefined).map(({ kind }) => kind);
  return [
    ...declared,
    ...tell('published.durable', undefined, Type.Unknown(), true, free),
    ...tell('published.ephemeral', undefined, Type.Unknown(), false, free),
  ];
}

const exampleOfId = (placeholder: string): string => (placeholder === '<id>' ? exampleId : 'public.lobby');
