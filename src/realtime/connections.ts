// The open connections of this instance; live ones can be found by user.

import type { Connection } from './connection.ts';

export class Connections {
  readonly #all = new Set<Connection>();
  readonly #byUser = new Map<string, Set<Connection>>();

  get all(): ReadonlySet<Connection> {
    return this.#all;
  }

  add(connection: Connection): void {
    this.#all.add(connection);
  }

  addLive(connection: Connection): void {
    const own = this.#byUser.get(connection.userId);
    if (own === undefined) this.#byUser.set(connection.userId, new Set([connection]));
    else own.add(connection);
  }

  remove(connection: Connection): void {
    this.#all.delete(connection);
  }

  removeLive(connection: Connection): void {
    const own = this.#byUser.get(connection.userId);
    own?.delete(connection);
    if (own?.size === 0) this.#byUser.delete(connection.userId);
  }

  ofUser(userId: string): ReadonlySet<Connection> {
    return this.#byUser.get(userId) ?? none;
  }
}

const none: ReadonlySet<Connection> = new Set();
