// A kind of topic: how its names look, who may follow them, what their state is. Whoever has the kind declares it; the core
// knows none by name, but for the user's own, through which revocation comes. [S5] [H5]

import { type TSchema, Type } from '@sinclair/typebox';
import type { Db } from '../db/database.ts';
import { type EventsOn, type EventTable, findEventsOn } from '../protocol/events.ts';
import { uuidSource } from '../protocol/topics.ts';
import type { Actor } from './actor.ts';

/** One topic, and what may happen on it. */
export interface Topic<Events extends EventTable = EventTable> {
  readonly name: string;
  /** By type; undefined where anything may be published (`app:`). */
  readonly events: Events | undefined;
}

export interface Snapshot<State extends object = object> {
  /** Of an object. */
  readonly schema: TSchema;
  /** The state at the head that the same transaction sees, of at most so many bytes as JSON in UTF-8. [S3] */
  read(tx: Db, actor: Actor, id: string, maxBytes: number): Promise<State>;
}

/** What a module adds to the snapshots of another one's kind of topic, under a name of its own. */
export interface SnapshotPart {
  /** The kind. */
  readonly on: string;
  readonly name: string;
  readonly schema: TSchema;
  /** In the transaction that reads the rest. It bounds itself: what it takes, the rest of the snapshot has not. */
  read(tx: Db, actor: Actor, id: string): Promise<unknown>;
}

export interface TopicKind {
  readonly kind: string;
  /** What its names look like, for documents and messages: `chat:<id>`. */
  readonly form: string;
  /** What an id looks like: a regular expression without anchors. */
  readonly idPattern: string;
  /** Those that the kind's own module writes; other modules may have more on it. Undefined: anything. */
  readonly events: EventTable | undefined;
  /** Presence is announced on topics of this kind. [P1] */
  readonly hasPresence: boolean;
  /** The right depends on what the access token says: it is read again with every newer token. [T2] */
  readonly dependsOnToken: boolean;
  /** Absent: topics of this kind have no state. [S3] */
  readonly snapshot?: Snapshot | undefined;
  /**
   * Those of the topics, by their ids, that the actor may follow, in the snapshot of `db`; what does not exist is none of
   * them. [S5]
   */
  findFollowable(db: Db, actor: Actor, ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** The id in a topic's name; undefined where it is no topic of this kind. */
  parse(name: string): string | undefined;
}

/** A kind as its module has it: it names topics, and `emit` knows what may happen on them. */
export interface DefinedTopicKind<Kind extends string, Events extends EventTable> extends TopicKind {
  on(id: string): Topic<Events>;
  /** The same kind with the events that another module has on it. */
  carrying<Table extends EventTable>(table: Table): { on(id: string): Topic<EventsOn<Table, Kind>> };
}

export interface TopicKindOptions<Table extends EventTable> {
  /** The module's table; of it, what appears on this kind. Left out: anything may be published. */
  readonly events?: Table;
  /** Around the id, where the name is not `kind:id`. */
  readonly name?: { readonly before?: string; readonly after?: string };
  /**
   * What an id looks like: a regular expression without anchors. A UUID where it is left out. Empty: there is one topic of
   * the kind, and its id is the empty text.
   */
  readonly id?: string;
  readonly hasPresence?: boolean;
  readonly dependsOnToken?: boolean;
  readonly snapshot?: Snapshot;
  /** Whether the actor may follow the topic; false also where there is no such thing. [S5] */
  mayFollow?(db: Db, actor: Actor, id: string): Promise<boolean>;
  /** In its place, where rights are in a table: of up to 100 topics in one query. */
  findFollowable?(db: Db, actor: Actor, ids: readonly string[]): Promise<ReadonlySet<string>>;
}

export function topicKind<const Kind extends string, Table extends EventTable = EventTable>(
  kind: Kind,
  options: TopicKindOptions<Table>,
): DefinedTopicKind<Kind, EventsOn<Table, Kind>> {
  const { before = `${kind}:`, after = '' } = options.name ?? {};
  const idPattern = options.id ?? uuidSource;
  const pattern = new RegExp(`^${RegExp.escape(before)}(${idPattern})${RegExp.escape(after)}$`);
  const events = options.events && eventsOn(options.events, kind);
  const nameOf = (id: string): string => before + id + after;
  return {
    kind,
    form:
      options.id === '' ? before + after : `${before}<${options.id === undefined ? 'id' : 'name'}>${after}`,
    idPattern,
    events,
    hasPresence: options.hasPresence ?? false,
    dependsOnToken: options.dependsOnToken ?? false,
    snapshot: options.snapshot,
    findFollowable: options.findFollowable ?? oneByOne(options.mayFollow),
    parse: (name) => pattern.exec(name)?.[1],
    on: (id) => ({ name: nameOf(id), events }),
    carrying(table) {
      const carried = eventsOn(table, kind);
      return { on: (id) => ({ name: nameOf(id), events: carried }) };
    },
  };
}

function oneByOne(mayFollow: TopicKindOptions<EventTable>['mayFollow']): TopicKind['findFollowable'] {
  if (mayFollow === undefined) throw new Error('A kind of topic says who may follow it.');
  return async (db, actor, ids) => {
    const answers = await Promise.all(ids.map(async (id) => ((await mayFollow(db, actor, id)) ? [id] : [])));
    return new Set(answers.flat());
  };
}

function eventsOn<Table extends EventTable, Kind extends string>(
  table: Table,
  kind: Kind,
): EventsOn<Table, Kind> {
  return findEventsOn(table, kind) as EventsOn<Table, Kind>; // what the type says, said to the runtime
}

/** The kinds with what is added to their snapshots. The rest of a snapshot gets the bytes that its parts leave. */
export function addParts(kinds: readonly TopicKind[], parts: readonly SnapshotPart[]): TopicKind[] {
  return kinds.map((kind) => {
    const own = parts.filter(({ on }) => on === kind.kind);
    const { snapshot } = kind;
    if (snapshot === undefined || own.length === 0) return kind;
    const added = Object.fromEntries(own.map(({ name, schema }) => [name, schema]));
    return {
      ...kind,
      snapshot: {
        schema: { ...snapshot.schema, ...Type.Object({ ...snapshot.schema.properties, ...added }) },
        async read(tx, actor, id, maxBytes) {
          const read: Record<string, unknown> = {};
          for (const part of own) read[part.name] = await part.read(tx, actor, id);
          const bytesLeft = maxBytes - Buffer.byteLength(JSON.stringify(read));
          return { ...(await snapshot.read(tx, actor, id, bytesLeft)), ...read };
        },
      },
    };
  });
}

/** All kinds of a server; finds the one that a topic's name is of. */
export interface TopicKinds {
  readonly all: readonly TopicKind[];
  find(topic: string): { readonly kind: TopicKind; readonly id: string } | undefined;
  /** Whether there is a kind whose names begin like this: then the rest is malformed. [S5] */
  kindsLike(topic: string): readonly TopicKind[];
}

export function createTopicKinds(all: readonly TopicKind[]): TopicKinds {
  // By the word before the colon, which `user:<id>` and `user:<id>:jobs` share: a name is taken apart for every frame.
  const byWord = Map.groupBy(all, ({ form }) => wordOf(form));
  const kindsLike = (topic: string) => byWord.get(wordOf(topic)) ?? [];
  return {
    all,
    kindsLike,
    find(topic) {
      for (const kind of kindsLike(topic)) {
        const id = kind.parse(topic);
        if (id !== undefined) return { kind, id };
      }
      return undefined;
    },
  };
}

const wordOf = (topic: string): string => topic.slice(0, topic.indexOf(':'));
