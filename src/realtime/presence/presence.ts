// Who follows a topic, by user. The first device in and the last one out are announced; somebody who reconnects in time
// was never away. [P1] Every variant passes the suite in test/realtime/presence/presence.test.ts.

import { Type } from '@sinclair/typebox';
import { type EventTable, ephemeral } from '../../protocol/events.ts';
import { Id } from '../../protocol/values.ts';
import type { TopicKind } from '../topic-kind.ts';

/** What is announced on topics of those of the kinds that have presence. [P1] */
export function presenceEvents(kinds: readonly TopicKind[]): EventTable {
  const on = kinds.filter(({ hasPresence }) => hasPresence).map(({ kind }) => kind);
  const event = ephemeral(on, Type.Object({ userId: Id }));
  return { 'presence.joined': event, 'presence.left': event };
}

/** Counts of connections by user. */
export type Devices = ReadonlyMap<string, number>;

/** The calls that answer nothing never wait and never fail; neither do the others, though they may know less. */
export interface Presence {
  join(topic: string, userId: string): void;
  leave(topic: string, userId: string): void;
  /** Who follows the topic, with the number of connections each. */
  list(topic: string): Promise<Devices>;
  /** A connection of the user is live, or gone. */
  connect(userId: string): void;
  disconnect(userId: string): void;
  /** How many connections each of the users has; those without any are left out. [P2] */
  devicesOf(userIds: readonly string[]): Promise<Devices>;
  /** Announces nothing more. */
  stop(): Promise<void>;
}

/** A reconnect within this time announces nothing. [P1] */
export const flapMs = 5_000;

export type AnnouncePresence = (
  type: 'presence.joined' | 'presence.left',
  topic: string,
  userId: string,
) => void;
