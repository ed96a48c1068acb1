// A map for what is mostly small, in the order in which things came: a list of pairs that becomes a `Map` when it grows. The
// table of a `Map` takes 0.6 KB with its first entry, which was a tenth of an idle connection.

/** Above so many entries, looking through them costs more than a table. */
const maxListed = 8;

export class SmallMap<Value> {
  /** Keys and values in turns: one array for all of them. */
  #listed: (string | Value)[] | undefined;
  #map: Map<string, Value> | undefined;

  get size(): number {
    return this.#map?.size ?? (this.#listed?.length ?? 0) / 2;
  }

  get(key: string): Value | undefined {
    if (this.#map !== undefined) return this.#map.get(key);
    const place = this.#find(key);
    return place === -1 ? undefined : this.#valueAt(place);
  }

  has(key: string): boolean {
    return this.#map === undefined ? this.#find(key) !== -1 : this.#map.has(key);
  }

  set(key: string, value: Value): void {
    if (this.#map !== undefined) {
      this.#map.set(key, value);
      return;
    }
    this.#listed ??= [];
    const place = this.#find(key);
    if (place !== -1) this.#listed[place + 1] = value;
    else if (this.#listed.length < 2 * maxListed) this.#listed.push(key, value);
    else {
      this.#map = new Map(this.entries()).set(key, value);
      this.#listed = undefined;
    }
  }

  /** As a `Map` does: whether it was there. One that has grown stays a `Map`. */
  delete(key: string): boolean {
    if (this.#map !== undefined) return this.#map.delete(key);
    const place = this.#find(key);
    if (place !== -1) this.#listed?.splice(place, 2);
    return place !== -1;
  }

  *entries(): Generator<[string, Value]> {
    if (this.#map !== undefined) yield* this.#map;
    // What is taken out while it is gone through would move the rest.
    const listed = this.#listed?.slice() ?? [];
    for (let place = 0; place < listed.length; place += 2) {
      yield [listed[place] as string, listed[place + 1] as Value]; // in turns
    }
  }

  *keys(): Generator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): Generator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Of the key; -1 where there is none. */
  #find(key: string): number {
    const length = this.#listed?.length ?? 0;
    for (let place = 0; place < length; place += 2) if (this.#listed?.[place] === key) return place;
    return -1;
  }

  #valueAt(place: number): Value | undefined {
    return this.#listed?.[place + 1] as Value | undefined; // values stand behind their keys
  }
}
