// Who follows a topic, by user. The first device in and the last one out are announced; somebody who reconnects in time
// was never away. [P1]

/** Counts of connections by user. */
export type Devices = ReadonlyMap<string, number>;

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
  stop(): void;
}

/** A reconnect within this time announces nothing. [P1] */
export const flapMs = 5_000;

export type AnnouncePresence = (
  type: 'presence.joined' | 'presence.left',
  topic: string,
  userId: string,
) => void;
