// How far each member has read. Everybody in a chat reads what everybody writes, so what is read is gathered: at most once a
// second a chat is written to, with all who have read since, in one statement and one event. A chat that was quiet is
// written to at once.
//
// Rejected: a transaction for each. Twenty members who read everything stored 56 messages a second, and 7,300 without.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import {
  type Actor,
  type Answer,
  action,
  createBatcher,
  type Emit,
  type ModuleCore,
  readHeads,
} from '../../realtime/index.ts';
import { noSuchChat } from './access.ts';
import { ReadMessages, ReadPosition } from './contract.ts';
import { readsPerMinute } from './limits.ts';
import { chat, user } from './topics.ts';
import { countUnread } from './unread.ts';

export const readMessages = action('message.read', {
  summary: 'Move my read position forward',
  description:
    'A position behind the present one changes nothing. What the members of a chat have read is written once a second, and ' +
    'answered then.',
  tag: 'Messages',
  http: 'POST /chats/:chatId/read',
  input: ReadMessages,
  output: ReadPosition,
  writes: true,
  isLate: true,
  refuses: ['not_found', 'rate_limited'],
  start(core) {
    const read = createReading(core);
    return ({ actor }, { chatId, seq }) => read(actor, chatId, seq);
  },
});

const windowMs = 1_000;

/** One who reads in a chat, and every answer that is due: each waits for a seq of its own. */
interface Reader {
  readonly actor: Actor;
  /** Counted once a window: the others cost nothing. Who is over the limit is out of it by then. */
  readonly counted: Promise<void>;
  readonly due: { readonly seq: number; readonly answered: PromiseWithResolvers<Answer> }[];
}

/** What is read in a chat until its window ends. */
interface Window {
  readonly chatId: string;
  readers: Map<string, Reader>;
}

/** A chat's turn to be written. */
type Turn = Readonly<Window>;

function createReading(core: ModuleCore) {
  const windows = new Map<string, Window>();
  const write = createBatcher<Turn, void>({
    maxBatch: 100,
    maxWaiting: Number.POSITIVE_INFINITY, // each chat waits once, and only those that are read in
    onFailure: (error) => core.reporter.report(error, 'chat.read'),
    run: (turns) => writeTurns(core, turns),
  });

  /** Ends a window; the next one is open for a second. A chat in which nobody reads any more is forgotten. */
  const end = (window: Window): void => {
    const { chatId, readers } = window;
    if (readers.size === 0) {
      windows.delete(chatId);
      return;
    }
    window.readers = new Map();
    setTimeout(() => end(window), windowMs);
    void finish({ chatId, readers });
  };

  const finish = async ({ chatId, readers }: Window): Promise<void> => {
    await Promise.all([...readers.values()].map(({ counted }) => counted));
    if (readers.size === 0) return;
    await write({ chatId, readers }).catch((error: unknown) => {
      for (const reader of readers.values()) refuse(reader, error);
    });
  };

  const open = (chatId: string): Window => {
    const window: Window = { chatId, readers: new Map() };
    windows.set(chatId, window);
    // In a task of its own: whoever reads in this turn of the event loop is in it already.
    setImmediate(() => end(window));
    return window;
  };

  const join = ({ readers }: Window, actor: Actor): Reader => {
    const due: Reader['due'] = [];
    const counted = core.takeLimit(readsPerMinute, actor).catch((error: unknown) => {
      readers.delete(actor.userId);
      refuse({ due }, error);
    });
    const reader = { actor, counted, due };
    readers.set(actor.userId, reader);
    return reader;
  };

  return async (actor: Actor, chatId: string, seq: number): Promise<Answer> => {
    const window = windows.get(chatId) ?? open(chatId);
    const { due } = window.readers.get(actor.userId) ?? join(window, actor);
    const answered = Promise.withResolvers<Answer>();
    due.push({ seq, answered });
    return await answered.promise;
  };
}

function refuse({ due }: Pick<Reader, 'due'>, error: unknown): void {
  for (const { answered } of due) answered.reject(error);
}

/** Where a member stands behind the writing. */
interface Position {
  chat_id: string;
  user_id: string;
  position: number | string;
  has_moved: boolean;
}

async function writeTurns(core: ModuleCore, turns: readonly Turn[]) {
  const readers = turns.flatMap((turn) => [...turn.readers.values()]);
  const byOne = readers.length === 1 ? readers[0]?.actor : undefined;
  const { value, events } = await core.commit(byOne, async (tx, emit) => {
    const heads = await readHeads(
      tx,
      turns.map(({ chatId }) => chat.on(chatId).name),
    );
    const headOf = (chatId: string) => heads.get(chat.on(chatId).name) ?? 0;
    const positions = await move(tx, turns, headOf);
    emitMoved(emit, turns, positions);
    return { positions, headOf };
  });
  const seqs = new Map(events.map(({ topic, seq }) => [topic, seq]));
  const byMember = new Map(value.positions.map((row) => [`${row.chat_id} ${row.user_id}`, row]));
  for (const { chatId, readers } of turns) {
    const on = chat.on(chatId).name;
    const seq = seqs.get(on);
    for (const [userId, { due }] of readers) {
      const row = byMember.get(`${chatId} ${userId}`);
      const written = row?.has_moved && seq !== undefined ? [{ topic: on, seq }] : [];
      for (const { seq: asked, answered } of due) {
        if (row === undefined) answered.reject(noSuchChat());
        else if (asked > value.headOf(chatId)) answered.reject(noSuchSeq(value.headOf(chatId)));
        else {
          const output = { chatId, userId, lastReadSeq: Number(row.position) };
          answered.resolve({ output, events: written });
        }
      }
    }
  }
  return {
    outcomes: turns.map(() => ({ isDone: true as const, result: undefined })),
    finish: () => tellOtherDevices(core, value.positions),
  };
}

/** Moves the positions of those who are members forward, as far as the chat goes. */
async function move(tx: Db, turns: readonly Turn[], headOf: (chatId: string) => number): Promise<Position[]> {
  const asked = turns.flatMap(({ chatId, readers }) =>
    [...readers].map(([userId, { due }]) => ({
      chat: chatId,
      reader: userId,
      seq: Math.max(0, ...due.map(({ seq }) => seq).filter((seq) => seq <= headOf(chatId))),
    })),
  );
  return await queryRows<Position>(
    tx,
    // Locked in one order, so that two instances do not wait for each other in a circle.
    sql`
      WITH locked AS (
        SELECT p.chat_id, p.user_id, p.last_read_seq, asked.seq
        FROM json_to_recordset(${JSON.stringify(asked)}::json) AS asked(chat uuid, reader uuid, seq bigint)
        JOIN chat_participants AS p ON p.chat_id = asked.chat AND p.user_id = asked.reader
        ORDER BY p.chat_id, p.user_id
        FOR NO KEY UPDATE OF p
      ), moved AS (
        UPDATE chat_participants AS p SET last_read_seq = locked.seq FROM locked
        WHERE p.chat_id = locked.chat_id AND p.user_id = locked.user_id AND locked.last_read_seq < locked.seq
      )
      SELECT chat_id, user_id, greatest(last_read_seq, seq) AS position, last_read_seq < seq AS has_moved FROM locked`,
  );
}

function emitMoved(emit: Emit, turns: readonly Turn[], positions: readonly Position[]): void {
  const moved = Map.groupBy(
    positions.filter(({ has_moved }) => has_moved),
    ({ chat_id }) => chat_id,
  );
  for (const { chatId } of turns) {
    const rows = moved.get(chatId);
    if (rows === undefined) continue;
    const entries = rows.map(({ user_id, position }) => [user_id, Number(position)] as const);
    emit(chat.on(chatId), 'message.read', { positions: Object.fromEntries(entries) });
  }
}

/** What was read on one device is read on the user's others. */
async function tellOtherDevices(
  { db, presence, announce }: ModuleCore,
  positions: readonly Position[],
): Promise<void> {
  const moved = positions.filter(({ has_moved }) => has_moved);
  const devices = await presence.devicesOf([...new Set(moved.map(({ user_id }) => user_id))]);
  const told = moved.filter(({ user_id }) => (devices.get(user_id) ?? 0) > 1);
  if (told.length === 0) return;
  const unread = await countUnread(
    db,
    told.map(({ chat_id, user_id }) => ({ chatId: chat_id, userId: user_id })),
  );
  const unreadOf = new Map(unread.map(({ chatId, userId, unread }) => [`${chatId} ${userId}`, unread]));
  for (const { chat_id: chatId, user_id: userId, position } of told) {
    const payload = {
      chatId,
      lastReadSeq: Number(position),
      unreadCount: unreadOf.get(`${chatId} ${userId}`) ?? 0,
    };
    announce(user.on(userId), 'chat.read', payload, { actor: undefined });
  }
}

const noSuchSeq = (head: number) =>
  new AppError('invalid', `The newest event of this chat has seq ${head}.`, {
    fields: [{ path: '/seq', message: `Expected at most ${head}` }],
  });
