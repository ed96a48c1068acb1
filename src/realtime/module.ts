// What a module is made of: kinds of topic and operations. `modules/index.ts` lists them; the core knows none by name.

import type { Db } from '../db/database.ts';
import type { EventTable } from '../protocol/events.ts';
import type { Timed } from './clockwork/timed.ts';
import type { ModuleCore, ReadAudit } from './module-core.ts';
import type { Operation } from './operation.ts';
import type { Hiding } from './presence/hiding.ts';
import { addParts, type SnapshotPart, type Topic, type TopicKind } from './topic-kind.ts';

/** `Own`: its operations, each by its name and with its schemas. */
export interface Module<Own extends Operation = Operation> {
  readonly name: string;
  readonly topicKinds: readonly TopicKind[];
  readonly operations: readonly Own[];
  /** What it adds to the snapshots of other modules' kinds of topic. */
  readonly snapshotParts: readonly SnapshotPart[];
  /** What happens at a time. */
  readonly timed: readonly Timed[];
  /** Its table of events, also of what it has on other modules' kinds of topic. */
  readonly events: EventTable;
  /** What it writes into the audit log. */
  readonly auditEvents: readonly string[];
  /** What the audit log tells from the module's own tables when it is asked for that event: it has no rows of its own. */
  readonly auditReaders: Readonly<Record<string, ReadAudit>>;
  /** The headings in the documents, with a line about each. */
  readonly tags: Readonly<Record<string, string>>;
  /** By what it knows, who does not show to whom whether they are there. [P4] */
  readonly hiding: Hiding | undefined;
  /** A new name or picture is announced there, too: the kind of topic has `profile.updated` among its events. */
  readonly topicsAround?: TopicsAround | undefined;
}

/** The topics of the module whose followers know the user by name; how many at most, the module says. */
export type TopicsAround = (tx: Db, userId: string) => Promise<readonly Topic[]>;

/** A module as it is listed: it starts once for each server. */
export interface DefinedModule<Own extends Operation = Operation> {
  readonly name: string;
  /** The modules that it stands on: without them it cannot be switched on. */
  readonly needs: readonly string[];
  start(core: ModuleCore): Module<Own>;
}

/**
 * `operations`, `timed`: the list, or what makes it for one server, where it needs the core or shares something that lives in
 * memory.
 */
export function defineModule<Own extends Operation>(
  name: string,
  parts: {
    readonly needs?: readonly string[];
    readonly topicKinds?: readonly TopicKind[];
    readonly snapshotParts?: readonly SnapshotPart[];
    readonly events?: EventTable;
    readonly auditEvents?: readonly string[];
    readonly auditReaders?: Readonly<Record<string, ReadAudit>>;
    readonly tags?: Readonly<Record<string, string>>;
    readonly hiding?: Hiding;
    readonly topicsAround?: TopicsAround;
    readonly operations: readonly Own[] | ((core: ModuleCore) => readonly Own[]);
    readonly timed?: readonly Timed[] | ((core: ModuleCore) => readonly Timed[]);
  },
): DefinedModule<Own> {
  const start = (core: ModuleCore): Module<Own> => ({
    name,
    topicKinds: parts.topicKinds ?? [],
    snapshotParts: parts.snapshotParts ?? [],
    events: parts.events ?? {},
    auditEvents: parts.auditEvents ?? [],
    auditReaders: parts.auditReaders ?? {},
    tags: parts.tags ?? {},
    hiding: parts.hiding,
    topicsAround: parts.topicsAround,
    operations: typeof parts.operations === 'function' ? parts.operations(core) : parts.operations,
    timed: typeof parts.timed === 'function' ? parts.timed(core) : (parts.timed ?? []),
  });
  return { name, needs: parts.needs ?? [], start };
}

/**
 * Those of the modules that are asked for, or all of them; `problems` says of each name what is wrong with it.
 */
export function chooseModules(
  all: readonly DefinedModule[],
  asked: readonly string[],
): { readonly chosen: readonly DefinedModule[]; readonly problems: readonly string[] } {
  if (asked.length === 0) return { chosen: all, problems: [] };
  const names = all.map(({ name }) => name);
  const chosen = all.filter(({ name }) => asked.includes(name));
  const unknown = asked
    .filter((name) => !names.includes(name))
    .map((name) => `MODULES must list some of ${names.join(', ')}, not "${name}".`);
  const lacking = chosen.flatMap(({ name, needs }) =>
    needs
      .filter((other) => !asked.includes(other))
      .map((other) => `MODULES lists ${name}, which needs ${other}: list that, too.`),
  );
  return { chosen, problems: [...unknown, ...lacking] };
}

/** All kinds of topic of the modules, with what others add to their snapshots. */
export const listKinds = (modules: readonly Module[]): TopicKind[] =>
  addParts(
    modules.flatMap(({ topicKinds }) => topicKinds),
    modules.flatMap(({ snapshotParts }) => snapshotParts),
  );
