// Where a connection may enter a topic's stream, and whether it may: the position first, the right second. For many topics at
// once, rights are read in one query for each kind, and positions in one for all. [S2] [S3] [S4] [S7]

import type { Db } from '../../db/database.ts';
import { maxSnapshotBytes, type Subscribed, type SubscribeRequest } from '../../protocol/envelope.ts';
import type { Actor } from '../actor.ts';
import type { Hub } from '../hub/hub.ts';
import type { Stream } from '../hub/stream.ts';
import { readPosition, readPositions, type TopicPosition } from '../log/event-log.ts';
import type { TopicKind } from '../topic-kind.ts';

export type TopicRequest = SubscribeRequest & { topic: string };

/** A topic that somebody asks for, and that is served here from now on. */
export interface Asked {
  readonly request: TopicRequest;
  readonly kind: TopicKind;
  readonly id: string;
  readonly stream: Stream;
}

/** An asked topic whose right is being read. */
export interface Approach extends Asked {
  /** Whose right. */
  readonly actor: Actor;
  /** Of the stream, from before the right was read. */
  readonly head: number;
  /** Of the topics of this kind that were asked for together, the ids of those that the actor may follow. */
  readonly followable: Promise<ReadonlySet<string>>;
  /** Only where somebody asked for a position ahead of this instance. */
  readonly position: TopicPosition | undefined;
}

export interface Entry {
  readonly subscribed: Subscribed;
  /** Of the snapshot as JSON; 0 where there is none. */
  readonly snapshotBytes: number;
  /** A later event that revokes the right ends it. [S7] */
  readonly authorizedAt: number;
}

export interface EntryDeps {
  readonly db: Db;
  readonly hub: Hub;
  /** Of the log, as this instance knows it. */
  readonly knownEpoch: () => string;
  /** Looks whether the log has another epoch by now. Fails when the database is away. */
  readonly refreshEpoch: () => Promise<void>;
}

/** Fails when positions cannot be read. A right that cannot be read fails with its entry. */
export async function approach(
  { db, hub, knownEpoch, refreshEpoch }: EntryDeps,
  actor: Actor,
  all: readonly Asked[],
): Promise<Approach[]> {
  // Another instance may have heard of another epoch sooner.
  const isOther = ({ request: { epoch } }: Asked) => epoch !== undefined && epoch !== knownEpoch();
  if (all.some(isOther)) await refreshEpoch();
  // Events come to one instance sooner than to another: who was connected elsewhere may be ahead of this one.
  const isAhead = ({ request: { since, snapshot }, stream }: Asked) =>
    !snapshot && since !== undefined && since > stream.position;
  const positions = await readPositions(
    db,
    all.filter(isAhead).map(({ stream }) => stream.topic),
  );
  for (const [topic, { head }] of positions) await hub.catchUp(topic, head);

  // The position first, the right second: a removal up to this position is then seen by the check; one behind it is
  // still to be delivered, and revokes. So nobody may enter behind this position.
  const heads = new Map(all.map(({ stream }) => [stream, stream.position]));
  return [...Map.groupBy(all, ({ kind }) => kind)].flatMap(([kind, ofKind]) => {
    // With a snapshot the right is read in the same transaction.
    const ids = ofKind.flatMap(({ request, id }) => (request.snapshot ? [] : [id]));
    const followable = ids.length === 0 ? nothing : kind.findFollowable(db, actor, ids);
    followable.catch(() => {}); // heard where it is waited for, which may be nowhere
    return ofKind.map((asked) => {
      const { stream } = asked;
      return {
        ...asked,
        actor,
        head: heads.get(stream) ?? 0,
        followable,
        position: positions.get(stream.topic),
      };
    });
  });
}

/** Where the connection enters the stream; undefined where it may not follow. */
export async function readEntry(deps: EntryDeps, approached: Approach): Promise<Entry | undefined> {
  const { request, kind, id, head } = approached;
  const { since } = request;
  if (request.snapshot) return await readEntryWithSnapshot(deps, approached, false);
  if (!(await approached.followable).has(id)) return undefined;
  const position = { ...(await locate(deps, approached)), head };
  const plain = { authorizedAt: head, snapshotBytes: 0 };
  if (since === undefined) return { ...plain, subscribed: describe(request, position, head) };
  const resumed = resumePoint(request, position);
  if (resumed !== undefined) return { ...plain, subscribed: describe(request, position, resumed) };
  if (kind.snapshot !== undefined) return await readEntryWithSnapshot(deps, approached, true);
  return { ...plain, subscribed: { ...describe(request, position, head), reset: true } };
}

/** State, head and right in one snapshot of the database. [S3] */
async function readEntryWithSnapshot(
  deps: EntryDeps,
  { stream, kind, id, actor, request }: Approach,
  isReset: boolean,
): Promise<Entry | undefined> {
  const read = await deps.db.transaction(
    async (tx) => {
      if (!(await kind.findFollowable(tx, actor, [id])).has(id)) return undefined;
      const position = await readPosition(tx, stream.topic);
      return { position, snapshot: await kind.snapshot?.read(tx, actor, id, maxSnapshotBytes) };
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  );
  if (read === undefined) return undefined;
  const { position, snapshot } = read;
  const snapshotBytes = snapshot === undefined ? 0 : Buffer.byteLength(JSON.stringify(snapshot));
  if (snapshotBytes > maxSnapshotBytes)
    throw new Error(
      `The snapshot of ${stream.topic} has ${snapshotBytes} bytes: more than ${maxSnapshotBytes}.`,
    );
  await deps.hub.catchUp(stream.topic, position.head);
  const mustReset = isReset || (request.since !== undefined && resumePoint(request, position) === undefined);
  const subscribed: Subscribed = { ...describe(request, position, position.head), snapshot };
  if (mustReset) subscribed.reset = true;
  return { subscribed, snapshotBytes, authorizedAt: position.head };
}

/** How far back the log reaches: from memory where that suffices, so that a wave of resuming clients costs the log nothing. */
async function locate(
  deps: EntryDeps,
  { stream, request: { since }, head, position }: Approach,
): Promise<Omit<TopicPosition, 'head'>> {
  const epoch = deps.knownEpoch();
  if (since === undefined || since === head) return { reach: head, base: 0, epoch };
  if (since < head && (await remembers(deps, stream, since))) return { reach: since, base: 0, epoch };
  return position ?? (await readPosition(deps.db, stream.topic));
}

/** Whether memory reaches back that far, or does when it is filled: once for all who come at the same time. */
async function remembers({ hub }: EntryDeps, stream: Stream, since: number): Promise<boolean> {
  await hub.warm(stream, since);
  return stream.since(since) !== undefined;
}

/** Behind which seq the client can go on without a gap; undefined: it must start over. [S4] */
export function resumePoint(
  { since = 0, epoch }: SubscribeRequest,
  position: TopicPosition,
): number | undefined {
  if (epoch !== undefined && epoch !== position.epoch) return undefined;
  // Whoever has seen nothing goes on with the first event, whatever its number, unless that one was pruned. [T4]
  const isWhole = position.reach === position.base;
  const from = since === 0 && isWhole ? position.base : since;
  return from >= position.reach && from <= position.head ? from : undefined;
}

function describe({ topic }: TopicRequest, { head, epoch }: TopicPosition, seq: number): Subscribed {
  return { topic, seq, head, epoch, replay: head - seq };
}

const nothing: Promise<ReadonlySet<string>> = Promise.resolve(new Set());
