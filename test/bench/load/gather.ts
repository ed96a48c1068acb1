// Many connections at once, but not all at once: a listener's queue holds a few hundred, and beyond it the kernel makes
// a client wait a second.

const maxAtOnce = 200;

/** Calls `open` for 0 to `count` - 1; the answers, in that order. Fails with the first failure. */
export async function gather<Item>(count: number, open: (index: number) => Promise<Item>): Promise<Item[]> {
  const items: Item[] = new Array(count);
  let next = 0;
  const work = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      items[index] = await open(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxAtOnce, count) }, work));
  return items;
}
