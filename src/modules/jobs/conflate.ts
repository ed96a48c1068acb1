// Many words about one thing, of which only the last counts: the first is passed on at once, then one a window, the last one
// always. Memory follows what is said just now.

export interface Conflation<Item> {
  /** Whether the window of the key is open: what is put now waits for its end. */
  isOpen(key: string): boolean;
  /** Passes it on, or keeps it for the end of the window, in the place of what was kept. */
  put(key: string, item: Item): void;
  /** Opens a window for what was passed on otherwise. */
  begin(key: string): void;
  /** Ends the window; what was kept is answered, and not passed on. */
  take(key: string): Item | undefined;
  /** Passes on all that is kept. */
  flush(): void;
}

interface Window<Item> {
  kept: { readonly item: Item } | undefined;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** `pass` must not fail. */
export function conflate<Item>(windowMs: number, pass: (item: Item) => void): Conflation<Item> {
  const windows = new Map<string, Window<Item>>();

  const begin = (key: string): void => {
    clearTimeout(windows.get(key)?.timer);
    windows.set(key, { kept: undefined, timer: setTimeout(() => end(key), windowMs).unref() });
  };
  const end = (key: string): void => {
    const kept = take(key);
    if (kept === undefined) return;
    begin(key);
    pass(kept);
  };
  const take = (key: string): Item | undefined => {
    const window = windows.get(key);
    clearTimeout(window?.timer);
    windows.delete(key);
    return window?.kept?.item;
  };
  return {
    isOpen: (key) => windows.has(key),
    begin,
    take,
    put(key, item) {
      const window = windows.get(key);
      if (window !== undefined) {
        window.kept = { item };
        return;
      }
      begin(key);
      pass(item);
    },
    flush() {
      for (const key of [...windows.keys()]) {
        const kept = take(key);
        if (kept !== undefined) pass(kept);
      }
    },
  };
}
