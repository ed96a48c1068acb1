// What went over the socket, in and out: the newest envelopes, for whoever looks. Access tokens are not kept.

import type { ServerFrame } from '../../client/index.ts';
import type { ClientFrame } from '../../protocol/envelope.ts';

export interface Entry {
  /** Counted from the first one. */
  readonly number: number;
  readonly at: Date;
  readonly direction: 'in' | 'out';
  readonly type: string;
  /** Of a reply: the type of the command. */
  readonly answers: string | undefined;
  readonly topic: string | undefined;
  readonly seq: number | undefined;
  readonly frame: object;
}

export interface Journal {
  record(direction: Entry['direction'], frame: ServerFrame | ClientFrame): void;
  clear(): void;
  /** The oldest first; the same array as long as nothing came. */
  getSnapshot(): readonly Entry[];
  subscribe(listener: () => void): () => void;
}

export function createJournal(maxEntries: number, now: () => Date): Journal {
  let entries: Entry[] = [];
  let snapshot: readonly Entry[] | undefined;
  let recorded = 0;
  /** Commands without an answer, by their ids. */
  const asked = new Map<string, string>();
  const listeners = new Set<() => void>();
  const tell = (): void => {
    snapshot = undefined;
    for (const listener of [...listeners]) listener();
  };
  return {
    record(direction, frame) {
      recorded += 1;
      const { id = '', type } = frame;
      if (direction === 'out' && id !== '') asked.set(id, type);
      const answers = direction === 'in' && isReply(type) ? asked.get(id) : undefined;
      if (answers !== undefined) asked.delete(id);
      entries.push({
        number: recorded,
        at: now(),
        direction,
        type,
        answers,
        topic: frame.topic ?? topicOf(frame.payload),
        seq: 'seq' in frame ? frame.seq : undefined,
        frame: withoutToken(frame),
      });
      if (entries.length > maxEntries * 2) entries = entries.slice(-maxEntries); // now and then, not for each
      tell();
    },
    clear() {
      entries = [];
      tell();
    },
    getSnapshot() {
      snapshot ??= entries.slice(-maxEntries);
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Those whose topic and type have all the words of the filter in them. */
export function filterEntries(entries: readonly Entry[], filter: string): readonly Entry[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries;
  return entries.filter(({ type, answers = '', topic = '' }) => {
    const text = `${type} ${answers} ${topic}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const isReply = (type: string): boolean => type === 'ok' || type === 'error' || type === 'pong';

/** Of a subscribe, and of the answer to one, of one topic or several. */
function topicOf(payload: unknown): string | undefined {
  if (!isRecord(payload)) return undefined;
  if (typeof payload.topic === 'string') return payload.topic;
  const several = payload.topics ?? payload.results;
  if (!Array.isArray(several)) return undefined;
  const names = several.map((one: unknown) => (isRecord(one) ? String(one.topic) : String(one)));
  return names.join(' ');
}

function withoutToken(frame: ServerFrame | ClientFrame): object {
  if (!isRecord(frame.payload) || !('token' in frame.payload)) return frame;
  return { ...frame, payload: { ...frame.payload, token: '(hidden)' } };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
