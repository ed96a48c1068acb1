// The open connections of this instance; live ones can be found by user.

import type { Connection } from './connection.ts';

export class Connections {
  readonly #all = new Set<Connection>();
  /** Most users have one: a set for each of them would be 250 bytes more an idle connection. */
  readonly #byUser = new Map<string, Connection | Set<Connection>>();

  get all(): ReadonlySet<Connection> {
    return this.#all;
  }

  add(connection: Connection): void {
    this.#all.add(connection);
  }

  addLive(connection: Connection): void {
    const own = this.#byUser.get(connection.userId);
    if (own === undefined) this.#byUser.set(connection.userId, connection);
    else if (own instanceof Set) own.add(connection);
    else this.#byUser.set(connection.userId, new Set([own, connection]));
  }

  remove(connection: Connection): void {
    this.#all.delete(connection);
  }

  removeLive(connection: Connection): void {
    const own = this.#byUser.get(connection.userId);
    if (own instanceof Set) own.delete(connection);
    if (own === connection || (own instanceof Set && own.size === 0)) this.#byUser.delete(connection.userId);
  }

  /** As they are now: closing one while going through them is safe. */
  ofUser(userId: string): readonly Connection[] {
    const own = this.#byUser.get(userId);
    if (own === undefined) return none;
    return own instanceof Set ? [...own] : [own];
  }
}

const none: readonly Connection[] = [];
