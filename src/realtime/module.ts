// What a module is made of: kinds of topic and operations. `modules/index.ts` lists them; the core knows none by name.

import type { Db } from '../db/database.ts';
import type { EventTable } from '../protocol/events.ts';
import type { Timed } from './clockwork/timed.ts';
import type { ModuleCore, ReadAudit } from './module-core.ts';
import type { Operation } from './operation.ts';
import type { Hiding } from './presence/hiding.ts';
import type { Topic, TopicKind } from './topic-kind.ts';

export interface Module {
  readonly name: string;
  readonly topicKinds: readonly TopicKind[];
  readonly operations: readonly Operation[];
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
export type DefinedModule = (core: ModuleCore) => Module;

/**
 * `operations`, `timed`: the list, or what makes it for one server, where it needs the core or shares something that lives in
 * memory.
 */
export function defineModule<const Operations extends readonly Operation[]>(
  name: string,
  parts: {
    readonly topicKinds?: readonly TopicKind[];
    readonly events?: EventTable;
    readonly auditEvents?: readonly string[];
    readonly auditReaders?: Readonly<Record<string, ReadAudit>>;
    readonly tags?: Readonly<Record<string, string>>;
    readonly hiding?: Hiding;
    readonly topicsAround?: TopicsAround;
    readonly operations: Operations | ((core: ModuleCore) => Operations);
    readonly timed?: readonly Timed[] | ((core: ModuleCore) => readonly Timed[]);
  },
): (core: ModuleCore) => Module & { readonly operations: Operations } {
  return (core) => ({
    name,
    topicKinds: parts.topicKinds ?? [],
    events: parts.events ?? {},
    auditEvents: parts.auditEvents ?? [],
    auditReaders: parts.auditReaders ?? {},
    tags: parts.tags ?? {},
    hiding: parts.hiding,
    topicsAround: parts.topicsAround,
    operations: typeof parts.operations === 'function' ? parts.operations(core) : parts.operations,
    timed: typeof parts.timed === 'function' ? parts.timed(core) : (parts.timed ?? []),
  });
}
