// The names of users, who go by their ids everywhere else. What is asked for at the same time is one question to the server.

export interface Person {
  readonly id: string;
  readonly name: string;
}

export interface People {
  /** The name as it is known; undefined while it is being asked for. */
  get(id: string): string | undefined;
  /** From an answer or an event that happened to have it. */
  learn(person: Person): void;
  subscribe(listener: () => void): () => void;
}

/** A question names at most so many. */
const maxAsked = 100;
const retryMs = 5_000;
const unknown = 'Somebody';

export function createPeople(find: (ids: string[]) => Promise<readonly Person[]>): People {
  const names = new Map<string, string>();
  const asked = new Set<string>();
  let waiting: string[] = [];
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const ask = async (): Promise<void> => {
    const ids = waiting.splice(0, maxAsked);
    if (waiting.length > 0) queueMicrotask(ask);
    try {
      const found = new Map((await find(ids)).map(({ id, name }) => [id, name]));
      for (const id of ids) names.set(id, found.get(id) ?? unknown);
    } catch {
      setTimeout(() => {
        for (const id of ids) asked.delete(id); // whoever shows it by then asks again
        tell();
      }, retryMs);
    }
    tell();
  };
  return {
    get(id) {
      const name = names.get(id);
      if (name === undefined && !asked.has(id)) {
        asked.add(id);
        waiting = [...waiting, id];
        if (waiting.length === 1) queueMicrotask(ask);
      }
      return name;
    },
    learn({ id, name }) {
      if (names.get(id) === name) return;
      names.set(id, name);
      queueMicrotask(tell); // it may be learned while a component renders
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
