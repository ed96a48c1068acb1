// The order of lists that servers and clients keep alike: by code units, the same everywhere. Browser-safe.

/** Of PostgreSQL's `COLLATE "C"` too, as long as both are ASCII. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The list with the item at its place by this key; one with the same key gives way to it. */
export function put<Item>(items: Item[], item: Item, keyOf: (item: Item) => string): Item[] {
  const key = keyOf(item);
  const place = items.findIndex((other) => keyOf(other) >= key);
  if (place === -1) return [...items, item];
  const found = items[place];
  return items.toSpliced(place, found !== undefined && keyOf(found) === key ? 1 : 0, item);
}
