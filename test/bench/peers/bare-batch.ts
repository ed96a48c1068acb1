// The floor of a stored message: one process, one connection, and one statement for all that has come since the last one. It
// writes heads, events and messages into Carillon's own tables, and there is nothing around it: no rights, no keys. Speaks
// as much of Carillon's protocol as the load generator needs, so that the frames are as long.

import pg from 'pg';

interface Waiting {
  readonly socket: Bun.ServerWebSocket<string>;
  readonly frameId: string;
  readonly row: ReturnType<typeof toRow>;
}

/** A new head for each topic, and below it a place for each message. */
const statement = `
  WITH raised AS (
    INSERT INTO topics AS t (name, head) SELECT * FROM unnest($1::text[], $2::bigint[])
    ON CONFLICT (name) DO UPDATE SET head = t.head + excluded.head
    RETURNING name, head
  ), placed AS MATERIALIZED (
    SELECT asked.*, head - later AS seq
    FROM unnest($3::text[], $4::bigint[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::timestamptz[], $10::uuid[],
        $11::text[], $12::json[])
        AS asked(topic, later, id, chat_id, sender_id, content, at, event_id, payload, meta)
      JOIN raised ON name = topic
  ), logged AS (
    INSERT INTO events (topic, seq, id, type, at, payload, meta)
    SELECT topic, seq, event_id, 'message.created', at, (payload || seq || '}')::json, meta FROM placed
  ), written AS (
    INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, created_at)
    SELECT id, chat_id, seq, sender_id, content, 'text', at FROM placed
  )
  SELECT name, head FROM raised`;

const database = new pg.Client({ connectionString: process.env.DATABASE_URL });
await database.connect();
let waiting: Waiting[] = [];
let isWriting = false;

const server = Bun.serve<string>({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, self) {
    // Whoever the token names, signed or not.
    const [, claims = ''] = request.headers.get('authorization')?.split('.') ?? [];
    return self.upgrade(request, { data: JSON.parse(atob(claims)).sub })
      ? undefined
      : new Response('Expected a WebSocket.', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      socket.send('{"type":"welcome"}');
    },
    message(socket, text) {
      const { id: frameId, type, payload } = JSON.parse(String(text));
      if (type === 'subscribe') {
        for (const { topic } of payload.topics) socket.subscribe(topic);
        socket.send(`{"type":"ok","id":"${frameId}"}`);
        return;
      }
      waiting.push({ socket, frameId, row: toRow(socket.data, frameId, payload) });
      if (isWriting) return;
      isWriting = true;
      setImmediate(writeAll); // with whatever else comes in this turn of the event loop
    },
  },
});
console.log(JSON.stringify({ ready: true, port: server.port }));

function toRow(senderId: string, frameId: string, { chatId, content }: { chatId: string; content: string }) {
  const id = Bun.randomUUIDv7();
  const at = new Date().toISOString();
  const message = {
    ...{ id, chatId, senderId, content, messageType: 'text', metadata: null, replyTo: null, mentions: [] },
    ...{ replyCount: 0, reactions: [], createdAt: at, editedAt: null, deletedAt: null },
  };
  const meta = JSON.stringify({ actorId: senderId, source: 'ws', correlationId: frameId });
  /** All but the seq, which the statement knows. */
  const payload = `${JSON.stringify(message).slice(0, -1)},"seq":`;
  return {
    topic: `chat:${chatId}`,
    id,
    chatId,
    senderId,
    content,
    at,
    eventId: Bun.randomUUIDv7(),
    payload,
    meta,
  };
}

/** While PostgreSQL has one batch, the one before is delivered. */
async function writeAll(): Promise<void> {
  let deliver = () => {};
  while (waiting.length > 0) {
    const batch = waiting;
    waiting = [];
    const writing = write(batch);
    deliver();
    deliver = await writing;
  }
  isWriting = false;
  deliver();
}

/** Answers what tells everybody that it is written. */
async function write(batch: readonly Waiting[]): Promise<() => void> {
  const { counts, later } = countByTopic(batch);
  const columns = ['id', 'chatId', 'senderId', 'content', 'at', 'eventId', 'payload', 'meta'] as const;
  const { rows } = await database.query<[string, string]>({
    name: 'write',
    text: statement,
    values: [
      [...counts.keys()],
      [...counts.values()],
      batch.map(({ row }) => row.topic),
      later,
      ...columns.map((column) => batch.map(({ row }) => row[column])),
    ],
    rowMode: 'array',
  });
  const heads = new Map(rows);
  const seqs = batch.map(({ row }, index) => Number(heads.get(row.topic)) - (later[index] ?? 0));
  return () => {
    batch.forEach(({ row: { topic, eventId, at, payload, meta } }, index) => {
      const seq = seqs[index];
      server.publish(
        topic,
        `{"type":"message.created","topic":"${topic}","seq":${seq},"id":"${eventId}","at":"${at}","payload":${payload}${seq}},"meta":${meta}}`,
      );
    });
    const replies = batch.map(({ socket, frameId, row: { topic, payload } }, index) => {
      const seq = seqs[index];
      const events = `[{"topic":"${topic}","seq":${seq}}]`;
      return {
        socket,
        text: `{"type":"ok","id":"${frameId}","payload":${payload}${seq},"events":${events}}}`,
      };
    });
    for (const [socket, own] of Map.groupBy(replies, (reply) => reply.socket)) {
      // One write for each member: corked, the events that wait for it leave with its replies.
      socket.cork(() => {
        for (const { text } of own) socket.send(text);
      });
    }
  };
}

/** How many of them each topic gets, and how many on the same topic come after each. */
function countByTopic(batch: readonly Waiting[]) {
  const counts = new Map<string, number>();
  const later = batch.toReversed().map(({ row: { topic } }) => {
    const count = counts.get(topic) ?? 0;
    counts.set(topic, count + 1);
    return count;
  });
  return { counts, later: later.reverse() };
}
